"""
What a worker makes of a turn or an activity, as the wire has it, and back.

Rule 1: nothing is guessed: an action or an outcome that is none raises BadResponse.
Rule 2: what an action says that the engine does not know of goes along as `wire` of the event it leads to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spec import wire

from .history import failure, nanoseconds, put, put_failure, read, stamp, text, written
from .instance import (
    COMPLETE,
    CONTINUE_AS_NEW,
    FAIL,
    RAISE_EVENT,
    STALL,
    START,
    TERMINATE,
    TURN,
    Call,
    Child,
    Decision,
    Detached,
    Ending,
    Failure,
    Result,
    Schedule,
    Send,
    Timer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .instance import Action, Activity, Event, Turn

STATUS = "ORCHESTRATION_STATUS_"
HAPPENINGS: Mapping[str, str] = {
    f"{STATUS}COMPLETED": COMPLETE,
    f"{STATUS}FAILED": FAIL,
    f"{STATUS}TERMINATED": TERMINATE,
    f"{STATUS}CONTINUED_AS_NEW": CONTINUE_AS_NEW,
}
"""How a worker calls the happening that a turn ends with."""

STATUSES = {happening: status for status, happening in HAPPENINGS.items()}
ORIGINS = ("createTimer", "externalEvent", "activityRetry", "childWorkflowRetry")
"""What a timer is for."""


class BadResponse(Exception):  # noqa: N818 - says what is the matter
    """
    What a worker answered cannot be carried out; the text says why.
    """


def decision(response: Any, turn: Turn) -> Decision:
    """
    A WorkflowResponse as a decision on a turn.

    Raises BadResponse.
    """
    actions: list[Action] = []
    ending: Ending | None = None
    for action in response.actions:
        field = action.WhichOneof("workflowActionType") or ""
        if field == "completeWorkflow":
            ending = ending or _ending(action.completeWorkflow, turn)
        elif field == "workflowVersionNotAvailable":
            return Decision(ending=_stalling("VERSION_NOT_AVAILABLE", f"Version not available: {_version_name(turn)}"))
        elif field in ACTIONS:
            actions.append(ACTIONS[field](action.id, getattr(action, field), action))
        else:
            raise BadResponse(f"an action of an unknown type, with ID {action.id}")
    patches, name = _version(response.version)
    before = [patch for version in _versions(turn) for patch in version[0]]
    if patches[: len(before)] != before:
        said = f"Patch mismatch. History patches: [{', '.join(before)}], current patches: [{', '.join(patches)}]."
        return Decision(ending=_stalling("PATCH_MISMATCH", said))
    status = text(response, "customStatus") or ""
    return Decision(tuple(actions), status, ending, _versioned(patches[len(before) :], name))


def result(response: Any, activity: Activity) -> Result:
    """
    An ActivityResponse as a result.
    """
    failed = failure(response.failureDetails) if response.HasField("failureDetails") else None
    event = _event()
    task = _event(activity.wire).taskScheduled.taskExecutionId
    if task:
        (event.taskFailed if failed else event.taskCompleted).taskExecutionId = task
    data = None if failed else text(response, "result")
    return Result(data, failed, event.SerializeToString())


def answered(decision: Decision, response: Any) -> None:
    """
    Write a decision into a WorkflowResponse. A timer that is cancelled stays: nothing on the wire says so.
    """
    put(response.customStatus, decision.status or None)
    for action in decision.actions:
        if isinstance(action, Schedule):
            made = response.actions.add(id=action.task)
            made.scheduleTask.name = action.name
            put(made.scheduleTask.input, action.data)
        elif isinstance(action, Timer):
            made = response.actions.add(id=action.task)
            stamp(made.createTimer.fireAt, action.due)
        elif isinstance(action, Child):
            made = response.actions.add(id=action.task).createChildWorkflow
            made.name, made.instanceId = action.workflow, action.instance
            put(made.input, action.data)
    if decision.ending is not None:
        _answer_ending(decision.ending, response)


def answered_activity(result: Result, response: Any) -> None:
    """
    Write a result into an ActivityResponse.
    """
    put(response.result, result.data)
    if result.failure is not None:
        put_failure(response.failureDetails, result.failure)


def _answer_ending(ending: Ending, response: Any) -> None:
    number = max([action.id for action in response.actions], default=0) + 1
    made = response.actions.add(id=number).completeWorkflow
    made.workflowStatus = _statuses()[STATUSES[ending.happening]].number
    put(made.result, ending.input if ending.happening == CONTINUE_AS_NEW else ending.output)
    if ending.failure is not None:
        put_failure(made.failureDetails, ending.failure)
    made.carryoverEvents.extend(written(ending.kept, "", 0, None))


def _ending(made: Any, turn: Turn) -> Ending | None:
    statuses = wire.enum("OrchestrationStatus").values_by_number
    happening = HAPPENINGS.get(statuses[made.workflowStatus].name if made.workflowStatus in statuses else "")
    if happening is None:
        raise BadResponse(f"a workflow cannot end with status {made.workflowStatus}")
    if happening == TERMINATE and any(event.kind == TERMINATE for event in turn.events):
        return None  # the event itself ends it
    output = text(made, "result")
    if happening == CONTINUE_AS_NEW:
        return Ending(happening, input=output, kept=_kept(made.carryoverEvents))
    failed = failure(made.failureDetails) if made.HasField("failureDetails") else None
    if happening == FAIL and failed is None:
        failed = Failure("", output or "")
    return Ending(happening, output, failed)


def _kept(events: Iterable[Any]) -> tuple[Event, ...]:
    return tuple([event for message in events if (event := read(message)) is not None])


def _schedule(task: int, made: Any, action: Any) -> Action:
    event = _routed(action)
    scheduled = event.taskScheduled
    scheduled.taskExecutionId = made.taskExecutionId
    _copy(made, scheduled, "version", "historyPropagationScope")
    return Schedule(task, made.name, text(made, "input"), event.SerializeToString())


def _timer(task: int, made: Any, action: Any) -> Action:
    event = _routed(action)
    event.timerCreated.SetInParent()
    _copy(made, event.timerCreated, "name", *ORIGINS)
    return Timer(task, nanoseconds(made.fireAt), event.SerializeToString())


def _child(task: int, made: Any, action: Any) -> Action:
    event = _routed(action)
    event.childWorkflowInstanceCreated.SetInParent()
    _copy(made, event.childWorkflowInstanceCreated, "version", "historyPropagationScope", "retryParentInstanceInfo")
    return Child(task, made.name, made.instanceId, text(made, "input"), event.SerializeToString())


def _detached(task: int, made: Any, action: Any) -> Action:
    if not made.instanceId:
        raise BadResponse("a detached workflow needs an instance ID")
    event = _event()
    event.executionStarted.SetInParent()
    _copy(made, event.executionStarted, "version", "scheduledStartTimestamp", "parentTraceContext")
    event.executionStarted.tags.update(made.tags)
    at = nanoseconds(made.scheduledStartTimestamp)
    start = Call(START, made.instanceId, made.name, data=text(made, "input"), at=at, wire=event.SerializeToString())
    return Detached(task, start, _routed(action).SerializeToString())


def _send(task: int, made: Any, _action: Any) -> Action:
    return Send(task, Call(RAISE_EVENT, made.instance.instanceId, event=made.name, data=text(made, "data")))


def _terminate(task: int, made: Any, _action: Any) -> Action:
    return Send(task, Call(TERMINATE, made.instanceId, data=text(made, "reason"), alone=not made.recurse))


ACTIONS: Mapping[str, Callable[[int, Any, Any], Action]] = {
    "scheduleTask": _schedule,
    "createTimer": _timer,
    "createChildWorkflow": _child,
    "createDetachedWorkflow": _detached,
    "sendEvent": _send,
    "terminateWorkflow": _terminate,
}


def _copy(source: Any, target: Any, *fields: str) -> None:
    """
    Copy the fields that are there and have the same type on both sides.
    """
    for field in fields:
        if source.HasField(field):
            value = getattr(source, field)
            if hasattr(value, "SetInParent"):
                getattr(target, field).SetInParent()
                getattr(target, field).CopyFrom(value)
            else:
                setattr(target, field, value)


def _stalling(reason: str, description: str) -> Ending:
    event = _event()
    number = wire.enum("StalledReason").values_by_name[reason].number
    event.executionStalled.reason, event.executionStalled.description = number, description
    return Ending(STALL, wire=event.SerializeToString())


def _version(version: Any) -> tuple[list[str], str]:
    """
    The patches and the name of a version. Microsoft's workers send something else under its number: no text.
    """
    try:
        patches, name = [patch.decode() for patch in version.patches], version.name.decode()
    except UnicodeDecodeError:
        return [], ""
    fine = name.isprintable() and all(patch and patch.isprintable() for patch in patches)
    return (patches, name) if fine else ([], "")


def _versioned(patches: list[str], name: str) -> bytes:
    if not patches and not name:
        return b""
    event = _event()
    event.workflowStarted.version.patches.extend(patch.encode() for patch in patches)
    if name:
        event.workflowStarted.version.name = name.encode()
    return bytes(event.SerializeToString())


def _version_name(turn: Turn) -> str:
    return next((name for _, name in _versions(turn) if name), "")


def _versions(turn: Turn) -> list[tuple[list[str], str]]:
    told = [event.wire for event in turn.history if event.wire and event.kind == TURN]
    return [_version(_event(content).workflowStarted.version) for content in told]


def _routed(action: Any) -> Any:
    event = _event()
    if action.HasField("router"):
        event.router.CopyFrom(action.router)
    return event


def _event(content: bytes = b"") -> Any:
    return wire.message("HistoryEvent").FromString(content)


def _statuses() -> Mapping[str, Any]:
    return wire.enum("OrchestrationStatus").values_by_name
