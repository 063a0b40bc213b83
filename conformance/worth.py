"""
What each scenario is worth: the mutants it kills, those that nothing else kills, the rules that nothing else carries.

Rule 1: a scenario that kills nothing alone and carries no rule alone is removed, or says in `keep` why it stays.
Rule 2: those that are generated stay: there is one for each cell.
Rule 3: rules come from the plan of today; kills stand in the page until they are measured again.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .plan import Case
    from .scenario import Scenario

GENERATED = "cells"
"""The folder that `derive` writes."""

HEADING = "## Scenarios that kill nothing alone and carry no rule alone"
_KILLS = re.compile(r"^\| (\S+) \| (\d+) \| (\d+) \| [^|]*\|$", re.MULTILINE)
_REMEDY = "run workflow-conformance mutants --all"


@dataclass(frozen=True, slots=True)
class Worth:
    """
    A scenario: how many mutants it kills, how many of them alone, the rules it alone carries, and why it stays else.
    """

    scenario: str
    killed: int
    alone: int
    rules: tuple[str, ...]
    keep: str

    @property
    def idle(self) -> bool:
        """
        Whether the others do everything that it does.
        """
        return not self.alone and not self.rules and not self.scenario.startswith(f"{GENERATED}/")


def measured(killers: Mapping[str, frozenset[str]]) -> Mapping[str, tuple[int, int]]:
    """
    How many mutants each scenario kills, and how many alone, from the scenarios that kill each mutant.
    """
    found: dict[str, tuple[int, int]] = {}
    for own in killers.values():
        for one in own:
            killed, alone = found.get(one, (0, 0))
            found[one] = killed + 1, alone + (len(own) == 1)
    return found


def written(page: str) -> Mapping[str, tuple[int, int]]:
    """
    The same, as it stands in a page.
    """
    _, _, section = page.partition(HEADING)
    return {name: (int(killed), int(alone)) for name, killed, alone in _KILLS.findall(section)}


def worth(
    scenarios: Iterable[Scenario], plans: Iterable[Sequence[Case]], kills: Mapping[str, tuple[int, int]]
) -> tuple[Worth, ...]:
    """
    Every scenario; `plans` are the cases of each profile. One whose kills nobody measured is not there.
    """
    carriers: dict[str, set[str]] = {}
    for case in (one for cases in plans for one in cases):
        for check in case.checks:
            carriers.setdefault(check.rule, set()).add(case.scenario.id)
    alone = {rule: next(iter(own)) for rule, own in sorted(carriers.items()) if len(own) == 1}
    return tuple(
        Worth(one.id, *kills[one.id], tuple(rule for rule, own in alone.items() if own == one.id), one.keep)
        for one in scenarios
        if one.id in kills
    )


def problems(found: Sequence[Worth], scenarios: Iterable[Scenario], kills: Mapping[str, Any]) -> list[str]:
    """
    Scenarios that are idle and do not say why they stay, that say so and are not idle, and kills of other scenarios.
    """
    known = {one.id for one in scenarios}
    lines = [f"{name}: nobody measured what it kills; {_REMEDY}" for name in sorted(known - set(kills))]
    lines += [f"{name}: it is no scenario any more; {_REMEDY}" for name in sorted(set(kills) - known)]
    for one in found:
        if one.idle and not one.keep:
            lines.append(f"{one.scenario}: it kills nothing alone and carries no rule alone; remove it, or say keep:")
        if one.keep and not one.idle:
            lines.append(
                f"{one.scenario}: it kills {one.alone} mutants alone and carries {len(one.rules)} rules alone, "
                "so that keep: is not true"
            )
    return lines


def section(found: Sequence[Worth]) -> Iterator[str]:
    """
    The end of the page.
    """
    idle = [one for one in found if one.idle]
    made = sum(one.scenario.startswith(f"{GENERATED}/") for one in found)
    yield HEADING
    yield ""
    yield f"{len(idle)} of {len(found) - made} that are written by hand; {made} more are generated, one for each cell."
    yield ""
    yield from (
        f"- `{one.scenario}` kills {one.killed} mutants, each of which others kill too. It stays: {one.keep or '?'}"
        for one in idle
    )
    yield ""
    yield "What each scenario kills when every mutant meets every case that carries a rule it breaks:"
    yield ""
    yield "| scenario | mutants killed | killed by it alone | rules it alone carries |"
    yield "| --- | --- | --- | --- |"
    yield from (f"| {one.scenario} | {one.killed} | {one.alone} | {' '.join(one.rules)} |" for one in found)


def as_data(found: Sequence[Worth]) -> list[dict[str, Any]]:
    """
    The same as JSON.
    """
    return [{**asdict(one), "idle": one.idle} for one in found]
