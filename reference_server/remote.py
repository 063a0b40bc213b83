"""
Workers elsewhere: turns and activities go out over GetWorkItems streams, and decisions come back as calls.

Rule 1: each item is out at one stream; a stream that ends gives back what it owes, and another gets it.
Rule 2: a token names one handing-out. What comes back with a token that is not out, or twice, is dropped; a worker that
sends none is known by instance and task.
Rule 3: instances that took no turn yet are the workers' while a stream is open, or always.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from spec import wire

from .decisions import BadResponse, decision, result
from .history import execution, put, stamp, written
from .instance import ACTIVITY_SCHEDULED, CHILD_CREATED, TIMER_CREATED, Activity, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from typing import NoReturn

    from .engine import Engine
    from .ports import Clock, Ids

    Work = Turn | Activity
    Refuse = Callable[[str, str], NoReturn]
    """Ends a call with a row of replies.yaml, given why."""

SERVICE = "TaskHubSidecarService"
MALFORMED, INVALID, UNKNOWN = "message.malformed", "completion.invalid", "completion.unknown"
"""The rows that refuse what a worker says."""

PING_SECONDS = 30.0
"""After so long without work a worker that asks for pings gets one."""

_log = logging.getLogger("reference_server")


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
        return limit <= 0 or self.counts[kind] < limit

    def owe(self, token: str, work: Work, item: bytes) -> None:
        """
        Hand an item out.
        """
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
                return await self.ready.wait()
        except TimeoutError:
            return False


class Remote:
    """
    The workers of one engine. `poke` is called when the engine may have something due; `always`: new instances wait for
    a worker rather than be run in here; an action of `dropped` undoes the turn that it comes in.
    """

    name = "workers"

    def __init__(  # noqa: PLR0913 - the parts of a server
        self,
        engine: Engine,
        clock: Clock,
        ids: Ids,
        refuse: Refuse,
        *,
        always: bool = False,
        dropped: frozenset[str] = frozenset(),
    ) -> None:
        self._engine, self._clock, self._refuse = engine, clock, refuse
        self._always, self._dropped = always, dropped
        self._streams: list[Stream] = []
        self._waiting: dict[type[Work], deque[Work]] = {Turn: deque(), Activity: deque()}
        self._out: dict[str, Stream] = {}
        self._tokens: dict[tuple[str, int], str] = {}
        self._run, self._numbers = ids.new(), count(1)
        self.poke: Callable[[], None] = _nothing
        self.opened = asyncio.Event()

    def __len__(self) -> int:
        """
        How many workers are connected.
        """
        return len(self._streams)

    @property
    def hosting(self) -> bool:
        """
        Whether instances that took no turn yet go to workers.
        """
        return self._always or bool(self._streams)

    @property
    def owed(self) -> int:
        """
        How many items are out.
        """
        return len(self._out)

    def handlers(self) -> Mapping[str, Callable[[bytes], Any]]:
        """
        The methods by their paths.
        """
        methods = {
            "Hello": hello,
            "GetWorkItems": self.stream,
            "CompleteWorkflowTask": self.complete_turn,
            "CompleteOrchestratorTask": self.complete_turn,
            "CompleteActivityTask": self.complete_activity,
        }
        return {wire.services()[SERVICE][name].path: method for name, method in methods.items()}

    def send(self, work: Work) -> None:
        """
        Hand out a turn or an activity, or keep it until there is a worker for it.
        """
        self._waiting[type(work)].append(work)
        self._hand_out()

    async def stream(self, request: bytes) -> AsyncIterator[bytes]:
        """
        GetWorkItems.
        """
        stream = Stream(self._parsed("GetWorkItemsRequest", request))
        self._streams.append(stream)
        self.opened.set()
        _log.info("a worker has come; %d now", len(self))
        self._engine.revive(self._clock.now())
        self._hand_out()
        self.poke()
        try:
            async for item in stream.items():
                yield item
        finally:
            self._lose(stream)

    async def complete_turn(self, request: bytes) -> bytes:
        """
        CompleteWorkflowTask, and CompleteOrchestratorTask as older workers call it.
        """
        response = self._parsed("WorkflowResponse", request)
        token = self._token(response, (response.instanceId, 0), f"no such instance exists: {response.instanceId}")
        stream = self._out.get(token)
        if stream is None:
            return b""
        turn = stream.owed[token]
        if not isinstance(turn, Turn) or turn.instance != response.instanceId:
            self._refuse(INVALID, "the token is of other work")
        if self._repeats(turn, response):
            return b""
        try:
            decided = decision(response, turn)
        except BadResponse as error:
            self._refuse(INVALID, str(error))
        self._settle(token)
        refused = next((field for field in map(_kind, response.actions) if field in self._dropped), "")
        if refused:
            _log.error("turn of %r: don't know how to process outbound message '%s'", turn.instance, refused)
            self._engine.put_back(turn)
        else:
            self._engine.complete_turn(turn, decided, self._clock.now())
        self.poke()
        return b""

    async def complete_activity(self, request: bytes) -> bytes:
        """
        CompleteActivityTask.
        """
        response = self._parsed("ActivityResponse", request)
        key = (response.instanceId, response.taskId + 1)
        token = self._token(response, key, f"unknown instance ID/task ID combo: {key[0]}/{response.taskId}")
        stream = self._out.get(token)
        if stream is None:
            return b""
        activity = stream.owed[token]
        if not isinstance(activity, Activity) or (activity.instance, activity.task) != (key[0], response.taskId):
            self._refuse(INVALID, "the token is of other work")
        self._settle(token)
        self._engine.complete_activity(activity, result(response, activity), self._clock.now())
        self.poke()
        return b""

    def _token(self, response: Any, key: tuple[str, int], unknown: str) -> str:
        """
        Which handing-out an answer is to: one that is over, if it says so; without a token, the one that is out.
        """
        token: str = response.completionToken
        if token:
            return token
        if key not in self._tokens:
            self._refuse(UNKNOWN, unknown)
        return self._tokens[key]

    def _repeats(self, turn: Turn, response: Any) -> bool:
        """
        Whether an answer without a token is a late one to an earlier turn: it does again what has been done.
        """
        if response.completionToken:
            return False
        done = {event.task for event in turn.history if event.kind in _NUMBERED}
        return any(action.id in done for action in response.actions if _kind(action) != "completeWorkflow")

    def _parsed(self, name: str, request: bytes) -> Any:
        try:
            return wire.message(name).FromString(request)
        except (DecodeError, UnicodeDecodeError) as error:
            self._refuse(MALFORMED, str(error))

    def _hand_out(self) -> None:
        for kind, waiting in self._waiting.items():
            while waiting:
                if not self._engine.awaits(waiting[0]):
                    waiting.popleft()
                    continue
                stream = self._choose(kind, waiting[0])
                if stream is None:
                    break
                self._give(stream, waiting.popleft())

    def _choose(self, kind: type[Work], work: Work) -> Stream | None:
        """
        The stream that holds the history already, or the one that owes least.
        """
        free = [stream for stream in self._streams if stream.free(kind)]
        held = [stream for stream in free if kind is Turn and work.instance in stream.held]
        return min(held or free, key=lambda stream: len(stream.owed), default=None)

    def _give(self, stream: Stream, work: Work) -> None:
        token = f"{self._run}-{next(self._numbers)}"
        self._out[token], self._tokens[_key(work)] = stream, token
        item = _turn(work, token, stream) if isinstance(work, Turn) else _activity(work, token)
        stream.owe(token, work, item)

    def _settle(self, token: str) -> Work:
        work = self._out.pop(token).settle(token)
        if self._tokens.get(_key(work)) == token:
            del self._tokens[_key(work)]
        self._hand_out()
        return work

    def _lose(self, stream: Stream) -> None:
        self._streams.remove(stream)
        _log.info("a worker has gone; %d now", len(self))
        for token, work in reversed(stream.owed.items()):
            del self._out[token]
            if self._tokens.get(_key(work)) == token:
                del self._tokens[_key(work)]
            self._waiting[type(work)].appendleft(work)
        if not self._streams:
            self.opened.clear()
        self._hand_out()


async def hello(request: bytes) -> bytes:  # noqa: ARG001 - nothing is said
    """
    Hello: somebody is here.
    """
    return b""


def ping() -> bytes:
    """
    An item that asks for nothing.
    """
    item = wire.message("WorkItem")()
    item.healthPing.SetInParent()  # type: ignore[attr-defined]
    return item.SerializeToString()


_NUMBERED = frozenset({ACTIVITY_SCHEDULED, TIMER_CREATED, CHILD_CREATED})


def _turn(turn: Turn, token: str, stream: Stream) -> bytes:
    item: Any = wire.message("WorkItem")(completionToken=token)
    request = item.workflowRequest
    request.instanceId = turn.instance
    request.executionId.value = execution(turn.generation)
    skipped = stream.held.get(turn.instance, 0) if stream.remembers else 0
    if 0 < skipped <= len(turn.history):
        request.cachedHistory.eventCount = skipped
    else:
        skipped = 0
    if stream.remembers:
        stream.held[turn.instance] = len(turn.history)
    request.pastEvents.extend(written(turn.history[skipped:], turn.instance, turn.generation, turn.parent))
    begun = request.newEvents.add(eventId=-1)
    stamp(begun.timestamp, turn.now)
    begun.workflowStarted.SetInParent()
    request.newEvents.extend(written(turn.events, turn.instance, turn.generation, turn.parent))
    return bytes(item.SerializeToString())


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


def _key(work: Work) -> tuple[str, int]:
    """
    What an answer without a token names: an instance and one more than a task, or 0 for its turn.
    """
    return (work.instance, 0 if isinstance(work, Turn) else work.task + 1)


def _kind(action: Any) -> str:
    return action.WhichOneof("workflowActionType") or ""


def _nothing() -> None:
    """
    Nobody is to be told.
    """
