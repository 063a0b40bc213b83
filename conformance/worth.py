"""
What each scenario is worth: the mutants it kills, those that nothing else kills, the rules that nothing else carries.

Rule 1: a scenario that kills nothing alone and carries no rule alone is removed, or says in `keep` why it stays.
Rule 2: those that are generated stay: there is one for each cell.
Rule 3: rules come from the plan of today; kills stand in the page until they are measured again, and must be measured
only where rules do not tell enough.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .plan import Case
    from .scenario import Scenario

Kills = tuple[int, int]
"""How many mutants a scenario kills, and how many of them alone."""

GENERATED = "cells"
"""The folder that `derive` writes."""

HEADING = "## Scenarios that kill nothing alone and carry no rule alone"
_KILLS = re.compile(r"^\| (\S+) \| (\d+) \| (\d+) \| [^|]*\|$", re.MULTILINE)
_UNKNOWN = "-"
_IDLE = "it carries no rule and kills no mutant alone; remove it, or say in keep: why it stays"
_UNMEASURED = "it carries no rule alone; run workflow-conformance mutants --all to see whether it kills a mutant alone"


@dataclass(frozen=True, slots=True)
class Worth:
    """
    A scenario: how many mutants it kills, how many of them alone, the rules it alone carries, and why it stays else.

    `killed` and `alone` are None where nobody measured them.
    """

    scenario: str
    killed: int | None
    alone: int | None
    rules: tuple[str, ...]
    keep: str

    @property
    def idle(self) -> bool:
        """
        Whether the others do everything that it does, as far as is known.
        """
        return not self.alone and not self.rules and not self.scenario.startswith(f"{GENERATED}/")


def measured(killers: Mapping[str, frozenset[str]], scenarios: Iterable[Scenario]) -> Mapping[str, Kills]:
    """
    What each scenario kills, from the scenarios that kill each mutant.
    """
    found: dict[str, Kills] = {one.id: (0, 0) for one in scenarios}
    for own in killers.values():
        for one in own:
            killed, alone = found[one]
            found[one] = killed + 1, alone + (len(own) == 1)
    return found


def written(page: str) -> Mapping[str, Kills]:
    """
    The same, as it stands in a page.
    """
    _, _, section = page.partition(HEADING)
    return {name: (int(killed), int(alone)) for name, killed, alone in _KILLS.findall(section)}


def worth(
    scenarios: Iterable[Scenario], plans: Iterable[Sequence[Case]], kills: Mapping[str, Kills]
) -> tuple[Worth, ...]:
    """
    Every scenario; `plans` are the cases of each profile.
    """
    carriers: dict[str, set[str]] = {}
    for case in (one for cases in plans for one in cases):
        for check in case.checks:
            carriers.setdefault(check.rule, set()).add(case.scenario.id)
    alone = {rule: next(iter(own)) for rule, own in sorted(carriers.items()) if len(own) == 1}
    return tuple(
        _worth(one, kills.get(one.id), tuple(rule for rule, own in alone.items() if own == one.id)) for one in scenarios
    )


def _worth(scenario: Scenario, kills: Kills | None, rules: tuple[str, ...]) -> Worth:
    killed, alone = kills or (None, None)
    return Worth(scenario.id, killed, alone, rules, scenario.keep)


def problems(found: Iterable[Worth]) -> list[str]:
    """
    Scenarios that are idle and do not say why they stay, and those that say so and are not idle.
    """
    lines = []
    for one in found:
        if one.idle and not one.keep:
            lines.append(f"{one.scenario}: {_UNMEASURED if one.alone is None else _IDLE}")
        if one.keep and not one.idle:
            lines.append(
                f"{one.scenario}: it kills {one.alone or 0} mutants and carries {len(one.rules)} rules alone, "
                "which is why it stays; take keep: out"
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
    for one in idle:
        yield f"- `{one.scenario}` kills {one.killed or 0} mutants, each of which others kill too. {one.keep}".rstrip()
    yield ""
    yield "What each scenario kills when every mutant meets every case that carries a rule it breaks"
    yield f"(`{_UNKNOWN}`: not measured yet):"
    yield ""
    yield "| scenario | mutants killed | killed by it alone | rules it alone carries |"
    yield "| --- | --- | --- | --- |"
    for one in found:
        killed, alone = (_UNKNOWN if count is None else count for count in (one.killed, one.alone))
        yield f"| {one.scenario} | {killed} | {alone} | {' '.join(one.rules)} |"


def as_data(found: Sequence[Worth]) -> list[dict[str, Any]]:
    """
    The same as JSON.
    """
    return [{**asdict(one), "idle": one.idle} for one in found]
