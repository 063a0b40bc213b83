"""
What scenarios are worth: counted from kills, written, read again, and held against the scenarios that ship.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance import kills, load, matrix, worth
from conformance.worth import Worth

ROOT = Path(__file__).resolve().parents[2]
KILLERS = {"m/1": frozenset({"a/x", "a/y"}), "m/2": frozenset({"a/x"}), "m/3": frozenset({"a/y", "cells/z"})}
COUNTED = {"a/x": (2, 1), "a/y": (2, 0), "cells/z": (1, 0)}


def scenario(name: str, keep: str = "") -> Any:
    return SimpleNamespace(id=name, keep=keep)


def case(name: str, *rules: str) -> Any:
    return SimpleNamespace(scenario=scenario(name), checks=[SimpleNamespace(rule=rule) for rule in rules])


def told(*scenarios: Any, kills: Any = None) -> list[str]:
    plans = [[case("a/x", "R-1"), case("a/y", "R-1"), case("a/new", "R-1"), case("a/own", "R-2")]]
    return worth.problems(worth.worth(scenarios, plans, COUNTED if kills is None else kills))


def test_kills_are_counted_with_others_and_alone() -> None:
    """
    A mutant that one scenario kills counts for it alone, one that two kill for both of them; who kills none has none.
    """
    scenarios = [scenario(name) for name in ("a/x", "a/y", "b/z", "cells/z")]

    assert worth.measured(KILLERS, scenarios) == {**COUNTED, "b/z": (0, 0)}


def test_a_rule_counts_for_the_only_scenario_that_carries_it() -> None:
    """
    In whatever profile: a rule that another carries in another profile is carried by two.
    """
    plans = [[case("a/x", "R-1", "R-2"), case("a/y", "R-1")], [case("a/y", "R-3"), case("a/x", "R-3")]]
    found = worth.worth([scenario("a/x"), scenario("a/y")], plans, {"a/x": (0, 0), "a/y": (0, 0)})

    assert [one.rules for one in found] == [("R-2",), ()]
    assert [one.idle for one in found] == [False, True]


def test_a_scenario_that_is_idle_says_why_it_stays() -> None:
    """
    One that adds nothing is a problem until it says why; one that adds something has nothing to say; cells are exempt.
    """
    cell = scenario("cells/z")

    assert told(scenario("a/x"), scenario("a/y", "a pain of users"), cell) == []
    [idle] = told(scenario("a/x"), scenario("a/y"), cell)
    assert idle == "a/y: it carries no rule and kills no mutant alone; remove it, or say in keep: why it stays"
    [kept] = told(scenario("a/x", "for no reason"), cell)
    assert kept.startswith("a/x: it kills 1 mutants and carries 0 rules alone")
    assert told(scenario("a/own", "for no reason"))[0].startswith("a/own: it kills 0 mutants and carries 1 rules alone")


def test_a_new_scenario_is_measured_unless_it_carries_a_rule_alone() -> None:
    """
    The rules of a plan are known at once, kills only after a run with --all.
    """
    [asked] = told(scenario("a/new"), scenario("a/own"))

    assert asked.startswith("a/new: it carries no rule alone; run workflow-conformance mutants --all")


def test_what_is_written_is_read_again() -> None:
    """
    The kills in a page are those that it was written from; what nobody measured is not made up, nor another table read.
    """
    found = (
        Worth("a/new", None, None, (), ""),
        Worth("a/x", 2, 1, ("R-2",), ""),
        Worth("a/y", 2, 0, (), "It is a pain of users."),
        Worth("cells/z", 1, 0, (), ""),
    )
    page = "| a/w | 1 | 1 |  |\n\n" + "\n".join(worth.section(found))

    assert worth.written(page) == COUNTED
    assert "2 of 3 that are written by hand" in page
    assert "- `a/y` kills 2 mutants, each of which others kill too. It is a pain of users." in page
    assert "| a/new | - | - |  |" in page
    assert [one["idle"] for one in worth.as_data(found)] == [True, False, True, False]


def test_no_scenario_that_ships_is_idle() -> None:
    """
    Each kills a mutant that no other kills, carries a rule that no other carries, or says why it stays all the same.
    """
    page = (ROOT / "reports" / kills.PAGE).read_text(encoding="utf-8")

    assert worth.problems(worth.worth(load.scenarios(), matrix.plans(), worth.written(page))) == []


@pytest.mark.parametrize("keep", ["''", "[a]", "1"])
def test_a_reason_to_stay_is_a_sentence(folder: Any, keep: str, command: Any) -> None:
    """
    An empty one, or one that is no text, is an error of the file.
    """
    text = f"version: 1\ntitle: t\nrules: [WF-START-001]\nkeep: {keep}\nsteps:\n  - get: wf\n"
    code, _, errors = command("run", "--scenarios", folder(a__one=text))

    assert code == 2
    assert "a/one.yaml:4:" in errors
