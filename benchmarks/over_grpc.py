"""
What the gRPC surfaces cost: the reference server against empty methods, and against a peer that runs workflows too.

`.venv/bin/python benchmarks/over_grpc.py [--rounds 5] [--calls 2000] [--only calls,waits,echo] [--peer DIR]`

calls: microseconds of server CPU a call, all threads together, beside an empty method of the same transport (grpc.aio)
and of the thread-pool server. waits: memory and CPU while 10,000 clients wait for the completion of one instance, and
how long it takes until all of them know. echo: workflows a second, each started, waited for and purged over TaskHub,
on the built-in executor and on a worker of Dapr's Python SDK; beside Microsoft's durabletask 1.12 (its in-memory
backend and its worker), and beside three empty calls. Each is a process of its own; the packages come into virtual
environments made for the run (`--peer DIR` and `--sdk DIR` make them there, and use them again).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from common import HERE, Child, child, environment, figure, free_port, ratio, reference, script, table, versions

from spec import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

PEER, SDK = "durabletask==1.12.*", "dapr==1.19.0"
TASKHUB = wire.services()["TaskHubSidecarService"]
DAPR = wire.services()["dapr.proto.runtime.v1.Dapr"]
EMPTY = "/bare.Empty/Call"
LANES = 16
WAITERS, CHANNELS = 10_000, 20
GIGABYTE = 1 << 30
WAIT = '{"do":[{"wait_event":"go"}]}'
_numbers = count()

Call = tuple[str, bytes]


def start(name: str, data: str, workflow: str = "ConformanceScript") -> Call:
    """
    The start of an instance over TaskHub.
    """
    method = TASKHUB["StartInstance"]
    return method.path, method.request(instanceId=name, name=workflow, input={"value": data}).SerializeToString()


def named(method: wire.Method, **fields: Any) -> Call:
    """
    A call with some fields.
    """
    return method.path, method.request(**fields).SerializeToString()


def trials(amount: int) -> dict[str, list[Call]]:
    """
    The calls of each row: the reference server's, each on an instance of its own where it changes one.
    """
    names = [f"b{next(_numbers):07}" for _ in range(amount)]
    return {
        "GetInstance, unknown": [named(TASKHUB["GetInstance"], instanceId="nobody") for _ in names],
        "GetInstance": [named(TASKHUB["GetInstance"], instanceId="one", getInputsAndOutputs=True) for _ in names],
        "GetWorkflowBeta1": [named(DAPR["GetWorkflowBeta1"], instance_id="one") for _ in names],
        "StartWorkflowBeta1": [
            named(DAPR["StartWorkflowBeta1"], instance_id=name, workflow_name="W", input=WAIT.encode())
            for name in names
        ],
        "RaiseEvent": [named(TASKHUB["RaiseEvent"], instanceId=name, name="x") for name in names],
    }


async def lanes(address: str, calls: Sequence[Call]) -> None:
    """
    Send calls over some connections at once, each its next once it has its answer.
    """
    left = iter(calls)
    async with contextlib.AsyncExitStack() as stack:
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(address, options=options)) for _ in range(LANES)
        ]

        async def lane(channel: grpc.aio.Channel) -> None:
            for path, request in left:
                await channel.unary_unary(path)(request, timeout=60)

        await asyncio.gather(*map(lane, channels))


def measured(server: Child, calls: Sequence[Call]) -> float:
    """
    Microseconds of server CPU a call.
    """
    before = server.cpu_of_all()
    asyncio.run(lanes(server.grpc, calls))
    return (server.cpu_of_all() - before) / len(calls) * 1e6


def calls(rounds: int, amount: int) -> str:
    """
    The table of `calls`.
    """
    seen: dict[str, list[float]] = defaultdict(list)
    empty: list[Call] = [(EMPTY, b"\x0a\x03one")] * amount
    hour = str(3_600_000)
    with (
        child(reference("--settle", hour)) as ours,
        child(script("bare.py", "aio")) as aio,
        child(script("bare.py", "threads")) as threads,
    ):
        asyncio.run(lanes(ours.grpc, [named(DAPR["StartWorkflowBeta1"], instance_id="one", workflow_name="W")]))
        for turn in range(rounds + 1):
            for name, server in (("empty, grpc.aio", aio), ("empty, thread pool", threads)):
                seen[name].append(measured(server, empty))
            for name, one in trials(amount).items():
                seen[name].append(measured(ours, one))
            if not turn:  # a round that warms up
                seen.clear()
    limit = seen["empty, grpc.aio"]
    rows = [
        [name, figure(values).text(), "" if values is limit else ratio(values, limit).text(2)]
        for name, values in seen.items()
    ]
    return table(["call", "server CPU, us", "of an empty grpc.aio call"], rows)


def waits(_rounds: int, _amount: int) -> str:
    """
    The table of `waits`.
    """
    with child(reference()) as server:
        before = server.resident()
        opened, idle, told, full = asyncio.run(_waits(server))
    if full > GIGABYTE:
        raise SystemExit(f"{WAITERS:,} waits take {full / GIGABYTE:.2f} GiB")
    rows = [
        ["memory before, MiB", f"{before / (1 << 20):.0f}"],
        [f"memory with {WAITERS:,} waits, MiB", f"{full / (1 << 20):.0f}"],
        ["a wait, KiB", f"{(full - before) / WAITERS / 1024:.1f}"],
        ["to open them, s", f"{opened:.1f}"],
        ["CPU while they wait, ms a second", f"{idle * 1000:.1f}"],
        ["from the event until all know, s", f"{told:.1f}"],
    ]
    return table(["what", "figure"], rows)


async def _waits(server: Child) -> tuple[float, float, float, int]:
    async with contextlib.AsyncExitStack() as stack:
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(server.grpc, options=options))
            for _ in range(CHANNELS)
        ]
        path, request = start("one", WAIT)
        await channels[0].unary_unary(path)(request)
        path, request = named(TASKHUB["WaitForInstanceCompletion"], instanceId="one")
        begun = time.perf_counter()
        waiting = [channels[number % CHANNELS].unary_unary(path)(request) for number in range(WAITERS)]
        for channel in channels:  # a call on each connection that is answered comes after its waits
            await channel.unary_unary(TASKHUB["GetInstance"].path)(b"")
        opened, cpu = time.perf_counter() - begun, server.cpu_of_all()
        await asyncio.sleep(5)
        idle, full = (server.cpu_of_all() - cpu) / 5, server.resident()
        begun = time.perf_counter()
        path, request = named(TASKHUB["RaiseEvent"], instanceId="one", name="go")
        await channels[0].unary_unary(path)(request)
        answers = await asyncio.gather(*waiting)
        response = TASKHUB["WaitForInstanceCompletion"].response
        if any(response.FromString(one).workflowState.workflowStatus != 1 for one in answers):
            raise SystemExit("a wait was answered before the instance had ended")
        return opened, idle, time.perf_counter() - begun, full


def python_with(package: str, folder: Path) -> Path | None:
    """
    A Python that has the package; None where it cannot be installed.
    """
    python = folder / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
            install = [str(python), "-m", "pip", "install", "-q", package]
            subprocess.run(install, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        print(f"{package} cannot be installed here; it is left out", file=sys.stderr)
        return None
    return python


@contextlib.contextmanager
def worked(backend: list[str], python: Path, kind: str) -> Iterator[Child]:
    """
    A backend with a worker, a process each.
    """
    with child(backend) as served:
        command = [str(python), str(HERE / "peer.py"), kind, served.grpc]
        worker = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
        try:
            yield served
        finally:
            worker.terminate()
            worker.wait()


async def workflows(address: str, amount: int, together: int) -> float:
    """
    Workflows a second: started, waited for, purged.
    """
    names = iter([f"e{next(_numbers):07}" for _ in range(amount)])
    async with grpc.aio.insecure_channel(address) as channel:

        async def lane() -> None:
            for name in names:
                await _workflow(channel, name)

        begun = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(together)))
        return amount / (time.perf_counter() - begun)


async def _workflow(channel: grpc.aio.Channel, name: str) -> None:
    async def ask(call: Call) -> bytes:
        path, request = call
        answer: bytes = await channel.unary_unary(path)(request, timeout=60)
        return answer

    wait, purge = TASKHUB["WaitForInstanceCompletion"], TASKHUB["PurgeInstances"]
    await ask(start(name, '"x"', "ConformanceEcho"))
    ended = wait.response.FromString(await ask(named(wait, instanceId=name, getInputsAndOutputs=True)))
    if ended.workflowState.output.value != '"x"':
        raise SystemExit(f"a workflow came out as {ended}")
    gone = purge.response.FromString(await ask(named(purge, instanceId=name)))
    if gone.deletedInstanceCount != 1:
        raise SystemExit(f"a purge answered {gone}")


async def nothing(address: str, amount: int, together: int) -> float:
    """
    Three empty calls in place of a workflow.
    """
    left = iter(range(amount))
    async with grpc.aio.insecure_channel(address) as channel:

        async def lane() -> None:
            for _ in left:
                for _ in range(3):
                    await channel.unary_unary(EMPTY)(b"", timeout=60)

        begun = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(together)))
        return amount / (time.perf_counter() - begun)


def echo(rounds: int, amount: int, place: Path, sdk: Path) -> str:
    """
    The table of `echo`.
    """
    python, dapr = python_with(PEER, place), python_with(SDK, sdk)
    seen: dict[tuple[str, int], list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        contestants: dict[str, tuple[str, Callable[[str, int, int], Awaitable[float]]]] = {}
        contestants["reference server, built-in"] = (stack.enter_context(child(reference())).grpc, workflows)
        if dapr is not None:
            served = worked(reference("--no-executor"), dapr, "dapr")
            contestants[f"reference server, worker of {SDK}"] = (stack.enter_context(served).grpc, workflows)
        if python is not None:
            backend = [str(python), str(HERE / "peer.py"), "backend", str(free_port())]
            served = worked(backend, python, "worker")
            contestants[f"durabletask {PEER[13:17]}"] = (stack.enter_context(served).grpc, workflows)
        contestants["three empty calls"] = (stack.enter_context(child(script("bare.py", "aio"))).grpc, nothing)
        for turn in range(rounds + 1):
            for together in (1, 8):
                for name, (address, contest) in contestants.items():
                    share = max(amount // 10, 20) if together == 1 else amount // 2
                    seen[name, together].append(asyncio.run(contest(address, share, together)))  # type: ignore[arg-type]
            if not turn:
                seen.clear()
    ours = [name for name in contestants if name.startswith("reference")]
    rows = [
        [
            name,
            str(together),
            figure(values).text(),
            *("" if name in ours else ratio(seen[one, together], values).text(2) for one in ours),
        ]
        for (name, together), values in sorted(seen.items(), key=lambda item: item[0][1])
    ]
    return table(["contestant", "at once", "workflows/s", *(f"{one[18:]}, in parts of it" for one in ours)], rows)


def main() -> None:
    """
    Measure what was asked for, and print it.
    """
    parser = argparse.ArgumentParser(description="What the gRPC surfaces cost.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--only", default="calls,waits,echo")
    parser.add_argument("--peer", type=Path, help="virtual environment for the peer, made if it is not there")
    parser.add_argument("--sdk", type=Path, help="virtual environment for Dapr's SDK, made if it is not there")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sections: dict[str, Callable[[], str]] = {
            "calls": lambda: calls(chosen.rounds, chosen.calls),
            "waits": lambda: waits(chosen.rounds, chosen.calls),
            "echo": lambda: echo(
                chosen.rounds, chosen.calls, chosen.peer or Path(folder) / "peer", chosen.sdk or Path(folder) / "sdk"
            ),
        }
        print(versions("grpcio", "protobuf", "uvloop"))
        for name in chosen.only.split(","):
            print(f"\n{name}\n\n{sections[name]()}")


if __name__ == "__main__":
    main()
