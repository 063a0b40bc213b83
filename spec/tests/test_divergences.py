from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import spec

if TYPE_CHECKING:
    from collections.abc import Mapping

each_divergence = pytest.mark.parametrize("divergence", spec.divergences(), ids=lambda divergence: divergence["id"])


def test_ids_and_titles_are_unique() -> None:
    """
    No disagreement is listed twice.
    """
    for field in ("id", "title"):
        values = [divergence[field] for divergence in spec.divergences()]
        assert sorted(set(values)) == sorted(values)


@each_divergence
def test_two_sides_disagree(divergence: Mapping[str, Any]) -> None:
    """
    A disagreement has at least two sides, and they do not say the same.
    """
    sides = list(divergence["where"].values())

    assert len(sides) >= 2
    assert len(set(sides)) == len(sides)
    assert divergence["kit"].endswith(".")


@each_divergence
def test_the_rules_exist(divergence: Mapping[str, Any]) -> None:
    """
    A disagreement names rules that there are.
    """
    assert set(divergence["rules"]) <= set(spec.load().rules)


@each_divergence
def test_the_evidence_can_be_looked_up(divergence: Mapping[str, Any]) -> None:
    """
    Evidence is a public link, or a public repository with a path in it.
    """
    for evidence in divergence["evidence"]:
        assert re.fullmatch(r"https://[\w.-]+/\S+|[\w-]+/[\w.-]+ [\w./-]+(:[\d,-]+)?", evidence), evidence


def test_rules_that_follow_a_divergence_are_explained() -> None:
    """
    Where profiles differ in a cell, a divergence names a rule of it, so that a reader learns why.
    """
    explained = {rule for divergence in spec.divergences() for rule in divergence["rules"]}
    base = spec.load()
    for name in spec.profiles():
        for state, row in spec.load(name).machine.table.items():
            for event, cell in row.items():
                if cell.reply != base.machine.table[state][event].reply:
                    assert explained & set(cell.rules), cell
