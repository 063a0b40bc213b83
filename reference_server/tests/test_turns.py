"""
Where a turn leads.
"""

import pytest

import spec
from reference_server.instance import DELIVERED, STARTED, Event
from reference_server.turns import Course, course

TABLE = spec.load().machine.table


@pytest.mark.parametrize(
    ("state", "events", "happening", "expected"),
    [
        ("PENDING", "started", "", Course("RUNNING", happened=False, cause="")),
        ("PENDING", "started", "complete", Course("COMPLETED", happened=True, cause="")),
        ("PENDING", "started pause", "", Course("SUSPENDED", happened=False, cause="pause")),
        ("PENDING", "started pause", "complete", Course("COMPLETED", happened=True, cause="")),
        ("RUNNING", "pause terminate", "fail", Course("FAILED", happened=True, cause="")),
        ("RUNNING", "terminate", "complete", Course("COMPLETED", happened=True, cause="")),
        ("RUNNING", "terminate", "continue_as_new", Course("TERMINATED", happened=False, cause="terminate")),
        ("RUNNING", "pause", "continue_as_new", Course("RUNNING", happened=True, cause="")),
        ("RUNNING", "pause terminate", "continue_as_new", Course("TERMINATED", happened=False, cause="terminate")),
        ("RUNNING", "pause resume", "complete", Course("COMPLETED", happened=True, cause="")),
        ("SUSPENDED", "terminate", "complete", Course("TERMINATED", happened=False, cause="terminate")),
        ("SUSPENDED", "raise_event", "complete", Course("SUSPENDED", happened=False, cause="")),
        ("RUNNING", "timer_fired", "", Course("RUNNING", happened=False, cause="")),
        ("RUNNING", "terminate resume pause", "", Course("TERMINATED", happened=False, cause="terminate")),
    ],
)
def test_a_happening_wins_a_race_if_the_table_says_so(
    state: str, events: str, happening: str, expected: Course
) -> None:
    """
    A turn leads where its cells lead; a happening wins over the operations that list it among their races.
    """
    kinds = [STARTED if kind == "started" else kind for kind in events.split()]

    assert expected == course(TABLE, state, [Event(kind, 0) for kind in kinds], happening)


def test_the_events_are_operations_of_the_table() -> None:
    """
    Each operation that reaches a workflow has its row in every state.
    """
    machine = spec.load().machine

    assert set(machine.operations) >= DELIVERED
