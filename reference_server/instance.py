"""
The values that go in and out of the engine.

Rule 1: values only; a changed one is a new one. Named tuples are made four times as fast as frozen dataclasses.
Rule 2: a time is an integer of nanoseconds since the epoch, a payload is text as it came.
Rule 3: `wire` is what a worker elsewhere said or must hear besides; whoever talks to workers fills and reads it, and
everyone else hands it on unread.
"""

from __future__ import annotations

from typing import Final, NamedTuple

START: Final = "start"
GET: Final = "get"
PAUSE: Final = "pause"
RESUME: Final = "resume"
RAISE_EVENT: Final = "raise_event"
TERMINATE: Final = "terminate"
PURGE: Final = "purge"
LIST: Final = "list"
HISTORY: Final = "history"
RERUN: Final = "rerun"
DELIVERED: Final = frozenset({PAUSE, RESUME, RAISE_EVENT, TERMINATE})
"""The operations that reach the workflow as an event; the event has the operation's name."""

BEGIN: Final = "begin"
COMPLETE: Final = "complete"
FAIL: Final = "fail"
CONTINUE_AS_NEW: Final = "continue_as_new"
STALL: Final = "stall"
RECOVER: Final = "recover"

TURN: Final = "turn"
STARTED: Final = "started"
STALLED: Final = "stalled"
ENDED: Final = "ended"
ACTIVITY_SCHEDULED: Final = "activity_scheduled"
ACTIVITY_COMPLETED: Final = "activity_completed"
ACTIVITY_FAILED: Final = "activity_failed"
TIMER_CREATED: Final = "timer_created"
TIMER_FIRED: Final = "timer_fired"
CHILD_CREATED: Final = "child_created"
CHILD_COMPLETED: Final = "child_completed"
CHILD_FAILED: Final = "child_failed"
DETACHED: Final = "detached"
SENT: Final = "sent"


class Call(NamedTuple):
    """
    One operation that a client asks for. `data` is the input of a start, the payload of an event or the output that a
    terminate brings; `at` is when a new instance may take its first turn, 0 for now.

    `alone`: a terminate or a purge leaves the children as they are. `wire` goes to the started event.
    """

    operation: str
    instance: str
    workflow: str = ""
    event: str = ""
    data: str | None = None
    at: int = 0
    alone: bool = False
    wire: bytes = b""


class Failure(NamedTuple):
    """
    Why a workflow or an activity failed. `cause` is the failure behind it; a `final` one is not worth another try.
    """

    type: str
    message: str
    stack: str = ""
    cause: Failure | None = None
    final: bool = False


class Event(NamedTuple):
    """
    One line of a history or an inbox.

    `task` numbers the activities, timers and children of a generation; of a started event it numbers the generation.
    `name` is a workflow, an activity or an event; `instance` a child, or whom something was sent to. `alone` is of a
    terminate, as in its call.
    """

    kind: str
    time: int
    task: int = 0
    name: str = ""
    data: str | None = None
    due: int = 0
    instance: str = ""
    failure: Failure | None = None
    alone: bool = False
    wire: bytes = b""


class Parent(NamedTuple):
    """
    Who waits for a child: an instance of a workflow, which generation of it, and under which task.
    """

    instance: str
    generation: int
    task: int
    workflow: str = ""


class Instance(NamedTuple):
    """
    One instance of a workflow as it is now.

    `generation` is unique to each run, also after a new start or a continue-as-new; `laps` counts the generations
    since the workflow last waited. `created` is None until a turn is committed. `executor` names who takes its turns:
    the one that got the first.
    """

    id: str
    workflow: str
    state: str
    generation: int
    input: str | None = None
    parent: Parent | None = None
    history: tuple[Event, ...] = ()
    inbox: tuple[Event, ...] = ()
    created: int | None = None
    updated: int | None = None
    output: str | None = None
    status: str = ""
    failure: Failure | None = None
    children: tuple[str, ...] = ()
    laps: int = 0
    executor: str = ""

    def receiving(self, event: Event) -> Instance:
        """
        The instance with one more event in its inbox: every call needs it, and this is faster than `_replace`.
        """
        inbox = (*self.inbox, event)
        return Instance._make((*self[:_INBOX], inbox, *self[_INBOX + 1 :]))


_INBOX = Instance._fields.index("inbox")


class Answer(NamedTuple):
    """
    What a call gets now: a row of replies.yaml, and the instance after the call, if there is one.
    """

    reply: str
    outcome: str
    instance: Instance | None


class Turn(NamedTuple):
    """
    Work for an executor: the history, what is new, and the time.
    """

    instance: str
    history: tuple[Event, ...]
    events: tuple[Event, ...]
    now: int
    executor: str = ""
    generation: int = 0
    parent: Parent | None = None


class Activity(NamedTuple):
    """
    Work for an executor: one activity. One that is not `awaited` is run for what it does, not for its result.
    """

    instance: str
    generation: int
    task: int
    name: str
    data: str | None
    executor: str = ""
    awaited: bool = True
    wire: bytes = b""


class Result(NamedTuple):
    """
    What an activity came to.
    """

    data: str | None = None
    failure: Failure | None = None
    wire: bytes = b""


class Schedule(NamedTuple):
    """
    Action: run an activity.
    """

    task: int
    name: str
    data: str | None
    wire: bytes = b""


class Timer(NamedTuple):
    """
    Action: wake the workflow at a time.
    """

    task: int
    due: int
    wire: bytes = b""


class Cancel(NamedTuple):
    """
    Action: forget a timer.
    """

    task: int


class Child(NamedTuple):
    """
    Action: start a child; without an `instance` the engine names it.
    """

    task: int
    workflow: str
    instance: str
    data: str | None
    wire: bytes = b""


class Detached(NamedTuple):
    """
    Action: start an instance that nobody waits for.
    """

    task: int
    call: Call
    wire: bytes = b""


class Send(NamedTuple):
    """
    Action: raise an event on another instance, or terminate it.
    """

    task: int
    call: Call


Action = Schedule | Timer | Cancel | Child | Detached | Send


class Ending(NamedTuple):
    """
    The happening that closes a generation, with what it leaves behind.

    `input` and `kept` (events not taken) are for the next generation of a workflow that continues as new. `wire` is why
    it stalls.
    """

    happening: str
    output: str | None = None
    failure: Failure | None = None
    input: str | None = None
    kept: tuple[Event, ...] = ()
    wire: bytes = b""


class Decision(NamedTuple):
    """
    What an executor makes of a turn. `wire` goes to the turn's event.
    """

    actions: tuple[Action, ...] = ()
    status: str = ""
    ending: Ending | None = None
    wire: bytes = b""
