"""
Events as the wire has them, and back: what TaskHub calls a HistoryEvent.

Rule 1: what a worker said that the engine does not know of is a HistoryEvent with the rest left out, as bytes: `wire`.
Whatever is written begins with it.
Rule 2: the same event is always written the same way, so that a worker that replays sees what it saw before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spec import wire

from .instance import (
    ACTIVITY_COMPLETED,
    ACTIVITY_FAILED,
    ACTIVITY_SCHEDULED,
    CHILD_COMPLETED,
    CHILD_CREATED,
    CHILD_FAILED,
    DETACHED,
    ENDED,
    PAUSE,
    RAISE_EVENT,
    RESUME,
    SENT,
    STALLED,
    STARTED,
    TERMINATE,
    TIMER_CREATED,
    TIMER_FIRED,
    TURN,
    Event,
    Failure,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from .instance import Parent

    Body = Any
    """One of the messages that a HistoryEvent carries: their classes are made at run time."""

NOT_NUMBERED = -1
"""The number of an event that no action of the workflow has brought about."""

FIELDS: Mapping[str, str] = {
    TURN: "workflowStarted",
    STARTED: "executionStarted",
    STALLED: "executionStalled",
    ENDED: "executionCompleted",
    PAUSE: "executionSuspended",
    RESUME: "executionResumed",
    TERMINATE: "executionTerminated",
    RAISE_EVENT: "eventRaised",
    ACTIVITY_SCHEDULED: "taskScheduled",
    ACTIVITY_COMPLETED: "taskCompleted",
    ACTIVITY_FAILED: "taskFailed",
    TIMER_CREATED: "timerCreated",
    TIMER_FIRED: "timerFired",
    CHILD_CREATED: "childWorkflowInstanceCreated",
    CHILD_COMPLETED: "childWorkflowInstanceCompleted",
    CHILD_FAILED: "childWorkflowInstanceFailed",
    DETACHED: "detachedWorkflowInstanceCreated",
    SENT: "eventSent",
}
"""What each kind of event is called on the wire."""

KINDS = {field: kind for kind, field in FIELDS.items()}
_NUMBERED = frozenset({ACTIVITY_SCHEDULED, TIMER_CREATED, CHILD_CREATED, DETACHED, SENT})
_SECOND = 1_000_000_000


def written(
    events: Iterable[Event], instance: str, generation: int, parent: Parent | None, status: str = ""
) -> list[Any]:
    """
    Events of one generation of an instance as HistoryEvents; `status` is how the wire calls the state it ended in.
    """
    make: Any = wire.message("HistoryEvent")
    found = []
    for event in events:
        message = make.FromString(event.wire) if event.wire else make()
        message.eventId = event.task if event.kind in _NUMBERED else NOT_NUMBERED
        stamp(message.timestamp, event.time)
        body = getattr(message, FIELDS[event.kind])
        body.SetInParent()
        if event.kind == STARTED:
            _started(body, event, instance, generation, parent)
        elif event.kind == ENDED:
            _ended(body, event, status)
        else:
            WRITERS[event.kind](body, event)
        found.append(message)
    return found


def read(message: Any) -> Event | None:
    """
    A HistoryEvent as an event; None for one that carries nothing known.
    """
    field = message.WhichOneof("eventType") or ""
    if field not in KINDS:
        return None
    kind = KINDS[field]
    found = Event(kind, nanoseconds(message.timestamp), message.eventId if kind in _NUMBERED else 0)
    reader = READERS.get(kind)
    return found._replace(**reader(getattr(message, field))) if reader else found


def carried(request: Any, fields: Container[str]) -> bytes:
    """
    Fields of a request for a start that its started event is to have too, as `wire`.
    """
    given = [(field.name, value) for field, value in request.ListFields() if field.name in fields]
    if not given:
        return b""
    event: Any = wire.message("HistoryEvent")()
    for name, value in given:
        getattr(event.executionStarted, name).MergeFrom(value)
    return bytes(event.SerializeToString())


def execution(generation: int) -> str:
    """
    What the wire calls a generation: 32 digits, as of a UUID.
    """
    return f"{generation:032x}"


def stamp(timestamp: Any, time: int) -> None:
    """
    Write a time.
    """
    timestamp.seconds, timestamp.nanos = divmod(time, _SECOND)


def nanoseconds(timestamp: Any) -> int:
    """
    Read a time.
    """
    return int(timestamp.seconds) * _SECOND + int(timestamp.nanos)


def put(wrapper: Any, text: str | None) -> None:
    """
    Write a text that may be absent; what is no character becomes U+FFFD.
    """
    if text is None:
        return
    wrapper.SetInParent()
    try:
        wrapper.value = text
    except UnicodeEncodeError:
        wrapper.value = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text(message: Any, field: str) -> str | None:
    """
    Read a text that may be absent.
    """
    return getattr(message, field).value if message.HasField(field) else None


def put_failure(details: Any, failure: Failure) -> None:
    """
    Write a failure with those behind it.
    """
    details.errorType, details.errorMessage, details.isNonRetriable = failure.type, failure.message, failure.final
    if failure.stack:
        put(details.stackTrace, failure.stack)
    if failure.cause is not None:
        put_failure(details.innerFailure, failure.cause)


def failure(details: Any) -> Failure:
    """
    Read a failure with those behind it.
    """
    cause = failure(details.innerFailure) if details.HasField("innerFailure") else None
    stack = text(details, "stackTrace") or ""
    return Failure(details.errorType, details.errorMessage, stack, cause, details.isNonRetriable)


def _started(body: Body, event: Event, instance: str, generation: int, parent: Parent | None) -> None:
    body.name = event.name
    put(body.input, event.data)
    body.workflowInstance.instanceId = instance
    body.workflowInstance.executionId.value = execution(generation)
    if parent is not None:
        link = body.parentInstance
        link.taskScheduledId = parent.task
        link.name.value = parent.workflow
        link.workflowInstance.instanceId = parent.instance
        link.workflowInstance.executionId.value = execution(parent.generation)


def _ended(body: Body, event: Event, status: str) -> None:
    if status:
        body.workflowStatus = wire.enum("OrchestrationStatus").values_by_name[status].number
    put(body.result, event.data)
    if event.failure is not None:
        put_failure(body.failureDetails, event.failure)


def _nothing(body: Body, event: Event) -> None:
    """
    All there is to say stands in `wire`.
    """


def _named(field: str) -> Callable[[Body, Event], None]:
    def write(body: Body, event: Event) -> None:
        body.name = event.name
        put(getattr(body, field), event.data)

    return write


def _input(body: Body, event: Event) -> None:
    put(body.input, event.data)


def _terminated(body: Body, event: Event) -> None:
    put(body.input, event.data)
    body.recurse = not event.alone


def _completed(body: Body, event: Event) -> None:
    body.taskScheduledId = event.task
    put(body.result, event.data)


def _failed(body: Body, event: Event) -> None:
    body.taskScheduledId = event.task
    if event.failure is not None:
        put_failure(body.failureDetails, event.failure)


def _timer(body: Body, event: Event) -> None:
    stamp(body.fireAt, event.due)


def _fired(body: Body, event: Event) -> None:
    stamp(body.fireAt, event.due)
    body.timerId = event.task


def _child(body: Body, event: Event) -> None:
    body.instanceId = event.instance
    body.name = event.name
    put(body.input, event.data)


def _detached(body: Body, event: Event) -> None:
    body.instanceId = event.instance


def _sent(body: Body, event: Event) -> None:
    body.instanceId = event.instance
    body.name = event.name
    put(body.input, event.data)


WRITERS: Mapping[str, Callable[[Body, Event], None]] = {
    TURN: _nothing,
    STALLED: _nothing,
    PAUSE: _input,
    RESUME: _input,
    TERMINATE: _terminated,
    RAISE_EVENT: _named("input"),
    ACTIVITY_SCHEDULED: _named("input"),
    ACTIVITY_COMPLETED: _completed,
    ACTIVITY_FAILED: _failed,
    TIMER_CREATED: _timer,
    TIMER_FIRED: _fired,
    CHILD_CREATED: _child,
    CHILD_COMPLETED: _completed,
    CHILD_FAILED: _failed,
    DETACHED: _detached,
    SENT: _sent,
}

READERS: Mapping[str, Callable[[Body], dict[str, Any]]] = {
    STARTED: lambda body: {"name": body.name, "data": text(body, "input")},
    PAUSE: lambda body: {"data": text(body, "input")},
    RESUME: lambda body: {"data": text(body, "input")},
    TERMINATE: lambda body: {"data": text(body, "input"), "alone": not body.recurse},
    RAISE_EVENT: lambda body: {"name": body.name, "data": text(body, "input")},
    ACTIVITY_SCHEDULED: lambda body: {"name": body.name, "data": text(body, "input")},
    ACTIVITY_COMPLETED: lambda body: {"task": body.taskScheduledId, "data": text(body, "result")},
    ACTIVITY_FAILED: lambda body: {"task": body.taskScheduledId, "failure": failure(body.failureDetails)},
    TIMER_CREATED: lambda body: {"due": nanoseconds(body.fireAt)},
    TIMER_FIRED: lambda body: {"task": body.timerId, "due": nanoseconds(body.fireAt)},
    CHILD_CREATED: lambda body: {"name": body.name, "data": text(body, "input"), "instance": body.instanceId},
    CHILD_COMPLETED: lambda body: {"task": body.taskScheduledId, "data": text(body, "result")},
    CHILD_FAILED: lambda body: {"task": body.taskScheduledId, "failure": failure(body.failureDetails)},
    DETACHED: lambda body: {"instance": body.instanceId},
    SENT: lambda body: {"name": body.name, "data": text(body, "input"), "instance": body.instanceId},
}
