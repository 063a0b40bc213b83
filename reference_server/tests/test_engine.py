"""
The engine against the table.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import spec
from reference_server.engine import Engine
from reference_server.instance import (
    COMPLETE,
    CONTINUE_AS_NEW,
    DELIVERED,
    Activity,
    Call,
    Decision,
    Ending,
    Event,
    Instance,
    Result,
    Schedule,
    Turn,
)
from reference_server.life import TIGHT_LOOP_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

LOADED = spec.load()
MACHINE = LOADED.machine
WAIT: tuple[Any, ...] = ({"wait_event": "go"},)
WAYS: dict[str, tuple[tuple[Any, ...], str]] = {
    "RUNNING": (WAIT, ""),
    "SUSPENDED": (WAIT, "pause"),
    "COMPLETED": ((), ""),
    "FAILED": (({"fail": "no"},), ""),
    "TERMINATED": (WAIT, "terminate"),
    "STALLED": (WAIT, ""),
    "PENDING": (WAIT, ""),
}


def reach(make_world: Callable[..., Any], state: str) -> Any:
    world = make_world(hold=state if state in ("PENDING", "STALLED") else "")
    if state == "ABSENT":
        return world
    instructions, operation = WAYS[state]
    world.run("a", *instructions)
    if operation:
        world.call(operation, "a")
        world.settle()
    assert state == world.state("a")
    return world


CELLS = [(state, operation) for state in MACHINE.states for operation in MACHINE.operations]


@pytest.mark.parametrize(("state", "operation"), CELLS)
def test_every_cell_answers_and_settles_as_the_table_says(
    make_world: Callable[..., Any], state: str, operation: str
) -> None:
    """
    In every state every operation gets its row, and leads where its cell leads.
    """
    world = reach(make_world, state)
    cell = MACHINE.cell(state, operation)

    answer = world.call(operation, "a", workflow="ConformanceScript", data='{"do":[{"wait_event":"go"}]}', event="x")
    at_once = world.state("a")
    world.settle()

    assert answer.reply == cell.acts
    after = cell.settles[0]
    if operation == "start" and answer.outcome == "accepted":
        assert at_once == after
        after = MACHINE.cell(after, "begin").settles[0]
    assert after == world.state("a")


@pytest.mark.parametrize(("state", "operation"), CELLS)
def test_a_refused_operation_changes_nothing(make_world: Callable[..., Any], state: str, operation: str) -> None:
    """
    After a refusal the instance is the very same value, and nothing is due.
    """
    world = reach(make_world, state)
    before, due = world.engine.instance("a"), world.engine.next_due()

    answer = world.call(operation, "a", workflow="ConformanceScript", data="{}")

    if answer.outcome == "refused":
        assert before == world.engine.instance("a")
        assert due == world.engine.next_due()


@pytest.mark.parametrize(
    ("state", "operation", "target"),
    [
        (state, operation, target)
        for state, operation in CELLS
        for target in MACHINE.states
        if target not in (cell := MACHINE.cell(state, operation)).settles and not cell.when
    ],
)
def test_a_table_with_another_cell_shows(
    make_world: Callable[..., Any], state: str, operation: str, target: str
) -> None:
    """
    Whatever a cell is changed to, the server follows it to another state.
    """
    cell = MACHINE.cell(state, operation)
    world = reach(make_world, state)
    row = {**MACHINE.table[state], operation: replace(cell, settles=(target,))}
    world.engine._machine = replace(MACHINE, table={**MACHINE.table, state: row})

    world.call(operation, "a", workflow="ConformanceScript", data='{"do":[{"wait_event":"go"}]}')
    world.settle()

    after = world.engine.instance("a")
    replaced = operation == "start" and after is not None and after.generation > 1
    assert replaced or world.state("a") not in cell.settles


@pytest.mark.parametrize("seed", range(60))
def test_a_walk_never_leaves_the_table(make_world: Callable[..., Any], seed: int) -> None:
    """
    Whatever is asked in whatever order, each answer is the row of the state, and each settling one of its cell.
    """
    chance = random.Random(seed)
    world = make_world(settle=chance.choice([0, 0, 5]))
    names = ["a", "b", "a:0001"]
    scripts: list[tuple[Any, ...]] = [
        WAIT,
        (),
        ({"fail": "x"},),
        ({"sleep": 3}, *WAIT),
        ({"call_child": {"do": [*WAIT]}},),
        (*WAIT, {"continue_as_new": {"do": [*WAIT]}, "keep_events": True}),
        ({"wait_event": "go", "timeout": 2}, {"call_activity": 1}),
    ]
    for _ in range(150):
        name, operation = chance.choice(names), chance.choice([*MACHINE.offered("http"), "start", "time"])
        state = world.state(name)
        if operation == "time":
            world.settle(chance.choice([0, 0.004, 1, 4]))
            continue
        data = spec_input(chance.choice(scripts)) if operation == "start" else "1"
        answer = world.call(operation, name, workflow="ConformanceScript", event="go", data=data)
        cell = MACHINE.cell(state, operation)
        rows = {cell.acts, *(inner.acts for inner in cell.when.values())}
        assert answer.reply in rows
        if chance.random() < 0.5:
            before = world.engine.instance(name)
            world.settle(1)
            after = world.engine.instance(name)
            if before and after and before.parent != after.parent:
                continue  # a parent has started its child anew under this ID
            cells = [cell, *cell.when.values()]
            won = {t for race in cell.races for row in MACHINE.table.values() for t in row[race].settles}
            assert world.state(name) in grown(won | {target for inner in cells for target in inner.settles})
    world.settle(100)
    for name in names:
        instance = world.engine.instance(name)
        if instance is not None and MACHINE.states[instance.state].terminal:
            assert instance.inbox == ()


def spec_input(instructions: tuple[Any, ...]) -> str:
    import json  # noqa: PLC0415 - a helper of one test

    return json.dumps({"do": list(instructions)})


def grown(states: set[str]) -> set[str]:
    """
    The states and whatever may come after them by itself; what came before is still to be processed.
    """
    found = set(states)
    while True:
        more = {
            target
            for state in found
            for name in (*MACHINE.happenings, *DELIVERED)
            for target in MACHINE.table[state][name].settles
        }
        if more <= found:
            return found
        found |= more


def test_a_fresh_instance_is_pending_until_its_turn_is_committed(world: Any) -> None:
    """
    Times and name come with the first turn, createdAt is when it was started.
    """
    world.start("a", *WAIT)
    created = world.clock.now()
    pending = world.instance("a")
    world.clock.advance(7)
    world.settle()

    assert (pending.state, pending.created, pending.updated) == ("PENDING", None, None)
    assert (world.instance("a").created, world.instance("a").updated) == (created, created)


def test_an_effect_settles_after_the_delay(make_world: Callable[..., Any]) -> None:
    """
    With settle a call is answered at once and has its effect later.
    """
    world = make_world(settle=500)
    world.start("a", *WAIT)
    world.settle(0.499)
    early = world.state("a")
    world.settle(0.001)
    world.call("pause", "a")
    world.settle(0.4)
    before = world.state("a")
    world.settle(0.1)

    assert (early, before, world.state("a")) == ("PENDING", "RUNNING", "SUSPENDED")


def bare() -> Engine:
    return Engine(MACHINE, LOADED.replies)


def taken(engine: Engine, now: int) -> Turn:
    (turn,) = engine.take(now)
    assert isinstance(turn, Turn)
    return turn


def test_while_a_turn_is_out_no_second_one_is_handed_out() -> None:
    """
    What arrives meanwhile waits in the inbox and makes the next turn.
    """
    engine = bare()
    engine.handle(Call("start", "a", "W"), 1)
    turn = taken(engine, 1)
    engine.handle(Call("raise_event", "a", event="x"), 2)
    idle = engine.take(5)
    engine.complete_turn(turn, Decision(), 6)
    following = taken(engine, 6)

    assert idle == []
    assert [event.kind for event in following.events] == ["raise_event"]


def test_a_turn_that_comes_back_twice_or_too_late_is_dropped() -> None:
    """
    After a purge or a new start a late decision finds nothing.
    """
    engine = bare()
    engine.handle(Call("start", "a", "W"), 1)
    turn = taken(engine, 1)
    engine.complete_turn(turn, Decision(ending=Ending(COMPLETE, output="1")), 2)
    engine.complete_turn(turn, Decision(ending=Ending(COMPLETE, output="2")), 2)
    first = engine.instance("a")
    engine.handle(Call("start", "a", "W"), 3)
    engine.complete_turn(turn, Decision(ending=Ending(COMPLETE, output="3")), 4)
    fresh = engine.instance("a")

    assert first is not None
    assert fresh is not None
    assert (first.output, fresh.output, fresh.state) == ("1", None, "PENDING")


def test_a_result_of_a_purged_run_does_not_reach_the_next() -> None:
    """
    Activities in flight are those of one generation.
    """
    engine = bare()
    engine.handle(Call("start", "a", "W"), 1)
    engine.complete_turn(taken(engine, 1), Decision((Schedule(1, "A", "x"),)), 1)
    (activity,) = engine.take(1)
    assert isinstance(activity, Activity)
    engine.handle(Call("terminate", "a"), 2)
    engine.complete_turn(taken(engine, 2), Decision(), 2)
    engine.handle(Call("start", "a", "W"), 3)
    engine.complete_activity(activity, Result("late"), 4)

    instance = engine.instance("a")
    assert instance is not None
    assert [event.kind for event in instance.inbox] == ["started"]


def test_an_activity_that_was_dropped_is_not_handed_out() -> None:
    """
    Ending takes scheduled activities along.
    """
    engine = bare()
    engine.handle(Call("start", "a", "W"), 1)
    turn = taken(engine, 1)
    engine.handle(Call("terminate", "a"), 1)
    engine.complete_turn(turn, Decision((Schedule(1, "A", "x"),)), 1)
    work = engine.take(1, limit=1)
    engine.complete_turn(taken(engine, 1), Decision(), 1)

    assert isinstance(work[0], Activity)
    assert (engine.take(2), engine.next_due(), engine._open) == ([], None, {})


def test_completion_wins_over_a_pause_in_the_same_turn() -> None:
    """
    And nothing is kept of the pause.
    """
    engine = bare()
    engine.handle(Call("start", "a", "W"), 1)
    engine.handle(Call("pause", "a"), 2)
    turn = taken(engine, 3)
    engine.complete_turn(turn, Decision(ending=Ending(COMPLETE, output="1")), 3)

    instance = engine.instance("a")
    assert instance is not None
    assert (instance.state, instance.output, instance.inbox) == ("COMPLETED", "1", ())


def test_terminate_is_carried_out_whatever_the_worker_decides() -> None:
    """
    A worker that overlooks a terminate does not keep its workflow alive.
    """
    engine = bare()
    engine.handle(Call("start", "a", "W"), 1)
    engine.handle(Call("terminate", "a"), 2)
    engine.complete_turn(taken(engine, 3), Decision(ending=Ending(CONTINUE_AS_NEW, input="1")), 3)

    instance = engine.instance("a")
    assert instance is not None
    assert (instance.state, instance.output, instance.failure) == ("TERMINATED", None, None)


def test_an_ended_instance_stays_the_very_same_value(world: Any) -> None:
    """
    pause, resume, raise_event and terminate of an ended instance store nothing and make nothing due.
    """
    ended = world.run("a")
    world.clock.advance(1000)
    for operation in DELIVERED:
        world.call(operation, "a", event="go")

    assert world.engine.instance("a") is ended
    assert world.engine.next_due() is None


def test_continue_as_new_is_a_new_generation_under_the_same_id(world: Any) -> None:
    """
    createdAt, input and history start anew; the instance goes on running.
    """
    before = world.run("a", {"set_status": 1}, *WAIT, {"continue_as_new": {"do": [{"wait_event": "end"}]}})
    world.clock.advance(1000)
    world.call("raise_event", "a", event="go")
    world.settle()
    after = world.instance("a")

    assert (after.state, after.input, after.status) == ("RUNNING", '{"do":[{"wait_event":"end"}]}', "")
    assert (after.created, after.updated) == (world.clock.now(), world.clock.now())
    assert before.created < after.created
    assert [event.kind for event in after.history] == ["turn", "started"]


@pytest.mark.parametrize("keep", [True, False])
def test_events_not_taken_go_along_if_they_are_kept(world: Any, keep: bool) -> None:  # noqa: FBT001 - a row
    """
    In their order, whatever their name.
    """
    take_all = [{"wait_event": "x"}, {"wait_event": "y"}, {"wait_event": "x"}]
    world.run("a", *WAIT, {"continue_as_new": {"do": take_all}, "keep_events": keep})
    for name, data in (("x", "1"), ("y", "2"), ("x", "3"), ("go", "0")):
        world.call("raise_event", "a", event=name, data=data)
    world.settle()

    assert world.output("a") == ([1, 2, 3] if keep else None)


def test_a_tight_loop_fails_and_one_that_waits_does_not(world: Any) -> None:
    """
    More generations in a row than the limit are too many.
    """
    loop = {"do": []}  # type: dict[str, Any]
    for _ in range(TIGHT_LOOP_LIMIT):
        loop = {"do": [{"continue_as_new": loop}]}
    world.run("a", *loop["do"])
    world.run("b", {"continue_as_new": loop})
    world.run("c", {"continue_as_new": {"do": [{"sleep": 1}, *loop["do"]]}})
    world.settle(1)

    assert (world.state("a"), world.state("b"), world.state("c")) == ("COMPLETED", "FAILED", "COMPLETED")
    assert "limit of 20 iterations" in world.shown("b")["dapr.workflow.failure.error_message"]


def test_a_purge_takes_all_descendants_and_nothing_else(world: Any) -> None:
    """
    Children that are gone already are passed over.
    """
    inner = {"id": "inner", "do": [{"call_child": {"id": "innermost", "do": []}}]}
    world.run("a", {"call_child": inner}, {"call_child": {"id": "other", "do": []}})
    world.run("bystander")
    world.call("purge", "other")
    world.call("purge", "a")

    assert [name for name in ("a", "inner", "innermost", "other", "bystander") if world.engine.instance(name)] == [
        "bystander"
    ]


def test_a_terminate_reaches_children_at_every_depth(world: Any) -> None:
    """
    After the parent has ended, one level after the other; siblings in other trees go on.
    """
    tree = {"call_child": {"id": "b", "do": [{"call_child": {"id": "c", "do": [*WAIT]}}]}}
    world.run("a", tree)
    world.run("z", *WAIT)
    world.call("terminate", "a")
    world.settle()

    assert [world.state(name) for name in "abcz"] == ["TERMINATED", "TERMINATED", "TERMINATED", "RUNNING"]


def active_child(world: Any) -> None:
    world.run("a", {"call_child": {"id": "b", "do": []}})
    world.run("b", *WAIT)


@pytest.mark.parametrize(("operation", "row"), [("purge", "purge.child_active"), ("start", "start.child_active")])
def test_an_ended_parent_with_an_active_descendant_is_left_alone(world: Any, operation: str, row: str) -> None:
    """
    Neither purged nor replaced, until the descendant has ended.
    """
    active_child(world)
    refused = world.call(operation, "a", workflow="ConformanceEcho")
    world.call("raise_event", "b", event="go")
    world.settle()
    accepted = world.call(operation, "a", workflow="ConformanceEcho")

    assert (refused.reply, accepted.outcome) == (row, "accepted")


def test_terminating_an_ended_parent_does_not_reach_its_children(world: Any) -> None:
    """
    Whoever has taken over a child's ID goes on.
    """
    active_child(world)
    world.call("terminate", "a")
    world.settle()

    assert world.state("b") == "RUNNING"


def test_held_instances_take_no_turn_until_an_operation_comes(make_world: Callable[..., Any]) -> None:
    """
    A held PENDING instance begins with the first event.
    """
    world = make_world(hold="PENDING")
    world.run("a", {"wait_event": "x"})
    held = world.state("a")
    world.call("raise_event", "a", event="other")
    world.settle()

    assert (held, world.state("a")) == ("PENDING", "RUNNING")


def test_every_condition_of_the_table_is_known() -> None:
    """
    A condition that the table uses and the engine does not know would only show in the middle of a call.
    """
    used = {name for row in MACHINE.table.values() for cell in row.values() for name in cell.when}

    assert used <= set(bare()._conditions)


def test_times_never_go_back(world: Any) -> None:
    """
    LastUpdatedAt grows, whatever order turns and events come in.
    """
    engine = bare()
    engine.handle(Call("start", "a", "W"), 1)
    turn = taken(engine, 1)
    engine.handle(Call("raise_event", "a", event="x"), 2)
    engine.complete_turn(turn, Decision((Schedule(1, "A", "x"),)), 9)
    first = engine.instance("a")
    engine.complete_turn(next(item for item in engine.take(9) if isinstance(item, Turn)), Decision(), 9)
    second = engine.instance("a")

    assert isinstance(first, Instance)
    assert isinstance(second, Instance)
    assert (first.updated, second.updated) == (9, 9)
    assert world.engine.take(0) == []
    assert len(world.engine) == 0


def test_an_activity_comes_back_once() -> None:
    """
    The second result of the same task is dropped.
    """
    engine = bare()
    engine.handle(Call("start", "a", "W"), 1)
    engine.complete_turn(taken(engine, 1), Decision((Schedule(1, "A", "x"),)), 1)
    (activity,) = engine.take(1)
    assert isinstance(activity, Activity)
    engine.complete_activity(activity, Result("1"), 2)
    engine.complete_activity(activity, Result("2"), 2)

    instance = engine.instance("a")
    assert instance is not None
    assert instance.inbox == (Event("activity_completed", 2, 1, "A", "1"),)
