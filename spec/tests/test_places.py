from __future__ import annotations

from typing import Any

import pytest

from spec import wire
from spec.places import reader, writer

STATE = "GetInstanceResponse"
START = "dapr.proto.runtime.v1.StartWorkflowRequest"
TIME = "2026-01-12T21:31:13.500Z"
ZERO_TIME = -62_135_596_800_000_000_000

each_place = pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        (START, "instance_id", "a"),
        (START, "options[dapr.workflow.start_time]", TIME),
        (START, "app_id", ""),
        (STATE, "exists", True),
        (STATE, "workflowState.input.value", "1"),
        (STATE, "workflowState.input.value", ""),
        (STATE, "workflowState.workflowStatus", "ORCHESTRATION_STATUS_STALLED"),
        (STATE, "workflowState.workflowStatus", "ORCHESTRATION_STATUS_RUNNING"),
        (STATE, "workflowState.createdTimestamp", TIME),
        (STATE, "workflowState.failureDetails.stackTrace.value", "x"),
        ("ListInstanceIDsResponse", "instanceIds", ["a", "b"]),
        ("ListInstanceIDsRequest", "pageSize", 0),
    ],
)


@each_place
def test_what_was_written_is_read(name: str, place: str, value: Any) -> None:
    """
    A value comes back from the bytes of a message as it went in.
    """
    message = wire.message(name)
    written = message()
    writer(message.DESCRIPTOR, place)(written, value)

    assert reader(message.DESCRIPTOR, place)(message.FromString(written.SerializeToString())) == value


@each_place
def test_none_writes_nothing(name: str, place: str, value: Any) -> None:  # noqa: ARG001 - the places are shared
    """
    What is None leaves the message empty.
    """
    message = wire.message(name)()
    writer(message.DESCRIPTOR, place)(message, None)

    assert message.SerializeToString() == b""


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (START, "instance_id"),
        (START, "input"),
        (START, "app_id"),
        (START, "options[dapr.workflow.start_time]"),
        (STATE, "workflowState.input.value"),
        (STATE, "workflowState.workflowStatus"),
        ("CreateInstanceRequest", "scheduledStartTimestamp"),
    ],
)
def test_an_empty_message_says_nothing(name: str, place: str) -> None:
    """
    A field that is not there is None, and so is everything in a message that is not there.
    """
    message = wire.message(name)

    assert reader(message.DESCRIPTOR, place)(message()) is None


def test_empty_and_absent_are_told_apart_where_the_wire_does() -> None:
    """
    A wrapper with an empty string is a value; a first status is one too, once its message is there.
    """
    message = wire.message(STATE)
    answer = message(workflowState={"input": {}})

    assert reader(message.DESCRIPTOR, "workflowState.input.value")(answer) == ""
    assert reader(message.DESCRIPTOR, "workflowState.workflowStatus")(answer) == "ORCHESTRATION_STATUS_RUNNING"
    assert reader(message.DESCRIPTOR, "exists")(answer) is False


def test_a_number_that_is_no_value_is_shown_as_it_is() -> None:
    """
    An enumeration that is newer than ours does no harm.
    """
    message = wire.message(STATE)
    answer = message.FromString(bytes.fromhex("1202" "2063"))  # fmt: skip

    assert reader(message.DESCRIPTOR, "workflowState.workflowStatus")(answer) == "99"


def test_times_and_bytes_take_what_is_at_hand() -> None:
    """
    Nanoseconds make a timestamp, also before the epoch; text makes bytes.
    """
    state = wire.message("WorkflowState")()
    writer(state.DESCRIPTOR, "createdTimestamp")(state, ZERO_TIME)
    writer(state.DESCRIPTOR, "lastUpdatedTimestamp")(state, 1_500_000_001)
    start = wire.message(START)()
    writer(start.DESCRIPTOR, "input")(start, "ü")

    assert reader(state.DESCRIPTOR, "createdTimestamp")(state) == "0001-01-01T00:00:00Z"
    assert reader(state.DESCRIPTOR, "lastUpdatedTimestamp")(state) == "1970-01-01T00:00:01.500000001Z"
    assert reader(start.DESCRIPTOR, "input")(start) == "ü".encode()
