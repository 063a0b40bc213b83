"""
The kill matrix: a sample of mutants, the controls, and what makes a run worthless.
"""

from __future__ import annotations

import pytest

from conformance import killed, kills, matrix, mutants, nulls, voids
from conformance.errors import CannotRun, UsageError
from conformance.hunt import Kill, order
from conformance.matrix import Matrix
from conformance.mutants import Mutant
from conformance.target import Target

SAMPLE = ("cell/RUNNING.pause/reply", "field/runtimeStatus/missing", "event/lost")


def kill(name: str, verdict: str, rules: tuple[str, ...] = ("WF-GET-001",)) -> Kill:
    return Kill(Mutant(name, rules, "m", "dapr-1.18"), verdict, "case", "WF-GET-001", "why", 1)  # type: ignore[arg-type]


def test_a_sample_of_mutants_dies_for_the_right_reason() -> None:
    """
    Each is killed by a check that carries a rule it breaks, and the controls do what they must.
    """
    found = matrix.run(SAMPLE, jobs=16)

    assert {one.mutant.name for one in found.of("killed")} == set(SAMPLE)
    assert all(one.rule in one.mutant.rules for one in found.of("killed"))
    assert not found.problems()


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


@pytest.mark.parametrize("kind", nulls.ANSWERS)
def test_a_null_server_passes_no_case(kind: str) -> None:
    """
    A server that does nothing, in whatever way, passes nothing at all.
    """
    assert nulls.passed(kind, matrix.cases(("http/v1.0",))) == []


@pytest.mark.parametrize("kind", voids.KINDS)
def test_a_grpc_server_that_does_nothing_passes_no_case(kind: str) -> None:
    """
    Nor does its twin over gRPC, on any of its surfaces.
    """
    with voids.serving(kind) as address:
        assert nulls.none_of(Target("null", grpc=address), matrix.cases(("grpc", "taskhub"))) == []


def test_a_page_that_differs_fails_the_check(tmp_path: object) -> None:
    """
    Written once it is the same, changed it is not.
    """
    path = tmp_path / "mutants.md"  # type: ignore[operator]

    assert kills._page("text", path, check=True)
    assert not kills._page("text", path, check=False)
    assert not kills._page("text", path, check=True)
