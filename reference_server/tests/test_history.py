"""
Events on the wire and back, and decisions likewise.
"""

from __future__ import annotations

from typing import Any

import pytest

from reference_server.decisions import BadResponse, answered, answered_activity, decision, result
from reference_server.history import FIELDS, execution, read, written
from reference_server.instance import (
    COMPLETE,
    CONTINUE_AS_NEW,
    ENDED,
    FAIL,
    RAISE_EVENT,
    STALLED,
    STARTED,
    TERMINATE,
    TURN,
    Activity,
    Cancel,
    Child,
    Decision,
    Ending,
    Event,
    Failure,
    Parent,
    Result,
    Schedule,
    Timer,
    Turn,
)
from spec import wire

FAILURE = Failure("T", "m", "at x", Failure("I", "inner", final=True), final=True)
EVENTS = [
    Event("started", 1_000_000_001, name="W", data=""),
    Event("pause", 5, data="why"),
    Event("resume", 6),
    Event("terminate", 7, data="0", alone=True),
    Event("raise_event", 8, name="go", data="1"),
    Event("activity_scheduled", 9, 3, "act", None),
    Event("activity_completed", 10, 3, data="2"),
    Event("activity_failed", 11, 3, failure=FAILURE),
    Event("timer_created", 12, 0, due=253_402_300_799_999_999_999),
    Event("timer_fired", 13, 0, due=14),
    Event("child_created", 15, 2, "C", "3", instance="a:0002"),
    Event("child_completed", 16, 2, data=None),
    Event("child_failed", 17, 2, failure=FAILURE),
    Event("detached", 18, 4, instance="d"),
    Event("sent", 19, 5, "go", "4", instance="b"),
]


def message(event: Event, **given: Any) -> Any:
    (found,) = written([event], "a", 7, given.get("parent"), given.get("status", ""))
    return wire.message("HistoryEvent").FromString(found.SerializeToString())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    """
    Every kind of event survives the wire, with absent and empty texts told apart.
    """
    assert read(message(event)) == event


def test_every_kind_has_a_place_on_the_wire() -> None:
    """
    Each kind is written under a name of its own, and all but those the engine alone knows come back.
    """
    assert len(set(FIELDS.values())) == len(FIELDS)
    assert {event.kind for event in EVENTS} == set(FIELDS) - {TURN, STALLED, ENDED}
    assert read(wire.message("HistoryEvent")()) is None


def test_a_start_says_whose_child_it_is() -> None:
    """
    The parent is named with its workflow, its generation and the number of the task.
    """
    started = message(Event(STARTED, 1, name="W"), parent=Parent("p", 3, 9, "P")).executionStarted

    assert started.workflowInstance.executionId.value == execution(7)
    parent = started.parentInstance
    assert (parent.taskScheduledId, parent.name.value, parent.workflowInstance.instanceId) == (9, "P", "p")
    assert parent.workflowInstance.executionId.value == execution(3)


def test_an_end_says_how() -> None:
    """
    The last event carries the status, the output and the failure.
    """
    ended = message(Event(ENDED, 1, data="1", failure=FAILURE), status="ORCHESTRATION_STATUS_FAILED").executionCompleted

    assert (ended.workflowStatus, ended.result.value) == (3, "1")
    assert ended.failureDetails.innerFailure.isNonRetriable


def test_what_is_no_character_is_replaced() -> None:
    """
    Half a surrogate pair cannot be sent; U+FFFD is sent in its place.
    """
    assert message(Event(RAISE_EVENT, 1, name="x", data="a\ud800b")).eventRaised.input.value == "a\ufffdb"


def turn(*history: Event, events: tuple[Event, ...] = ()) -> Turn:
    return Turn("a", history, events or (Event(STARTED, 1, name="W"),), 2)


@pytest.mark.parametrize(
    "made",
    [
        Decision((Schedule(1, "act", "1"), Timer(2, 3), Child(3, "C", "k", None)), "status"),
        Decision(ending=Ending(COMPLETE, "1")),
        Decision(ending=Ending(FAIL, failure=FAILURE)),
        Decision(ending=Ending(CONTINUE_AS_NEW, input="2", kept=(Event(RAISE_EVENT, 4, name="x"),))),
    ],
)
def test_a_decision_comes_back_as_it_was(made: Decision) -> None:
    """
    What the built-in executor decides is the same after the wire, but for what only the wire knows.
    """
    response = wire.message("WorkflowResponse")()
    answered(made, response)

    back = decision(wire.message("WorkflowResponse").FromString(response.SerializeToString()), turn())

    assert (back.status, back.ending) == (made.status, made.ending)
    assert [action._replace(wire=b"") for action in back.actions] == list(made.actions)


def test_a_cancelled_timer_is_not_told() -> None:
    """
    Nothing on the wire cancels a timer.
    """
    response: Any = wire.message("WorkflowResponse")()
    answered(Decision((Cancel(1),)), response)

    assert not response.actions


@pytest.mark.parametrize("made", [Result("1"), Result(None), Result(failure=FAILURE)])
def test_a_result_comes_back_as_it_was(made: Result) -> None:
    """
    So does what an activity came to.
    """
    response = wire.message("ActivityResponse")()
    answered_activity(made, response)

    assert result(response, Activity("a", 1, 1, "act", None))._replace(wire=b"") == made


def test_a_terminated_end_is_left_to_the_terminate() -> None:
    """
    A worker that ends as terminated because it was told to says nothing new.
    """
    done: Any = {"id": 1, "completeWorkflow": {"workflowStatus": 5, "result": {"value": "0"}}}
    response = wire.message("WorkflowResponse")(actions=[done])

    told = decision(response, turn(events=(Event(TERMINATE, 1),)))
    alone = decision(response, turn())

    assert (told.ending, alone.ending) == (None, Ending(TERMINATE, "0"))


@pytest.mark.parametrize(
    "action", [{}, {"completeWorkflow": {"workflowStatus": 77}}, {"createDetachedWorkflow": {"name": "D"}}]
)
def test_what_is_no_decision_is_refused(action: Any) -> None:
    """
    An action of no known type, an outcome that is none, a detached workflow without an ID.
    """
    with pytest.raises(BadResponse):
        decision(wire.message("WorkflowResponse")(actions=[{"id": 1, **action}]), turn())


@pytest.mark.parametrize(
    ("before", "now", "stalls", "kept"),
    [
        ([], [b"p"], False, [b"p"]),
        ([b"p"], [b"p"], False, []),
        ([b"p"], [b"p", b"q"], False, [b"q"]),
        ([b"p"], [], True, []),
        ([b"p", b"q"], [b"q", b"p"], True, []),
        ([], [b"\n\x10\xff"], False, []),
        ([b"p"], [b"\n\x01x"], True, []),
    ],
)
def test_patches_of_the_past_must_come_first(before: Any, now: Any, stalls: bool, kept: Any) -> None:  # noqa: FBT001 - a row
    """
    A worker may add patches, and not leave out or reorder; only new ones are noted. What is no text is no patch.
    """
    event: Any = wire.message("HistoryEvent")(workflowStarted={"version": {"patches": before}})
    past = Event(TURN, 1, wire=event.SerializeToString() if before else b"")

    made = decision(wire.message("WorkflowResponse")(version={"patches": now}), turn(past))

    noted: Any = wire.message("HistoryEvent").FromString(made.wire)
    assert (made.ending is not None, list(noted.workflowStarted.version.patches)) == (stalls, kept)
