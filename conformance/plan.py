"""
Scenarios x surfaces x matrix -> named cases with their checks, fixed before the first request.

Rule 1: what is planned executes, or the run fails.
Rule 2: only a capability that the target does not claim makes a case unsupported; nothing decides so during the run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import spec

from . import checks, load
from .client import Unsupported
from .errors import BadFiles, UsageError
from .known import matches
from .scenario import FAULT
from .shape import meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .client import Client
    from .contract import Contract
    from .scenario import Row, Scenario
    from .wants import Check, Planned


HTTP, GRPC = checks.HTTP, "grpc"
PORTS = (HTTP, GRPC)
"""The kinds of port that a server has."""


@dataclass(frozen=True, slots=True)
class Surface:
    """
    One way to reach a server, such as http/v1.0; with a client, the calls are that SDK's.
    """

    name: str
    kind: str
    version: str
    client: Client | None = field(default=None, hash=False)

    @property
    def port(self) -> str:
        """
        The kind of port that serves it.
        """
        return HTTP if self.kind == HTTP else GRPC


@dataclass(frozen=True, slots=True)
class Case:
    """
    A scenario on a surface, with one row of its matrix.
    """

    name: str
    scenario: Scenario
    surface: Surface
    row: Row
    steps: tuple[Planned, ...]
    checks: tuple[Check, ...]

    @property
    def alone(self) -> bool:
        """
        Whether nothing else may be asked meanwhile: what is sent is looked at, or the server is in trouble.
        """
        steps = self.row.steps
        return any(step.wire or step.verb == FAULT for step in steps)

    def as_event(self) -> dict[str, Any]:
        """
        The case in the plan event.
        """
        return {
            "case": self.name,
            "scenario": self.scenario.id,
            "surface": self.surface.name,
            "row": self.row.label,
            "file": self.scenario.file,
            "title": self.scenario.title,
            "tags": list(self.scenario.tags),
            "rules": list(self.scenario.rules),
            "checks": [
                {"check": one.id, "step": one.step, "line": one.line, "kind": one.kind, "rule": one.rule}
                for one in self.checks
            ],
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """
    What a user narrows a run to; empty selects everything.
    """

    surfaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    shard: tuple[int, int] = (1, 1)

    @property
    def narrows(self) -> bool:
        """
        Whether cases may be left out.
        """
        return bool(self.surfaces or self.narrows_cases)

    @property
    def narrows_cases(self) -> bool:
        """
        Whether cases of a surface may be left out.
        """
        return bool(self.names or self.rules or self.tags or self.shard != (1, 1))


@dataclass(frozen=True, slots=True)
class Plan:
    """
    The cases to execute, those that the target is not capable of, and how many the filters left out.
    """

    cases: tuple[Case, ...]
    unsupported: tuple[tuple[str, str], ...] = ()
    filtered: int = 0
    surfaces: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """
        How many checks will execute.
        """
        return sum(len(case.checks) for case in self.cases)

    def as_event(self) -> dict[str, Any]:
        """
        The plan event.
        """
        return {
            "event": "plan",
            "cases": [case.as_event() for case in self.cases],
            "unsupported": [{"case": name, "reason": reason} for name, reason in self.unsupported],
            "filtered": self.filtered,
        }


def surfaces(contract: Contract) -> tuple[Surface, ...]:
    """
    Every surface there is, in the order of the document.
    """
    return tuple(Surface(*one) for one in load.surfaces(contract.openapi))


_Rows = dict[str, list[tuple["Row", tuple["Planned", ...]]]]
"""For each kind of surface the rows of a scenario, planned."""


@dataclass(slots=True)
class _Draft:
    cases: list[Case] = field(default_factory=list)
    unsupported: list[tuple[str, str]] = field(default_factory=list)
    filtered: int = 0


def plan(  # noqa: PLR0913 - what a plan is made of
    scenarios: Iterable[Scenario],
    held: spec.Spec,
    contract: Contract,
    selection: Selection,
    capabilities: Sequence[str] = (),
    *,
    only_required: bool = False,
    ports: Sequence[str] = PORTS,
    clients: Sequence[Surface] = (),
) -> Plan:
    """
    The cases of a run; with clients, theirs alone.

    Raises BadFiles where steps do not fit the table, UsageError where a name selects nothing.
    """
    scenarios = tuple(scenarios)
    every = surfaces(contract)
    there = tuple(one for one in every if one.port in ports)
    known = tuple(clients) or there
    chosen = _chosen((*clients, *every), known, selection, clients=bool(clients))
    _known(selection, held, scenarios)
    draft = _Draft()
    wrong: list[str] = []
    for scenario in scenarios:
        try:
            drawn = list(_drawn(scenario, known, there, held, contract))
        except BadFiles as error:
            wrong += error.problems
            continue
        for case, why in drawn:
            if _left_out(case, chosen, held, selection) or (only_required and not _needs(case, capabilities)):
                draft.filtered += 1
            elif why:
                draft.unsupported.append((case.name, why))
            else:
                _sorted(draft, case, capabilities)
    if wrong:
        raise BadFiles(wrong)
    return Plan(tuple(draft.cases), tuple(draft.unsupported), draft.filtered, tuple(one.name for one in chosen))


def _drawn(
    scenario: Scenario, known: Sequence[Surface], there: Sequence[Surface], held: spec.Spec, contract: Contract
) -> Iterator[tuple[Case, str]]:
    """
    Each row of a scenario on each surface that it is for, with why a client cannot do it. Raises BadFiles.
    """
    kinds, own = _kinds(scenario, known), [one for one in known if one.client is None]
    rows = {
        kind: [(row, checks.plan(scenario, row, held, contract, kind)) for row in scenario.rows]
        for kind in (kinds if own else ())
    }
    if own:
        _carried(scenario, rows, held, contract)
    for surface in known:
        for row, steps in rows.get(surface.kind, ()) if surface.client is None else ():
            if _reached(row, there, surface):
                yield _case(scenario, surface, row, steps), ""
        for row in scenario.rows if surface.client is not None and surface.kind in kinds else ():
            if _reached(row, there, surface):
                yield from _asked(scenario, surface, row, held, contract)


def _asked(
    scenario: Scenario, surface: Surface, row: Row, held: spec.Spec, contract: Contract
) -> Iterator[tuple[Case, str]]:
    """
    A row of a scenario for a client, with why it cannot do it; nothing where it is for no client.
    """
    why = ""
    try:
        steps = checks.plan(scenario, row, held, contract, surface.kind, surface.client)
    except Unsupported as error:
        if not str(error):
            return
        steps, why = checks.plan(scenario, row, held, contract, surface.kind), str(error)
    yield _case(scenario, surface, row, steps), why


def _sorted(draft: _Draft, case: Case, capabilities: Sequence[str]) -> None:
    lacking = [one for one in case.scenario.requires if one not in capabilities]
    if lacking:
        draft.unsupported.append((case.name, f"the target does not claim {', '.join(lacking)}"))
    elif not case.checks:
        draft.unsupported.append((case.name, "none of its rules holds in this profile"))
    else:
        draft.cases.append(case)


def _needs(case: Case, capabilities: Sequence[str]) -> bool:
    return any(one in capabilities for one in case.scenario.requires)


def _case(scenario: Scenario, surface: Surface, row: Row, steps: tuple[Planned, ...]) -> Case:
    label = f"[{row.label}]" if row.label else ""
    every = tuple(one for step in steps for one in step.every())
    return Case(f"{scenario.id}@{surface.name}{label}", scenario, surface, row, steps, every)


def _left_out(case: Case, chosen: Sequence[Surface], held: spec.Spec, selection: Selection) -> bool:
    scenario = case.scenario
    return (
        case.surface not in chosen
        or bool(scenario.profiles and held.profile.name not in scenario.profiles)
        or not selected(case.name, scenario.id, scenario.area, selection.names)
        or bool(selection.tags and not set(selection.tags) & set(scenario.tags))
        or bool(selection.rules and not set(selection.rules) & {one.rule for one in case.checks})
        or shard(case.name, selection.shard[1]) != selection.shard[0]
    )


def selected(name: str, scenario: str, area: str, globs: Sequence[str]) -> bool:
    """
    Whether a case is meant by any glob and by no `!glob`: its name, its scenario, or its area.
    """
    wanted = [glob for glob in globs if not glob.startswith("!")]
    unwanted = [glob[1:] for glob in globs if glob.startswith("!")]

    def meant_by(glob: str) -> bool:
        return any(matches(glob, one) for one in (name, scenario, area))

    return (not wanted or any(map(meant_by, wanted))) and not any(map(meant_by, unwanted))


def shard(name: str, count: int) -> int:
    """
    The shard of a case, from 1; it depends on nothing but the name.
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % count + 1


def _chosen(
    every: Sequence[Surface], known: Sequence[Surface], selection: Selection, *, clients: bool
) -> tuple[Surface, ...]:
    for glob in selection.surfaces:
        if not any(_means(glob, one) for one in every):
            names = [one.name for one in every]
            raise UsageError(f"--surface {glob}: no such surface; there are {', '.join(names)}{meant(glob, names)}")
        if not any(_means(glob, one) for one in known):
            if clients:
                names = list(dict.fromkeys(one.name for one in known))
                raise UsageError(f"--surface {glob}: with --client the surfaces are the clients: {', '.join(names)}")
            option = next(
                "--server URL" if one.port == HTTP else "--grpc HOST:PORT" for one in every if _means(glob, one)
            )
            raise UsageError(f"--surface {glob}: its address is not known; give it with {option}")
    return tuple(
        one for one in known if not selection.surfaces or any(_means(glob, one) for glob in selection.surfaces)
    )


def _means(glob: str, surface: Surface) -> bool:
    """
    Whether a glob means a surface, by its name or by the part before the version.
    """
    return matches(glob, surface.name) or glob == surface.name.partition("/")[0]


def _known(selection: Selection, held: spec.Spec, scenarios: Sequence[Scenario]) -> None:
    for rule in selection.rules:
        if rule not in held.rules:
            raise UsageError(f"--rule {rule}: no such rule{meant(rule, list(held.rules))} `list rules` shows them all")
    tags = sorted({tag for scenario in scenarios for tag in scenario.tags})
    for tag in selection.tags:
        if tag not in tags:
            raise UsageError(f"--tag {tag}: no scenario has it; there are {', '.join(tags)}{meant(tag, tags)}")


def _reached(row: Row, known: Sequence[Surface], surface: Surface) -> bool:
    """
    Whether the surfaces that single steps are on have an address too; versions are those of HTTP.
    """
    own = surface.kind == HTTP and surface.client is None
    names = {one.name for one in known} | ({one.version for one in known} if own else set())
    return all(step.on in ("", *names) for step in row.steps)


def _kinds(scenario: Scenario, known: Sequence[Surface]) -> tuple[str, ...]:
    """
    The kinds of surface that a scenario is for.
    """
    kinds = dict.fromkeys(one.kind for one in known)
    return tuple(one for one in kinds if not scenario.surfaces or one in scenario.surfaces)


def _carried(scenario: Scenario, rows: _Rows, held: spec.Spec, contract: Contract) -> None:
    """
    Each rule of a file is carried by a check of it, in this profile or in another, on one kind of surface or another.
    """
    lacking = set(scenario.rules)
    for of_kind in rows.values():
        lacking -= _rules(steps for _, steps in of_kind)
    kinds = scenario.surfaces or spec.SURFACES
    others = ((name, kind) for name in spec.profiles() for kind in kinds)
    for name, kind in others if lacking else ():
        if lacking and (name != held.profile.name or kind not in rows):
            other = spec.load(name)
            lacking -= _rules(checks.plan(scenario, row, other, contract, kind) for row in scenario.rows)
    lacking -= {rule for rule in lacking if held.rules[rule].excluded}
    if lacking:
        raise BadFiles(
            f"{scenario.place}:1:1: {rule}: no check of this file carries this rule" for rule in sorted(lacking)
        )


def _rules(planned: Iterable[tuple[Planned, ...]]) -> set[str]:
    return {one.rule for steps in planned for step in steps for one in step.every()}
