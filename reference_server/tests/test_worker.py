"""
The kit's own worker, as a process and in this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import spec
from reference_server import assembly
from reference_server.executor import BuiltIn
from reference_server.instance import Activity, Turn
from reference_server.over_grpc import Port
from reference_server.worker.cli import main
from reference_server.worker.host import Host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KILLS = 50
SCRIPT = json.dumps({"do": [{"call_activity": 1}, {"call_child": {"do": [{"call_activity": 2}]}}, {"sleep": 0.001}]})
OUTPUT = "[1,[2]]"
COMPLETED = 1

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["reference_server.worker.cli"])


async def until(holds: Any) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - what another process does is seen only by looking
            await asyncio.sleep(0.001)


async def echoes(talk: Any, name: str) -> Any:
    await talk.call("StartInstance", instanceId=name, name="ConformanceEcho", input={"value": '"e"'})
    return (await talk.call("WaitForInstanceCompletion", instanceId=name, getInputsAndOutputs=True)).workflowState


@contextlib.asynccontextmanager
async def hosted(place: str, **given: Any) -> AsyncIterator[None]:
    work = asyncio.ensure_future(Host(place, BuiltIn(spec.workflows()["instructions"]), **given).run())
    try:
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


def test_workflows_survive_workers_that_are_killed(talking: Any) -> None:
    """
    A worker process is killed 50 times at random moments, while it has a turn or an activity; every workflow completes
    once, with the right output, and nothing that it did stands twice in its history.
    """
    chance = random.Random(4)

    async def story(talk: Any) -> None:
        remote, killed = talk.server.pump.workers, {Turn: 0, Activity: 0}
        names = []
        for number in range(KILLS):
            worker = PROCESSES.Process(target=main, args=(["--grpc", talk.place, "--delay", "3"],), daemon=True)
            worker.start()
            for part in range(2):
                names.append(f"k{number}-{part}")
                start = {"instanceId": names[-1], "name": "ConformanceScript", "input": {"value": SCRIPT}}
                talk.running.append(asyncio.ensure_future(talk.call("StartInstance", **start)))
            kind = chance.choice([Turn, Activity])
            await until(lambda kind=kind: any(one.counts[kind] for one in remote._streams))
            await asyncio.sleep(chance.uniform(0, 0.004))
            for one in remote._streams:
                for work in one.owed.values():
                    killed[type(work)] += 1
            worker.kill()
            worker.join()
            worker.close()
            await until(lambda: not len(remote))
        async with hosted(talk.place):
            for name in names:
                ended = await talk.call("WaitForInstanceCompletion", instanceId=name, getInputsAndOutputs=True)
                assert (ended.workflowState.workflowStatus, ended.workflowState.output.value) == (COMPLETED, OUTPUT)
                history = (await talk.call("GetInstanceHistory", instanceId=name)).events
                kinds = [event.WhichOneof("eventType") for event in history]
                for once in ("executionStarted", "taskScheduled", "taskCompleted", "timerFired", "executionCompleted"):
                    assert kinds.count(once) == 1, (name, kinds)
            await asyncio.gather(*talk.running)
        assert min(killed.values()) >= KILLS // 10, killed

    asyncio.run(_told(talking, story))


def test_it_comes_back_when_its_sidecar_does() -> None:
    """
    A worker finds a sidecar that was not there yet, and finds it again after a restart.
    """

    async def story() -> None:
        place, number = "", 0
        async with contextlib.AsyncExitStack() as stack:
            for turn in range(3):
                server = assembly.build(assembly.Settings(executor=False))
                port = Port(server.services({}), ["127.0.0.1"], number, 4 << 20)
                await port.open()
                if not place:
                    place = port.places[0]
                    number = int(place.rpartition(":")[2])
                    await port.close()
                    await stack.enter_async_context(hosted(place))
                    continue
                server.pump.start(asyncio.get_running_loop())
                await until(lambda server=server: len(server.pump.workers) == 1)
                server.pump.stop()
                await port.close()
                assert turn

    asyncio.run(story())


def test_it_sends_its_token(talking: Any) -> None:
    """
    A sidecar that wants a token gets the worker's.
    """

    async def whole() -> None:
        async with (
            talking(executor=False, token="secret-token") as talk,
            hosted(talk.place, token="secret-token"),
        ):
            await until(lambda: len(talk.server.pump.workers) == 1)

    asyncio.run(whole())


def test_it_is_a_process_that_ends_with_its_stdin(talking: Any) -> None:
    """
    `python -P -m reference_server.worker` completes workflows, and ends when asked to or when its stdin does.
    """

    async def story(talk: Any) -> None:
        for asked in (True, False):
            command = [sys.executable, "-P", "-m", "reference_server.worker", "--grpc", talk.place, "--until-eof"]
            worker = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            assert (await echoes(talk, f"e{asked}")).output.value == '"e"'
            if asked:
                worker.send_signal(signal.SIGTERM)
            _, said = await worker.communicate(b"")
            assert (worker.returncode, b"Traceback" in said, b"working for" in said) == (0, False, True)

    asyncio.run(_told(talking, story))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [([], "--grpc"), (["--grpc", "here"], "HOST:PORT"), (["--grpc", "a:1", "--delay", "x"], "milliseconds")],
)
def test_a_mistake_is_one_line(capsys: Any, arguments: list[str], word: str) -> None:
    """
    What cannot be used is named, with what was expected.
    """
    code = main(arguments)

    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert word in said


async def _told(talking: Any, story: Any) -> None:
    async with talking(executor=False) as talk:
        await story(talk)
