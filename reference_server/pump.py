"""
Drives the engine: runs what is due or hands it to workers, and sleeps until more is.

Rule 1: one batch at a time, so that requests get their turn between two batches.
Rule 2: an instance gets its executor when it takes its first turn: the workers, if there are any, or the one in here.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from .instance import FAIL, Decision, Ending, Failure, Result, Turn

if TYPE_CHECKING:
    from .engine import Engine
    from .instance import Activity
    from .ports import Clock, Executor, Workers

HERE = ""
"""The executor in this process."""

LONGEST_SLEEP = 3600.0
"""Seconds after which the pump looks again, however far away the next timer is."""

_SECOND = 1_000_000_000
_log = logging.getLogger("reference_server")


class Pump:
    """
    The driver of one engine on one event loop. Without an executor in here everything waits for workers.
    """

    __slots__ = ("_clock", "_due", "_engine", "_executor", "_handle", "_loop", "_waits", "workers")

    def __init__(self, engine: Engine, executor: Executor | None, clock: Clock) -> None:
        self._engine, self._executor, self._clock = engine, executor, clock
        self._waits: set[asyncio.Future[None]] = set()
        self.workers: Workers | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.Handle | None = None
        self._due: int | None = None

    @property
    def connected(self) -> int:
        """
        How many workers there are, the one in here included.
        """
        here = self._executor.workers if self._executor is not None else 0
        return here + (len(self.workers) if self.workers is not None else 0)

    async def staffed(self) -> None:
        """
        Wait until there is a worker.
        """
        while not self.connected:
            future = asyncio.get_running_loop().create_future()
            self._waits.add(future)
            try:
                await future
            finally:
                self._waits.discard(future)

    def welcome(self) -> None:
        """
        A worker has come: whoever waits for one goes on.
        """
        for future in self._waits:
            if not future.done():
                future.set_result(None)
        self.poke()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Drive from now on.
        """
        self._loop = loop
        self.poke()

    def stop(self) -> None:
        """
        Drive no more.
        """
        self._loop = None
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._due = None

    def poke(self) -> None:
        """
        The engine may have something due earlier than the pump knows of.
        """
        due = self._engine.next_due()
        if self._loop is None or due is None or (self._due is not None and self._due <= due):
            return
        if self._handle is not None:
            self._handle.cancel()
        self._due = due
        wait = due - self._clock.now()
        if wait <= 0:
            self._handle = self._loop.call_soon(self._run)
        else:
            self._handle = self._loop.call_later(min(wait / _SECOND, LONGEST_SLEEP), self._run)

    def _run(self) -> None:
        self._handle = self._due = None
        self.step()
        self.poke()

    def step(self) -> bool:
        """
        Run one batch of what is due now; whether there was any.
        """
        workers, here = self.workers, self._executor
        if here is None and workers is None:
            return False
        elsewhere = workers if workers is not None and (here is None or workers) else None
        work = self._engine.take(self._clock.now(), executor=HERE if elsewhere is None else elsewhere.name)
        for item in work:
            if workers is not None and item.executor != HERE:
                workers.send(item)
            elif here is None:
                continue
            elif isinstance(item, Turn):
                self._engine.complete_turn(item, _decided(here, item), self._clock.now())
            else:
                self._engine.complete_activity(item, _performed(here, item), self._clock.now())
        return bool(work)


def _decided(executor: Executor, turn: Turn) -> Decision:
    try:
        return executor.turn(turn)
    except Exception as error:  # noqa: BLE001 - a workflow that breaks its executor has failed
        _log.error("turn of %r: %s: %s", turn.instance, type(error).__name__, error)
        return Decision(ending=Ending(FAIL, failure=Failure(type(error).__name__, str(error))))


def _performed(executor: Executor, activity: Activity) -> Result:
    try:
        return executor.activity(activity)
    except Exception as error:  # noqa: BLE001 - as a turn
        _log.error("activity of %r: %s: %s", activity.instance, type(error).__name__, error)
        return Result(failure=Failure(type(error).__name__, str(error)))
