"""
Workers elsewhere: turns and activities go out over GetWorkItems streams, and decisions come back as calls.

Rule 1: each item is out at one stream; a stream that ends gives back what it owes, and another gets it.
Rule 2: a token names one handing-out. What comes back with a token that is not out, or twice, is dropped; a worker that
sends none is known by instance and task.
"""

from __future__ import annotations

import logging
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from spec import wire

from .decisions import BadResponse, decision, result
from .instance import ACTIVITY_SCHEDULED, CHILD_CREATED, TIMER_CREATED, Activity, Turn
from .streams import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from .engine import Engine
    from .ports import Clock, Ids
    from .pump import Pump
    from .statuses import Statuses

    Work = Turn | Activity

SURFACE, SERVICE = "taskhub", "TaskHubSidecarService"
MALFORMED, UNKNOWN = "message.malformed", "completion.unknown"
"""The rows that refuse what a worker says."""

_NUMBERED = frozenset({ACTIVITY_SCHEDULED, TIMER_CREATED, CHILD_CREATED})

_log = logging.getLogger("reference_server")


class Remote:
    """
    The workers of one engine. An action of `dropped` undoes the turn that it comes in.
    """

    name = "workers"

    def __init__(  # noqa: PLR0913 - the parts of a server
        self,
        engine: Engine,
        clock: Clock,
        ids: Ids,
        *,
        pump: Pump,
        statuses: Statuses,
        dropped: frozenset[str] = frozenset(),
    ) -> None:
        self._engine, self._pump, self._clock, self._statuses, self._dropped = engine, pump, clock, statuses, dropped
        self._streams: list[Stream] = []
        self._waiting: dict[type[Work], deque[Work]] = {Turn: deque(), Activity: deque()}
        self._out: dict[str, Stream] = {}
        self._tokens: dict[tuple[str, int], str] = {}
        self._run, self._numbers = ids.new(), count(1)

    def __len__(self) -> int:
        """
        How many workers are connected.
        """
        return len(self._streams)

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
        _log.info("a worker has come; %d now", len(self))
        self._engine.revive(self._clock.now())
        self._hand_out()
        self._pump.welcome()
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
            self._statuses.refuse(MALFORMED, reason="the token is of other work")
        if self._repeats(turn, response):
            return b""
        try:
            decided = decision(response, turn)
        except BadResponse as error:
            self._statuses.refuse(MALFORMED, reason=str(error))
        self._settle(token)
        refused = next((field for field in map(_kind, response.actions) if field in self._dropped), "")
        if refused:
            _log.error("turn of %r: don't know how to process outbound message '%s'", turn.instance, refused)
            self._engine.put_back(turn)
        else:
            self._engine.complete_turn(turn, decided, self._clock.now())
        self._pump.poke()
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
            self._statuses.refuse(MALFORMED, reason="the token is of other work")
        self._settle(token)
        self._engine.complete_activity(activity, result(response, activity), self._clock.now())
        self._pump.poke()
        return b""

    def _token(self, response: Any, key: tuple[str, int], unknown: str) -> str:
        """
        Which handing-out an answer is to: one that is over, if it says so; without a token, the one that is out.
        """
        token: str = response.completionToken
        if token:
            return token
        if key not in self._tokens:
            self._statuses.refuse(UNKNOWN, reason=unknown)
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
            self._statuses.refuse(MALFORMED, reason=str(error))

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
        stream.owe(token, work)

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
        self._hand_out()


async def hello(request: bytes) -> bytes:  # noqa: ARG001 - nothing is said
    """
    Hello: somebody is here.
    """
    return b""


def _key(work: Work) -> tuple[str, int]:
    """
    What an answer without a token names: an instance and one more than a task, or 0 for its turn.
    """
    return (work.instance, 0 if isinstance(work, Turn) else work.task + 1)


def _kind(action: Any) -> str:
    return action.WhichOneof("workflowActionType") or ""
