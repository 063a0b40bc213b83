"""
What a driver costs: calls a second through each, protocol included, beside the same SDK called in a loop; its start.

`.venv/bin/python benchmarks/drivers.py [--rounds 5] [--calls 300] [--only calls,start] [--clients python,go]`

calls: `get` of one instance, one call at a time, by the kit's own side of the protocol, and by a loop in the SDK's
language (`direct/`) on what the driver was built on; then eight calls at a time through the driver. start: from the
start of the process until hello is answered. Drivers whose toolchain is not here are left out by name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from common import HERE, Child, child, figure, ratio, reference, table, versions

from conformance import build, manifest
from conformance.driver import Driver
from conformance.errors import KitError
from conformance.launch import Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

INSTANCE, AT_ONCE, PATIENCE = "bench-1", 8, 60.0


def drivers(role: str, names: Sequence[str]) -> dict[str, build.Ready]:
    """
    The drivers of a role, built; those that cannot be are named and left out.
    """
    wanted = [build.Wanted(name, role) for name in manifest.names(role) if not names or name in names]
    found = {}
    for one, made in build.side_by_side(wanted).items():
        if isinstance(made, KitError):
            print(f"the {role} {one.name} is left out: {made}", file=sys.stderr)
        else:
            found[one.name] = made
    return found


def addresses(server: Child) -> dict[str, str]:
    """
    Where a sidecar is, as hello says it.
    """
    return {"http": f"http://{server.host}:{server.port}", "grpc": server.grpc}


@contextlib.contextmanager
def driver(role: str, name: str, ready: build.Ready, server: Child) -> Iterator[Driver]:
    """
    A driver that has said hello, stopped at the end.
    """
    hidden = {key: value for key, value in ready.environment.items() if key != "DAPR_API_TOKEN"}
    started = Driver(Launch(role, name, tuple(ready.argv), hidden, ready.log), addresses(server))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@contextlib.contextmanager
def direct(name: str, ready: build.Ready, server: Child, folder: Path) -> Iterator[Callable[[int], float]]:
    """
    The SDK in a loop, in a process of its own: seconds for so many calls.
    """
    where = addresses(server)
    command = [*_loop(name, ready, folder), name, where["http"], where["grpc"], INSTANCE]
    process = subprocess.Popen(
        command, env=dict(ready.environment), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    said: list[str] = []

    def calls(count: int) -> float:
        assert process.stdin
        assert process.stderr
        process.stdin.write(f"{count}\n")
        process.stdin.flush()
        for line in process.stderr:
            said.append(line)
            with contextlib.suppress(ValueError):
                return float(line)
        raise SystemExit(f"{command[0]} ended: {''.join(said[-10:])}")

    try:
        yield calls
    finally:
        process.kill()
        process.communicate()


def _loop(name: str, ready: build.Ready, folder: Path) -> list[str]:
    """
    The command of a loop on the SDK that a driver was built on.
    """
    loops, language = HERE / "direct", manifest.load("client", name).sdk.language
    if language == "python":
        return [ready.argv[0], str(loops / "direct.py")]
    if language == "javascript":
        return [ready.argv[0], str(loops / "direct.mjs"), str(ready.folder)]
    if language == "java":
        target = ready.folder / "target"
        classes = os.pathsep.join([str(target / "driver.jar"), str(target / "lib" / "*")])
        return [ready.argv[0], "-XX:+UseSerialGC", "-cp", classes, str(loops / "Direct.java")]
    place = folder / name
    shutil.copytree(ready.folder, place)
    shutil.copy(loops / name / "main.go", place / "main.go")
    subprocess.run(["go", "build", "-mod=mod", "-o", "direct", "."], cwd=place, env=dict(ready.environment), check=True)
    return [str(place / "direct")]


def calls(rounds: int, count: int, names: Sequence[str]) -> str:
    """
    Calls a second, through the drivers and without them.
    """
    rows = []
    for name, ready in drivers("client", names).items():
        seconds = _raced(name, ready, rounds, count)
        rates = {what: [count / one for one in all_of] for what, all_of in seconds.items()}
        parts = ratio(rates["driver"], rates["direct"]), ratio(rates["at once"], rates["direct"])
        shown = [figure(rates[what]).text() for what in ("direct", "driver", "at once")]
        cost = [(one - other) / count * 1e6 for one, other in zip(seconds["driver"], seconds["direct"], strict=True)]
        rows.append([f"{name} {ready.version}", *shown, *(one.text(2) for one in parts), figure(cost).text()])
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    head = ["client", "loop, calls/s", "driver, calls/s", f"driver, {AT_ONCE} at once"]
    return table([*head, "driver in loops", f"{AT_ONCE} at once in loops", "a call more, us"], rows)


def _raced(name: str, ready: build.Ready, rounds: int, count: int) -> dict[str, list[float]]:
    """
    Seconds of each round, after one of three times the length that does not count.
    """
    found = defaultdict(list)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(child(reference()))
        _started(server)
        loop = stack.enter_context(direct(name, ready, server, folder))
        asks = stack.enter_context(driver("client", name, ready, server))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        contestants: dict[str, Callable[[int], float]] = {
            "direct": loop,
            "driver": lambda number: _asked(asks, number),
            "at once": lambda number: _wall(lambda: [*pool.map(lambda _: _get(asks), range(number))]),
        }
        for number in range(rounds + 1):
            for what, run in contestants.items():
                took = run(count if number else 3 * count)
                if number:
                    found[what].append(took)
    return found


def _started(server: Child) -> None:
    """
    An instance that is there to be looked at.
    """
    url = f"{addresses(server)['http']}/v1.0/workflows/dapr/ConformanceEcho/start?instanceID={INSTANCE}"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps("ready?").encode(), method="POST")):
        time.sleep(0.2)


def _asked(asks: Driver, count: int) -> float:
    return _wall(lambda: [_get(asks) for _ in range(count)])


def _get(asks: Driver) -> None:
    answer = asks.ask("get", {"instance": INSTANCE}, PATIENCE)
    if answer.ok is None or answer.ok["state"]["instance"] != INSTANCE:
        raise SystemExit(f"{asks.name} answers {answer.text}")


def _wall(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def start(rounds: int, names: Sequence[str]) -> str:
    """
    Seconds until hello is answered, of clients and workers that are built.
    """
    rows = []
    with child(reference()) as server:
        for role in manifest.ROLES:
            for name, ready in drivers(role, names).items():
                took = figure([_start(role, name, ready, server) for _ in range(rounds + 1)][1:])
                rows.append([role, f"{name} {ready.version}", took.text(2)])
                print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    return table(["role", "driver", "start, s"], rows)


def _start(role: str, name: str, ready: build.Ready, server: Child) -> float:
    begun = time.perf_counter()
    with driver(role, name, ready, server):
        return time.perf_counter() - begun


def main() -> None:
    """
    Measure what was asked for, and print it as tables.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant (%(default)s)")
    parser.add_argument("--calls", type=int, default=300, help="calls of a round (%(default)s)")
    parser.add_argument("--clients", default="", help="names of drivers, with commas (all)")
    parser.add_argument("--only", default="calls,start", help="which parts (%(default)s)")
    chosen = parser.parse_args()
    names = [name for name in chosen.clients.split(",") if name]
    parts = {
        "calls": lambda: calls(chosen.rounds, chosen.calls, names),
        "start": lambda: start(chosen.rounds, names),
    }
    print(versions("grpcio", "jsonschema-rs"))
    for part in chosen.only.split(","):
        print(f"\n## {part}\n\n{parts[part]()}", flush=True)


if __name__ == "__main__":
    main()
