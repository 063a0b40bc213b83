"""
One open GetWorkItems call: what it owes, and what goes out on it.

Rule 1: an item is written when it is handed out, in the order in which it will be sent: a worker that keeps histories
is sent only what it has not got.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from spec import wire

from .history import NOT_NUMBERED, execution, put, stamp, written
from .instance import Activity, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Work = Turn | Activity

PING_SECONDS = 30.0
"""After so long without work a worker that asks for pings gets one."""

HELD = 10_000
"""Histories that a worker is taken to keep at most; beyond that it is sent them anew."""


class Stream:
    """
    One open GetWorkItems call, and what it owes.
    """

    def __init__(self, request: Any) -> None:
        capabilities = wire.enum("WorkerCapability").values_by_name
        self.pings = capabilities["WORKER_CAPABILITY_HEALTH_PING"].number in request.capabilities
        self.remembers = capabilities["WORKER_CAPABILITY_STATEFUL_HISTORY"].number in request.capabilities
        self._limits = {
            Turn: request.maxConcurrentWorkflowWorkItems,
            Activity: request.maxConcurrentActivityWorkItems,
        }
        self.owed: dict[str, Work] = {}
        self.counts = {Turn: 0, Activity: 0}
        self.held: dict[str, int] = {}
        self.outbox: deque[bytes] = deque()
        self.ready = asyncio.Event()

    def free(self, kind: type[Work]) -> bool:
        """
        Whether it takes another item of a kind: 0 is no limit.
        """
        limit = self._limits[kind]
        return bool(limit <= 0 or self.counts[kind] < limit)

    def owe(self, token: str, work: Work) -> None:
        """
        Hand an item out.
        """
        item = self._turn(work, token) if isinstance(work, Turn) else _activity(work, token)
        self.owed[token] = work
        self.counts[type(work)] += 1
        self.outbox.append(item)
        self.ready.set()

    def settle(self, token: str) -> Work:
        """
        Take an item off what is owed.
        """
        work = self.owed.pop(token)
        self.counts[type(work)] -= 1
        return work

    async def items(self) -> AsyncIterator[bytes]:
        """
        What is handed out, until the stream ends.
        """
        while True:
            while self.outbox:
                yield self.outbox.popleft()
            self.ready.clear()
            if not await self._more() and self.pings:
                yield ping()

    async def _more(self) -> bool:
        try:
            async with asyncio.timeout(PING_SECONDS if self.pings else None):
                await self.ready.wait()
        except TimeoutError:
            return False
        return True

    def _turn(self, turn: Turn, token: str) -> bytes:
        item: Any = wire.message("WorkItem")(completionToken=token)
        request = item.workflowRequest
        request.instanceId = turn.instance
        request.executionId.value = execution(turn.generation)
        skipped = self.held.get(turn.instance, 0) if self.remembers else 0
        if 0 < skipped <= len(turn.history):
            request.cachedHistory.eventCount = skipped
        else:
            skipped = 0
        if self.remembers:
            if len(self.held) >= HELD:
                self.held.clear()
            self.held[turn.instance] = len(turn.history)
        request.pastEvents.extend(written(turn.history[skipped:], turn.instance, turn.generation, turn.parent))
        begun = request.newEvents.add(eventId=NOT_NUMBERED)
        stamp(begun.timestamp, turn.now)
        begun.workflowStarted.SetInParent()
        request.newEvents.extend(written(turn.events, turn.instance, turn.generation, turn.parent))
        return bytes(item.SerializeToString())


def ping() -> bytes:
    """
    An item that asks for nothing.
    """
    item = wire.message("WorkItem")()
    item.healthPing.SetInParent()  # type: ignore[attr-defined]
    return item.SerializeToString()


def _activity(activity: Activity, token: str) -> bytes:
    item: Any = wire.message("WorkItem")(completionToken=token)
    request = item.activityRequest
    scheduled = wire.message("HistoryEvent").FromString(activity.wire).taskScheduled  # type: ignore[attr-defined]
    request.name, request.taskId, request.taskExecutionId = activity.name, activity.task, scheduled.taskExecutionId
    put(request.input, activity.data)
    if scheduled.HasField("version"):
        request.version.CopyFrom(scheduled.version)
    request.workflowInstance.instanceId = activity.instance
    request.workflowInstance.executionId.value = execution(activity.generation)
    return bytes(item.SerializeToString())
