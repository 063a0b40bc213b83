"""
The kill matrix: every mutant, the controls, and what makes a run worthless.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

import spec
from conformance import hunt, killed, kills, matrix, mutants, nulls, options, voids
from conformance.case import Outcome
from conformance.contract import Contract
from conformance.errors import CannotRun, UsageError
from conformance.hunt import Ground, Kill, judged, order
from conformance.identity import Tokens
from conformance.matrix import Matrix
from conformance.mutants import Mutant
from conformance.target import Target

ROOT = Path(__file__).resolve().parents[2]


def kill(name: str, verdict: str, rules: tuple[str, ...] = ("WF-GET-001",)) -> Kill:
    return Kill(Mutant(name, rules, "m", "dapr-1.18"), verdict, "case", "WF-GET-001", "why", 1)  # type: ignore[arg-type]


@pytest.mark.first
def test_every_mutant_dies_for_the_right_reason_and_the_page_says_so() -> None:
    """
    The whole matrix: each is killed by a check that carries a rule it breaks, the controls do what they must, and what
    comes out is the page that is committed.
    """
    page = ROOT / "reports" / kills.PAGE
    found = matrix.run(jobs=32)
    worths = kills.weighed(found, page, every=False)

    assert found.problems() == []
    assert all(one.rule in one.mutant.rules for one in found.of("killed"))
    assert not any(one.late for one in found.kills)
    assert kills.page(found, worths) == page.read_text(encoding="utf-8")


def test_all_goes_on_after_the_first_kill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    With --all the scenarios that kill a mutant are told, and what each scenario is worth; a sample writes no page.
    """
    code = kills.prove(("event/lost",), 16, tmp_path, every=True, check=False, as_json=True)
    data = json.loads(capsys.readouterr().out)
    [lost] = [one for one in data["mutants"] if one["name"] == "event/lost"]
    worths = {one["scenario"]: one for one in data["scenarios"]}

    assert code == 0
    assert "events/delivered" in lost["killers"]
    assert worths["events/delivered"]["killed"] == 1
    assert worths["timers/ends"]["killed"] == 0
    assert worths["timers/ends"]["rules"]
    assert not list(tmp_path.iterdir())


def test_what_comes_out_as_it_must_not_is_hunted_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A mutant that survives, an equivalent that dies and a control that dies count only if they do so again.
    """
    verdicts = {
        "control/lives": ["killed", "survived"],
        "a/killed": ["killed"],
        "a/slow": ["survived", "killed"],
        "a/alive": ["survived", "survived", "killed_otherwise"],
        "e/f": ["killed", "survived"],
    }
    mutants_ = [Mutant(name, ("WF-GET-001",), "m", "dapr-1.18") for name in verdicts]
    monkeypatch.setattr(matrix, "hunt", lambda one, _: kill(one.name, verdicts[one.name].pop(0)))
    monkeypatch.setattr(matrix, "scour", lambda one, *_: lambda: kill(one.name, verdicts[one.name].pop(0)))
    with ThreadPoolExecutor(1) as pool:
        found = matrix._hunted(mutants_, None, pool, {"e/*": "equivalent"})  # type: ignore[arg-type]

    assert {one.mutant.name: one.verdict for one in found} == {
        "control/lives": "survived",
        "a/killed": "killed",
        "a/slow": "killed",
        "a/alive": "killed_otherwise",
        "e/f": "survived",
    }
    assert not any(verdicts.values())


def test_no_answer_is_no_kill_until_it_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where a machine has no time the case is run again; a mutant that is to withhold its answers, and does, is killed.
    """
    cases = [
        one for one in matrix.cases(matrix.OVER_HTTP) if one.scenario.id in ("events/delivered", "events/no_payload")
    ]
    broken = [("WF-EVENT-007", "error")]
    seen = {
        "events/delivered": iter([Outcome("error", rules=broken), Outcome("pass")]),
        "events/no_payload": repeat(Outcome("error", rules=broken), 2),
    }
    monkeypatch.setattr(hunt, "attempt", lambda case, *_: next(seen[case.scenario.id]))
    monkeypatch.setattr(matrix, "order", lambda *_: (cases, []))
    mutant = Mutant("event/lost", ("WF-EVENT-007",), "m", "dapr-1.18", withholds=True)
    contract, machine, tokens = Contract(spec.openapi()), spec.load().machine, Tokens("aaaaa")
    ground = Ground("http://127.0.0.1:9", "127.0.0.1:9", contract, machine, tokens, {"dapr-1.18": ()})

    assert matrix._killers(mutant, ground) == {"events/no_payload"}


def test_a_glob_that_means_nothing_is_told() -> None:
    """
    No mutant of this name: a usage error, not an empty proof.
    """
    with pytest.raises(UsageError, match="list mutants"):
        matrix.run(("nobody/*",))


@pytest.mark.parametrize(("dies", "lives"), [("survived", "survived"), ("killed", "killed_otherwise")])
def test_a_control_that_is_wrong_voids_the_run(dies: str, lives: str) -> None:
    """
    Where what must die lives, or what must live dies, nothing is proved.
    """
    with pytest.raises(CannotRun, match="proves nothing"):
        matrix._controlled([kill(matrix.DIES, dies), kill(matrix.LIVES, lives)])


def test_what_survives_or_dies_otherwise_is_a_problem() -> None:
    """
    So is an equivalent that dies after all.
    """
    kills_ = (kill("a/b", "survived"), kill("a/c", "killed_otherwise"), kill("a/d", "killed"), kill("e/f", "killed"))
    found = Matrix(kills_, {"e/*": "nobody can tell it from a right one"})

    assert [line.partition(":")[0] for line in found.problems()] == ["a/b", "a/c", "e/f"]
    assert "1 of 3 mutants" in killed.summary(found)


def test_the_page_has_a_denominator_beside_each_share() -> None:
    """
    Rules, mutants, what is excluded and what is equivalent are counted, and the page is the same each time.
    """
    found = Matrix((kill("a/b", "killed"), kill("e/f", "survived")), {"e/*": "nobody can tell it"}, 3.0)
    page = killed.page(found)

    assert "| all | 1 | 1 | 0 | 0 | 1 |" in page
    assert "| WF-GET-001 | MUST | 1 | 1 | 0 | 0 |" in page
    assert "- `e/*`: nobody can tell it" in page
    assert page == killed.page(found)


def test_cases_that_carry_the_rule_come_first() -> None:
    """
    Only these can kill; the one that is named alike is the first.
    """
    cases = matrix.cases()
    first, rest = order(Mutant("cell/RUNNING.pause/reply", ("WF-PAUSE-001",), "m", "dapr-1.18"), cases)

    assert first[0].scenario.id == "cells/running_pause"
    assert not any(check.rule == "WF-PAUSE-001" for case in rest for check in case.checks)
    assert len(first) + len(rest) == len(cases)


def test_every_equivalent_means_a_mutant() -> None:
    """
    An entry that means none is left over.
    """
    names = [one.name for one in mutants.listed()]

    assert all(any(matrix.matches(glob, name) for name in names) for glob in mutants.equivalents())


def outcome(result: str, *rules: str, late: bool = False) -> Outcome:
    failing = [(rule, "why") for rule in rules] if result == "fail" else []
    return Outcome(result, "cause", rules[0], failing, [(one, result) for one in rules], list(rules) if late else [])


@pytest.mark.parametrize(
    ("came", "withholds", "verdict", "late"),
    [
        (outcome("fail", "WF-GET-001"), False, "killed", False),
        (outcome("fail", "WF-GET-003", "WF-GET-001"), False, "killed", False),
        (outcome("fail", "WF-GET-003"), False, "killed_otherwise", False),
        (outcome("error", "WF-GET-001"), False, "killed_otherwise", False),
        (outcome("error", "WF-GET-001"), True, "killed", False),
        (outcome("fail", "WF-GET-001", late=True), False, "killed", True),
        (outcome("pass", "WF-GET-001"), False, "survived", False),
    ],
)
def test_only_a_comparison_that_failed_kills(came: Any, withholds: Any, verdict: Any, late: Any) -> None:
    """
    That no answer came proves nothing, unless the mutant withholds it; an effect that was awaited in vain is late.
    """
    mutant = Mutant("a/b", ("WF-GET-001",), "m", "dapr-1.18", withholds)
    found = judged(mutant, matrix.cases()[0], came, 1)

    assert (found.verdict, found.late) == (verdict, late)


@pytest.mark.parametrize(
    ("hunts", "verdict", "number"),
    [
        ([("killed", "one", True)], "killed", 1),
        ([("killed", "two", False)], "killed", 1),
        ([("survived", "", False)], "survived", 1),
        ([("killed", "two", True), ("killed", "two", True)], "killed", 2),
        ([("killed", "two", True), ("killed", "one", True), ("killed", "two", True)], "survived", 3),
    ],
)
def test_a_late_kill_must_happen_again(monkeypatch: Any, hunts: Any, verdict: str, number: int) -> None:
    """
    In the same case, or in time; what is late here and late there was the machine.
    """
    waiting = [replace(kill("a/b", what), case=case, late=late) for what, case, late in hunts]
    done: list[Kill] = []
    monkeypatch.setattr(hunt, "hunt", lambda *_: done.append(waiting[len(done)]) or done[-1])
    found = hunt.confirmed(replace(kill("a/b", "killed"), case="one", late=True), None)  # type: ignore[arg-type]

    assert (found.verdict, found.late, len(done)) == (verdict, False, number)


def test_how_many_at_a_time_depends_on_the_cores(monkeypatch: Any) -> None:
    """
    Sixteen a core, as most of them wait, and no more than 32.
    """
    found = []
    for cores in (1, 2, 96):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        found.append(options.side_by_side())

    assert found == [16, 32, 32]


@pytest.mark.parametrize("kind", nulls.ANSWERS)
def test_a_null_server_passes_no_case(kind: str) -> None:
    """
    A server that does nothing, in whatever way, passes nothing at all.
    """
    assert nulls.passed(kind, matrix.cases(matrix.OVER_HTTP)) == []


@pytest.mark.parametrize("kind", voids.KINDS)
def test_a_grpc_server_that_does_nothing_passes_no_case(kind: str) -> None:
    """
    Nor does its twin over gRPC, on any of its surfaces.
    """
    with voids.serving(kind) as address:
        assert nulls.none_of(Target("null", grpc=address), matrix.cases(matrix.OVER_GRPC)) == []


def test_a_page_that_differs_fails_the_check(tmp_path: object) -> None:
    """
    Written once it is the same, changed it is not.
    """
    path = tmp_path / "mutants.md"  # type: ignore[operator]

    assert kills._page("text", path, check=True)
    assert not kills._page("text", path, check=False)
    assert not kills._page("text", path, check=True)
