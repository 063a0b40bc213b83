"""
Walks: the model of one instance, the oracle, and what comes of a server that breaks a cell.
"""

from __future__ import annotations

import json
import random
from itertools import count
from typing import Any

import pytest

import spec
from conformance.contract import Contract
from conformance.exchange import Observation, Request
from conformance.walk.choose import Chooser
from conformance.walk.instance import Instance
from conformance.walk.linear import Done, explained, shortest
from conformance.walk.model import Model
from conformance.walk.moves import Op, book
from conformance.walk.oracle import Oracle
from conformance.walk.shrink import least

HELD = spec.load()


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(HELD, book(HELD))


@pytest.fixture(scope="module")
def oracle(model: Model) -> Oracle:
    return Oracle(model, Contract(HELD.openapi))


def reached(model: Model, *ops: Op, settled: bool = True) -> frozenset[Any]:
    guesses = model.unknown
    for op in ops:
        now = model.settled(guesses) if settled else model.closure(guesses)
        guesses = frozenset(
            after
            for guess in now
            if model.accepts(model.cell(guess, op.operation).acts)
            for after in model.asked(guess, op)
        )
    return guesses


def states(guesses: Any) -> set[str]:
    return {guess.state for guess in guesses}


START, GO = Op("start", recipe="complete"), Op("raise_event", event="go")


def row(name: str, **fields: Any) -> Observation:
    column = HELD.replies[name].surfaces["http"]
    body = fields or ({} if "body" in column else {"errorCode": column.get("errorCode"), "message": "no"})
    headers = (("content-type", "application/json"),)
    return Observation(Request("GET", b"/"), column["status"], headers, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("ops", "wanted"),
    [
        ([START], {"RUNNING"}),
        ([START, Op("pause")], {"SUSPENDED"}),
        ([START, Op("pause"), Op("resume")], {"RUNNING"}),
        ([START, GO], {"COMPLETED"}),
        ([START, Op("pause"), GO], {"SUSPENDED"}),
        ([START, Op("pause"), GO, Op("resume")], {"COMPLETED"}),
        ([Op("start", recipe="fail"), GO], {"FAILED"}),
        ([Op("start", recipe="continue_as_new"), GO], {"RUNNING"}),
        ([Op("start", recipe="continue_as_new"), GO, GO], {"COMPLETED"}),
        ([Op("start", recipe="ConformanceEcho")], {"COMPLETED"}),
        ([START, Op("terminate"), Op("purge")], {"ABSENT"}),
    ],
)
def test_settled_operations_lead_where_the_table_says(model: Model, ops: list[Op], wanted: set[str]) -> None:
    """
    One after the other, each effect awaited, operations and happenings lead to one state.
    """
    assert states(model.settled(reached(model, *ops))) == wanted


@pytest.mark.parametrize(
    ("ops", "wanted"),
    [
        ([START, GO, Op("pause")], {"COMPLETED", "SUSPENDED"}),
        ([START, GO, Op("terminate")], {"COMPLETED", "TERMINATED"}),
        ([START, Op("pause"), Op("resume")], {"RUNNING"}),
    ],
)
def test_operations_that_overtake_their_effects_may_race(model: Model, ops: list[Op], wanted: set[str]) -> None:
    """
    What falls into one turn with a happening may win or lose against it; pause and resume keep their order.
    """
    assert states(model.settled(reached(model, *ops, settled=False))) == wanted


def test_an_effect_may_be_late(model: Model) -> None:
    """
    Until it has settled, an instance may be in the old state as well as in the new one.
    """
    assert states(model.closure(reached(model, START, Op("terminate")))) == {"RUNNING", "TERMINATED"}


@pytest.mark.parametrize("hold", ["PENDING", "STALLED"])
def test_a_target_may_hold_new_instances(hold: str) -> None:
    """
    Where a target keeps new instances in a state, that is where they settle.
    """
    held = Model(HELD, book(HELD, alone=True), hold)

    assert states(held.settled(reached(held, START))) == {hold}


def test_the_same_seed_draws_the_same_moves(model: Model) -> None:
    """
    A walk depends on its seed alone.
    """
    first, second = ([*Chooser(model, random.Random(7)).moves(300)] for _ in range(2))

    assert first == second
    assert first != [*Chooser(model, random.Random(8)).moves(300)]


def test_short_walks_come_everywhere(model: Model) -> None:
    """
    Within 400 moves every operation is tried in every state that instances come to by themselves.
    """
    chooser = Chooser(model, random.Random(3))
    list(chooser.moves(400))
    there = {state for state in HELD.machine.states if state != "STALLED"}
    tried = {(state, op.operation) for state, _, op in chooser.tried}

    assert tried == {(state, operation) for state in there for operation in HELD.machine.offered("http")}


@pytest.mark.parametrize("bad", [{3}, {1, 8}, {0, 5, 9}])
def test_what_is_left_is_needed(bad: set[int]) -> None:
    """
    Delta debugging keeps exactly the items that make it fail.
    """
    assert set(least(range(10), lambda kept: bad <= set(kept))) == bad


def shown(state: str, **fields: Any) -> Observation:
    base = {
        "instanceID": "x",
        "workflowName": "ConformanceScript",
        "createdAt": "2026-01-12T21:31:13Z",
        "lastUpdatedAt": "2026-01-12T21:31:14Z",
        "runtimeStatus": state,
        "properties": {"dapr.workflow.input": '{"do":[{"wait_event":"go"}]}'},
    }
    return row("get.found", **{**base, **fields})


def begun(oracle: Oracle) -> Instance:
    names = frozenset({"ConformanceScript", "ConformanceEcho"})
    one = Instance(oracle, "x", names, oracle.model.unknown)
    assert one.acted(START, row("start.accepted", instanceID="x")) is None
    assert one.looked(shown("RUNNING"), Op("get")) is None
    return one


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"runtimeStatus": "SUSPENDED"}, "WF-START-002"),
        ({"instanceID": "y"}, "WF-GET-004"),
        ({"workflowName": "Other"}, "WF-GET-005"),
        ({"createdAt": "2026-01-12T21:31:12Z"}, "WF-GET-006"),
        ({"lastUpdatedAt": "2026-01-12T21:31:13.500Z"}, "WF-GET-007"),
        ({"properties": {"dapr.workflow.input": '{"do": []}'}}, "WF-GET-008"),
        ({"runtimeStatus": 1}, "WF-HTTP-009"),
    ],
)
def test_a_look_that_cannot_be_right_names_its_rule(oracle: Oracle, fields: dict[str, Any], rule: str) -> None:
    """
    State, identity, times and input of an answer are held against what they must be.
    """
    found = begun(oracle).looked(shown("RUNNING", **{"runtimeStatus": "RUNNING", **fields}), Op("get"))

    assert found is not None
    assert found.rule == rule


def test_a_reply_that_no_state_explains_names_its_rule(oracle: Oracle) -> None:
    """
    A wrong outcome breaks the cell's rule, a wrong form that of the row.
    """
    accepted = begun(oracle).acted(Op("purge"), row("accepted"))
    misshapen = begun(oracle).acted(Op("purge"), row("purge.absent"))

    assert (accepted and accepted.rule, misshapen and misshapen.rule) == ("WF-PURGE-003", "WF-ERR-011")


def test_silence_is_never_failed() -> None:
    """
    Where a profile says nothing of a reply, any answer will do.
    """
    held = spec.load("documented")
    oracle = Oracle(Model(held, book(held)), Contract(held.openapi))
    for saw in (row("accepted"), row("pause.absent"), row("purge.absent")):
        assert Instance(oracle, "x", frozenset({"w"}), oracle.model.unknown).acted(Op("pause"), saw) is None


def history(*entries: tuple[Op, str, float, float]) -> list[Done]:
    made = {"start.accepted": {"instanceID": "x"}}
    return [Done(op, row(name, **made.get(name, {})), *when) for op, name, *when in entries]


def test_overlapping_operations_may_take_place_in_any_order(oracle: Oracle) -> None:
    """
    Of two starts at once either may be the one that is accepted; one after the other, only the first.
    """
    both = history((START, "start.duplicate", 0.0, 3.0), (START, "start.accepted", 1.0, 2.0))
    after = history((START, "start.duplicate", 0.0, 0.5), (START, "start.accepted", 1.0, 2.0))

    assert states(oracle.model.settled(explained(oracle, oracle.model.unknown, both))) == {"RUNNING"}
    assert not explained(oracle, oracle.model.unknown, after)


def test_two_accepted_starts_cannot_be_explained(oracle: Oracle) -> None:
    """
    The history that is told ends with the answer that nothing explains.
    """
    told = history(
        (START, "start.accepted", 0.0, 3.0),
        (START, "start.accepted", 1.0, 2.0),
        (Op("pause"), "accepted", 4.0, 5.0),
    )

    assert not explained(oracle, oracle.model.unknown, told)
    assert shortest(oracle, oracle.model.unknown, told) == told[:2]


def test_nothing_is_found_in_the_reference_server(command: Any, tmp_path: Any) -> None:
    """
    A walk of the reference server finds nothing and ends with 0, with one thread and with several.
    """
    for more in ((), ("--parallel", 3)):
        code, out, _ = command("walk", "--steps", 150, "--out", tmp_path, *more)
        assert (code, "nothing found" in out) == (0, True)


def faulty(folder: Any, mutant: str) -> Any:
    """
    A target file that starts the reference server with a fault.
    """
    command = '["{python}", -P, -m, reference_server, --dapr-http-port, "0", --ready-json, --profile, "{profile}"'
    path = folder / "target.yaml"
    path.write_text(f"version: 1\nname: faulty\ntitle: a mutant\nstart: {command}, --mutant, {mutant}]\n")
    return path


def test_a_finding_is_a_scenario_that_fails_the_same_way(command: Any, tmp_path: Any) -> None:
    """
    What a walk finds is shrunk, written, and fails under the same rule when run; `minimize` has nothing to take away.
    """
    at, runs = faulty(tmp_path, "cell/SUSPENDED.pause/reply"), []
    for name in ("one", "two"):
        code, out, _ = command("walk", "--target", at, "--seed", 5, "--steps", 300, "--out", tmp_path / name)
        said = [line for line in out.splitlines() if "seen:" not in line]
        runs.append((code, "\n".join(said).replace(str(tmp_path / name), "")))
        found = tmp_path / name / "walk-5-1.yaml"
        text = found.read_text()
    assert runs[0] == runs[1]
    assert runs[0][0] == 1
    assert "WF-PAUSE-003" in runs[0][1]
    assert text.count("\n  - ") <= 6
    code, out, _ = command("run", "--target", at, "--scenarios", found.parent, "--surface", "http/v1.0")
    assert (code, "WF-PAUSE-003" in out) == (1, True)
    code, out, err = command("minimize", found, "--target", at, "-o", tmp_path / "small.yaml")
    assert (code, out) == (0, (tmp_path / "small.yaml").read_text())
    assert "WF-PAUSE-003" in err
    assert command("minimize", found)[0] == 2


@pytest.mark.parametrize(
    ("mutant", "rule", "more"),
    [
        ("timer/never", "WF-TIMER-001", ()),
        ("child/paused", "WF-CHILD-015", ()),
        ("child/of_refused_purge", "WF-CHILD-010", ()),
        ("together/unlike_lost", "WF-CONC-007", ("--parallel", 3)),
    ],
)
def test_what_is_wrong_is_told_under_its_rule(
    command: Any, tmp_path: Any, mutant: str, rule: str, more: tuple[Any, ...]
) -> None:
    """
    A fault in timers, in families or between simultaneous operations becomes a short scenario that fails when run.
    """
    at, found = faulty(tmp_path, mutant), tmp_path / "found"
    code, out, _ = command("walk", "--target", at, "--seed", 3, "--out", found, *more)
    assert (code, rule in out) == (1, True)
    text = (found / "walk-3-1.yaml").read_text()
    assert text.count("\n  - ") <= 6
    assert ("parallel:" in text) == ("it may have been in" in out) == bool(more)
    code, out, _ = command("run", "--target", at, "--scenarios", found, "--surface", "http/v1.0")
    assert (code, rule in out) == (1, True)


def test_what_breaks_a_rule_without_company_is_told_alone(command: Any, tmp_path: Any) -> None:
    """
    What several threads find, and one operation by itself shows again, is told with its rule, its moves and its answer.
    """
    at, found = faulty(tmp_path, "cell/SUSPENDED.pause/reply"), tmp_path / "found"
    code, out, _ = command("walk", "--target", at, "--parallel", 3, "--steps", 300, "--out", found)
    assert (code, "WF-PAUSE-003 (" in out, "it may have been in" in out) == (1, True, False)
    assert [line for line in out.splitlines() if line.startswith("  - ")][-1] == "  - pause"
    assert "parallel:" not in (found / "walk-1-1.yaml").read_text()


def test_a_server_that_dies_is_no_finding(command: Any, peer: Any, toy: Any, tmp_path: Any) -> None:
    """
    Where nobody answers any more, a walk ends with 3 and says what was seen last.
    """
    asked, honest = count(), toy()

    def dying(*request: Any) -> Any:
        return honest(*request) if next(asked) < 40 else None

    code, _, err = command("walk", "--server", peer(dying).url, "--out", tmp_path)

    assert code == 3
    assert "stopped answering" in err


@pytest.mark.parametrize("arguments", [["walk", "--surface", "x"], ["walk", "--profile", "x"], ["minimize", "no.yaml"]])
def test_wrong_options_end_with_2(command: Any, arguments: list[str]) -> None:
    """
    A mistake in the command line is told before anything is started.
    """
    assert command(*arguments)[0] == 2
