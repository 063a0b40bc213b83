"""
The pump on an event loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import spec
from reference_server.engine import Engine
from reference_server.executor import BuiltIn
from reference_server.instance import Call, Schedule
from reference_server.ports import WallClock
from reference_server.pump import Pump

if TYPE_CHECKING:
    import pytest

LOADED = spec.load()


class Broken:
    workers = 1

    def turn(self, turn: Any) -> Any:
        raise ValueError(f"no turn for {turn.instance}")

    def activity(self, activity: Any) -> Any:
        raise ValueError(f"no activity {activity.name}")


def driven(executor: Any = None) -> tuple[Engine, Pump, WallClock]:
    clock = WallClock()
    engine = Engine(LOADED.machine, LOADED.replies)
    return engine, Pump(engine, executor or BuiltIn(LOADED.workflows["instructions"]), clock), clock


async def until(engine: Engine, state: str) -> None:
    async with asyncio.timeout(10):
        while getattr(engine.instance("a"), "state", "") != state:  # noqa: ASYNC110 - the engine knows no events
            await asyncio.sleep(0.001)


def test_work_is_done_after_the_call_and_timers_at_their_time() -> None:
    """
    The call itself does nothing; a poke brings the rest about.
    """

    async def scene() -> list[str]:
        engine, pump, clock = driven()
        pump.start(asyncio.get_running_loop())
        text = '{"do":[{"sleep":100000},{"return":1}]}'
        engine.handle(Call("start", "far", "ConformanceScript", data=text), clock.now())
        pump.poke()
        await asyncio.sleep(0)
        text = '{"do":[{"sleep":0.01},{"return":1}]}'
        engine.handle(Call("start", "a", "ConformanceScript", data=text), clock.now())
        states = [getattr(engine.instance("a"), "state", "")]
        pump.poke()
        states.append(getattr(engine.instance("a"), "state", ""))
        await until(engine, "COMPLETED")
        pump.stop()
        return states

    assert asyncio.run(scene()) == ["PENDING", "PENDING"]


def test_nothing_is_done_after_the_stop() -> None:
    """
    What is due stays due.
    """

    async def scene() -> str:
        engine, pump, clock = driven()
        pump.start(asyncio.get_running_loop())
        engine.handle(Call("start", "a", "ConformanceEcho"), clock.now())
        pump.poke()
        pump.stop()
        pump.poke()
        await asyncio.sleep(0.01)
        return getattr(engine.instance("a"), "state", "")

    assert asyncio.run(scene()) == "PENDING"


def test_an_executor_that_breaks_fails_the_workflow(caplog: pytest.LogCaptureFixture) -> None:
    """
    The pump goes on, with one line in the log.
    """
    engine, pump, clock = driven(Broken())
    engine.handle(Call("start", "a", "W"), clock.now())
    while pump.step():
        pass
    instance = engine.instance("a")

    assert instance is not None
    assert (instance.state, instance.failure and instance.failure.message) == ("FAILED", "no turn for a")
    assert [record.exc_info for record in caplog.records] == [None]


def test_an_activity_that_breaks_fails_for_its_workflow(caplog: pytest.LogCaptureFixture) -> None:
    """
    The workflow hears of it as of any failure.
    """

    class Half(Broken):
        def turn(self, turn: Any) -> Any:
            return BuiltIn(LOADED.workflows["instructions"]).turn(turn)

    engine, pump, clock = driven(Half())
    engine.handle(Call("start", "a", "ConformanceScript", data='{"do":[{"call_activity":1}]}'), clock.now())
    while pump.step():
        pass
    instance = engine.instance("a")

    assert instance is not None
    assert (instance.state, instance.failure and instance.failure.type) == ("FAILED", "ValueError")
    assert Schedule(1, "ConformanceEchoActivity", "1").name in caplog.text
