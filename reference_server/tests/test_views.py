"""
What a client sees.
"""

import pytest

from reference_server.instance import Failure, Instance
from reference_server.views import properties, timestamp, workflow


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (None, "0001-01-01T00:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1_768_253_473_974_667_500, "2026-01-12T21:31:13.974667500Z"),
        (1_768_253_473_500_000_000, "2026-01-12T21:31:13.500Z"),
        (1_768_253_473_000_250_000, "2026-01-12T21:31:13.000250Z"),
        (1_768_253_473_000_000_001, "2026-01-12T21:31:13.000000001Z"),
    ],
)
def test_a_time_has_no_more_digits_than_it_needs(nanoseconds: int | None, text: str) -> None:
    """
    0, 3, 6 or 9 digits of a second; no time is the zero time.
    """
    assert text == timestamp(nanoseconds)


def test_a_pending_instance_shows_neither_name_nor_input() -> None:
    """
    Until a turn is committed there is the ID, the status and the zero time.
    """
    pending = Instance("a", "W", "PENDING", 1, "1")

    assert workflow(pending, "PENDING", {}) == {
        "instanceID": "a",
        "createdAt": "0001-01-01T00:00:00Z",
        "lastUpdatedAt": "0001-01-01T00:00:00Z",
        "runtimeStatus": "PENDING",
    }


@pytest.mark.parametrize("as_output", [True, False])
def test_a_failure_is_output_too_where_the_profile_says_so(as_output: bool) -> None:  # noqa: FBT001 - a row
    """
    The feature alone decides.
    """
    failed = Instance("a", "W", "FAILED", 1, "", created=1, updated=1, failure=Failure("T", "m", "s"))

    shown = properties(failed, {"failure_as_output": as_output})

    assert shown.pop("dapr.workflow.output", None) == ("m" if as_output else None)
    assert shown == {
        "dapr.workflow.input": "",
        "dapr.workflow.failure.error_type": "T",
        "dapr.workflow.failure.error_message": "m",
        "dapr.workflow.failure.stack_trace": "s",
    }
