"""
Walks of parents with a child and of workflows with timers, and of operations that come together.
"""

from __future__ import annotations

import random

import pytest

import spec
from conformance.walk.choose import Atlas, Chooser
from conformance.walk.guess import Guess
from conformance.walk.linear import outcomes
from conformance.walk.model import Model
from conformance.walk.moves import CHILD, Move, Op, book
from conformance.walk.oracle import Finding
from conformance.walk.reduce import ways
from conformance.walk.tell import scenario
from conformance.walk.walker import Violation

HELD = spec.load()
PARENT, GO = Op("start", recipe="child"), Op("raise_event", event="go")
OF_CHILD = Op("raise_event", event="go", whom=CHILD)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(HELD, book(HELD))


def ends(model: Model, *ops: Op) -> set[tuple[str, str]]:
    """
    Where parent and child settle after some operations, each effect awaited.
    """
    guesses = model.unknown
    for op in ops:
        guesses = frozenset(
            after
            for guess in model.settled(guesses)
            if model.accepts(model.cell(model.part(guess, op), op.operation).acts)
            for after in model.asked(guess, op)
        )
    return {(one.state, one.child.state if one.child else "") for one in model.settled(guesses)}


@pytest.mark.parametrize(
    ("ops", "wanted"),
    [
        ([PARENT], ("RUNNING", "RUNNING")),
        ([PARENT, GO], ("RUNNING", "RUNNING")),
        ([PARENT, OF_CHILD], ("COMPLETED", "COMPLETED")),
        ([PARENT, Op("terminate", whom=CHILD)], ("FAILED", "TERMINATED")),
        ([PARENT, Op("pause")], ("SUSPENDED", "RUNNING")),
        ([PARENT, Op("pause"), OF_CHILD], ("SUSPENDED", "COMPLETED")),
        ([PARENT, Op("pause"), OF_CHILD, Op("resume")], ("COMPLETED", "COMPLETED")),
        ([PARENT, Op("terminate")], ("TERMINATED", "TERMINATED")),
        ([PARENT, Op("terminate"), Op("purge")], ("ABSENT", "ABSENT")),
        ([Op("start", recipe="child_returns")], ("COMPLETED", "COMPLETED")),
        ([Op("start", recipe="child_fails")], ("FAILED", "FAILED")),
        ([Op("start", recipe="timer")], ("COMPLETED", "")),
        ([Op("start", recipe="far_timer")], ("RUNNING", "")),
    ],
)
def test_parents_children_and_timers_settle(model: Model, ops: list[Op], wanted: tuple[str, str]) -> None:
    """
    A child's end reaches its parent, a parent's end reaches its child, a pause does not; a timer ends by itself.
    """
    assert ends(model, *ops) == {wanted}


def test_a_condition_holds_while_a_child_is_active(model: Model) -> None:
    """
    Where an ended parent's child runs again, the cell of the parent is the one of that condition.
    """
    again = Op("start", recipe="complete", whom=CHILD)
    guesses = model.unknown
    for op in (Op("start", recipe="child_returns"), again):
        guesses = frozenset(after for guess in model.settled(guesses) for after in model.asked(guess, op))
    (now,) = model.settled(guesses)

    assert (now.state, now.child and now.child.state) == ("COMPLETED", "RUNNING")
    assert model.cell(now, "purge").reply == "purge.child_active"
    assert {one.state for one in model.refused(now, Op("purge"))} == {"COMPLETED", "ABSENT"}


def test_mail_may_be_late(model: Model) -> None:
    """
    A child that was ended through its parent may be seen running for a while; its parent may not.
    """
    (before,) = model.settled(frozenset(model.asked(Guess("ABSENT"), PARENT)))
    after = model.closure(frozenset(model.asked(before, Op("terminate"))))

    assert ("TERMINATED", "RUNNING") in {(one.state, one.child.state) for one in after if one.child}
    assert ("RUNNING", "TERMINATED") not in {(one.state, one.child.state) for one in after if one.child}


def test_short_walks_come_to_every_condition(model: Model) -> None:
    """
    Within 1000 moves each cell that hangs on a child is tried.
    """
    chooser = Chooser(model, random.Random(5))
    list(chooser.moves(1000))
    tried = {(state, op.operation) for state, coming, op in chooser.tried if coming == "condition"}

    assert tried == {
        (state, name) for state, row in HELD.machine.table.items() for name, cell in row.items() if cell.when
    }


def test_a_silent_condition_is_not_walked() -> None:
    """
    Where a profile says nothing of an operation while a child is active, a walk does not ask for it.
    """
    held = spec.load("documented")
    chooser = Chooser(Model(held, book(held)), random.Random(5))
    list(chooser.moves(600))

    assert not [op for _, coming, op in chooser.tried if coming == "condition"]


def test_a_finding_is_reached_on_the_shortest_way(model: Model) -> None:
    """
    What a long walk found is tried first on the shortest way to its last operation.
    """

    class Judge:
        def __init__(self) -> None:
            self.model = model

    acts = [Op("start", recipe="fail"), Op("pause"), Op("resume"), Op("pause"), Op("purge"), Op("pause")]
    moves = tuple(move for op in acts for move in (Move("act", "i", op), Move("settle", "i")))
    found = Violation(Finding("WF-PAUSE-006", "settles", "", [], None, ("SUSPENDED",)), moves)
    first = next(ways(Judge(), found))  # type: ignore[arg-type]

    assert [move.op.operation for move in first if move.kind == "act"] == ["start", "pause", "pause"]


def test_a_child_is_told_by_its_own_name(model: Model) -> None:
    """
    In a scenario a child has an instance of its own, and a refusal under a condition names the rule of that cell.
    """
    acts = [Op("start", recipe="child_returns"), Op("start", recipe="complete", whom=CHILD), Op("purge")]
    moves = [move for op in acts for move in (Move("act", "i", op), Move("settle", "i"))][:-1]
    text = scenario(Violation(Finding("WF-CHILD-007", "outcome", "why", "", "", ("COMPLETED",)), tuple(moves)), model)

    assert 'instances: {child: "{u}-child"}' in text
    assert 'call_child: {id: "${child}"' in text
    assert "expect: {refused: WF-CHILD-007}" in text
    assert text.count("\n  - ") <= 6


def test_the_outcomes_of_simultaneous_operations(model: Model) -> None:
    """
    Of two starts one is accepted; a pause and a resume leave either state.
    """
    start = Op("start", recipe="complete")
    (running,) = model.settled(frozenset(model.asked(Guess("ABSENT"), start)))

    assert outcomes(model, Guess("ABSENT"), [start, start]) == ({1}, {"RUNNING"})
    assert outcomes(model, running, [Op("pause"), Op("resume")]) == ({2}, {"RUNNING", "SUSPENDED"})


def test_a_state_that_passes_is_on_the_map(model: Model) -> None:
    """
    Right after a start nothing is awaited: the operations of that state are drawn, too.
    """
    atlas = Atlas(model)
    begun = atlas.after(Guess("ABSENT"), Op("start", recipe="complete"))

    assert {before.state for before, leg in atlas.legs(begun) if not leg.waits} == {"PENDING"}
    assert {before.state for before, leg in atlas.legs(begun) if leg.waits} == {"RUNNING"}
