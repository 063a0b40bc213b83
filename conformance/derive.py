"""
The state table -> one scenario a cell: the shortest way to the state, the operation, a look, and all of it again.

    python -m conformance.derive [--check]    writes scenarios/cells/ of a checkout, or tells what would change

Rule 1: pure until the last function; the same table gives the same text.
Rule 2: no state has a name here. One that no way leads to is one that a target holds: `requires: [hold_...]`.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spec

from . import checks, load
from .believe import nowhere, settled
from .contract import Contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spec import Machine, Spec

    from .lint import Vocabulary

HEADER = """\
# yaml-language-server: $schema=../../spec/schemas/scenario.json
# Generated from spec/machine.yaml by python -m conformance.derive; do not edit.
"""
LATER = 600
"""Seconds until the first turn of an instance that is to stay as it is."""

RERUN, TIME, EXPIRED, SCHEDULED = "rerun", "at", "DEADLINE_EXCEEDED", spec.carrying("scheduled")
INSTANCE, NOBODY, CONTROL = "wf", "nobody", "control"
ECHOED = "complete"
"""The happening that ConformanceEcho comes to by itself."""

FOLDER = "cells"
Step = dict[str, Any]


NUMBERED: Step = {
    "history": INSTANCE,
    "expect": {"events": {"$some": {"taskScheduled": {"$type": "object"}, "eventId": {"$bind": "number"}}}},
    "rule": spec.carrying("numbered"),
}
"""A look for the event that a rerun starts from: workers number their tasks each in its own way."""


@dataclass(frozen=True, slots=True)
class Edge:
    """
    A way from one state to another: an operation, or a happening with the recipe that brings it about.
    """

    event: str
    happening: bool
    before: str
    after: str


def cells(held: Spec) -> Mapping[str, str]:
    """
    Every generated file, by its path below the scenarios.
    """
    machine = held.machine
    files = {}
    for state in machine.states:
        for operation in machine.operations:
            files[f"{FOLDER}/{state.lower()}_{operation}.yaml"] = _file(held, state, operation, _way(machine, state))
        if machine.states[state].exists:
            files[f"{FOLDER}/{state.lower()}_read.yaml"] = _read(held, state, _way(machine, state))
    for operation in machine.operations:
        way = _round(machine)
        files[f"{FOLDER}/purged_{operation}.yaml"] = _file(held, nowhere(machine), operation, way, purged=True)
        if _reads(machine, operation):
            files[f"{FOLDER}/scheduled_{operation}.yaml"] = _scheduled(held, operation)
    return files


def _reads(machine: Machine, operation: str) -> bool:
    """
    Whether an operation changes nothing in any state, and answers where nothing has happened yet.
    """
    cells = [row[operation] for row in machine.table.values()]
    return all(cell.settles == (cell.state,) and cell.reply != spec.UNSPECIFIED for cell in cells)


def _edges(machine: Machine, state: str) -> Iterator[Edge]:
    recipes = spec.workflows()["recipes"]
    for name in machine.offered(checks.HTTP):
        cell = machine.cell(state, name)
        after = settled(machine, cell)
        if after != state:
            yield Edge(name, happening=False, before=state, after=after)
    for name in machine.happenings:
        cell = machine.cell(state, name)
        if name in recipes and not cell.impossible and settled(machine, cell) != state:
            yield Edge(name, happening=True, before=state, after=settled(machine, cell))


def _way(machine: Machine, goal: str, start: str = "") -> tuple[Edge, ...] | None:
    """
    The shortest way to a state, breadth first; None where only a target that holds it gets there.
    """
    first = start or nowhere(machine)
    ways: dict[str, tuple[Edge, ...]] = {first: ()}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        for edge in _edges(machine, state):
            if edge.after not in ways:
                ways[edge.after] = (*ways[state], edge)
                waiting.append(edge.after)
    return ways.get(goal)


def _round(machine: Machine) -> tuple[Edge, ...]:
    """
    The shortest way that leaves the state of an unused ID and comes back to it.
    """
    home = nowhere(machine)
    ways = []
    for first in _edges(machine, home):
        back = _way(machine, home, first.after)
        if back:
            ways.append((first, *back))
    return min(ways, key=len)


def _file(held: Spec, state: str, operation: str, way: tuple[Edge, ...] | None, *, purged: bool = False) -> str:
    machine = held.machine
    unused = state == nowhere(machine) and not purged
    instance = NOBODY if unused else INSTANCE
    only = machine.operations[operation].surfaces
    steps = [*_control(machine, unused=unused), *_path(machine, state, way, _first(operation), only)]
    here, known = state, operation == RERUN and machine.states[state].exists and way is not None
    steps += [NUMBERED] * known
    profiles = list(held.rules[NUMBERED["rule"]].profiles) if known else []
    for _ in range(2):
        after = settled(machine, machine.cell(here, operation))
        steps += [_asked(held, here, operation, instance, known=known), _outcome(instance, moved=after != here)]
        here = after
    title = f"{operation} {'after a purge' if purged else f'in {state}'}, twice, does what the table says"
    patient = _patient(machine, state) if way is None and len(only) > 1 else []
    more: Step = {
        "surfaces": [kind for kind in only if kind not in patient] if patient else _surfaces(machine, operation)
    }
    more |= {"profiles": profiles, "instances": {NOBODY: f"{{u}}-{NOBODY}"} if unused else {}}
    return _story(title, state, steps, more, held=way is None)


def _scheduled(held: Spec, operation: str) -> str:
    """
    A start for a time to come keeps an instance in its first state; what else may be asked of it is not specified.
    """
    machine = held.machine
    state = machine.cell(nowhere(machine), "start").settles[0]
    start = _call("start", INSTANCE, None, expect=None)
    steps = [{"start": {**start["start"], "delay": LATER}}, {**_look(state), "rule": SCHEDULED}]
    for _ in range(2):
        steps += [_asked(held, state, operation, INSTANCE), _outcome(INSTANCE, moved=False)]
    more: Step = {
        "surfaces": _surfaces(machine, operation, timed=True),
        "profiles": list(held.rules[SCHEDULED].profiles),
    }
    title = f"{operation} in {state} that a start for a time to come leads to, twice, does what the table says"
    return _story(title, state, steps, more, held=False)


def _surfaces(machine: Machine, operation: str, *, timed: bool = False) -> list[str]:
    """
    The kinds of surface that have an operation, and a start for a time to come; nothing where all have.
    """
    offered = machine.operations[operation].surfaces
    late = [kind for kind, one in spec.grpc().items() if TIME in one.forms["start"].fields]
    found = [kind for kind in offered if not timed or kind in late]
    return [] if len(found) == len(spec.SURFACES) else found


def _patient(machine: Machine, state: str) -> list[str]:
    """
    The kinds of surface whose start is not answered while the instance is in the state that a start leads to.
    """
    first = machine.cell(nowhere(machine), "start").settles[0]
    return [kind for kind, one in spec.grpc().items() if state == first and one.forms["start"].with_effect]


def _elsewhere(machine: Machine, state: str, only: tuple[str, ...]) -> Step:
    """
    The surface that an instance is started on where its own would wait.
    """
    patient = _patient(machine, state)
    if not only or any(kind not in patient for kind in only):
        return {}
    return {
        "on": next(
            name for name, kind, _ in load.surfaces(spec.openapi()) if kind in spec.grpc() and kind not in patient
        )
    }


def _asked(held: Spec, state: str, operation: str, instance: str, *, known: bool = False) -> Step:
    """
    An operation as its cell says; the client gives a wait up that nothing will end.
    """
    step = _call(operation, instance, None)
    if known:
        step[operation] = {**step[operation], "number": "${number}"}
    row = held.replies.get(held.machine.cell(state, operation).reply)
    if row and any(column.get("code") == EXPIRED for column in row.surfaces.values()):
        step[operation] = {"instance": instance, "within": 0.3}
    return step


def _first(operation: str) -> list[Step]:
    """
    The instructions that a workflow needs before the others, for an operation to find what it is about.
    """
    return [{"call_activity": 1}] if operation == RERUN else []


def _read(held: Spec, state: str, way: tuple[Edge, ...] | None) -> str:
    """
    What leads to a state is followed by nothing but reading: no other rule stands in the way of that of the reading.
    """
    steps = list(_path(held.machine, state, way))[:-1]
    look = {"get": INSTANCE, "expect": {"instanceID": {"$type": "string"}}, "for": 0.1}
    steps.append({"stays": look, "rule": held.machine.cell(state, "get").reply_rule})
    patient = _patient(held.machine, state) if way is None else []
    more: Step = {"surfaces": [kind for kind in spec.SURFACES if kind not in patient] if patient else []}
    return _story(f"on the way to {state} an instance can be read at any time", state, steps, more, held=way is None)


def _story(title: str, state: str, steps: list[Step], more: Step, *, held: bool) -> str:
    data: Step = {"version": 1, "title": title, "rules": ["?"], "tags": [FOLDER]}
    if held:
        data["requires"] = [f"hold_{state.lower()}"]
    data |= {key: value for key, value in more.items() if value} | {"steps": steps}
    data["rules"] = _rules(data)
    return HEADER + written(data)


def _control(machine: Machine, *, unused: bool) -> Iterator[Step]:
    """
    An accepted step for a scenario whose other steps may all be refused, and what comes of it: who does nothing shows
    nothing.
    """
    if unused:
        cell = next(row[ECHOED] for row in machine.table.values() if not row[ECHOED].impossible)
        yield {"start": {"workflow": "ConformanceEcho", "input": 1, "as": CONTROL}}
        yield {
            "eventually": {"get": CONTROL, "expect": {"runtimeStatus": settled(machine, cell)}},
            "rule": cell.settles_rule,
        }


def _path(
    machine: Machine,
    state: str,
    way: tuple[Edge, ...] | None,
    first: list[Step] | None = None,
    only: tuple[str, ...] = (),
) -> Iterator[Step]:
    if way is None:
        yield _call("start", INSTANCE, None, expect=None, first=first) | _elsewhere(machine, state, only)
        yield _look(state)
        return
    for edge in way:
        if edge.happening:
            yield {"raise_event": {"instance": INSTANCE, "name": spec.workflows()["recipes"]["event"], "data": 1}}
            yield {**_look(edge.after), "rule": machine.cell(edge.before, edge.event).settles_rule}
        else:
            yield _call(edge.event, INSTANCE, way, expect=None, first=first)
            yield _look(edge.after) if machine.states[edge.after].exists else _gone()


def _look(state: str) -> Step:
    return {"eventually": {"get": INSTANCE, "expect": {"runtimeStatus": state}}}


def _outcome(instance: str, *, moved: bool) -> Step:
    """
    A look at what the operation led to: a change comes in time, and what does not change must not change later either.
    """
    look = {"get": instance, "expect": "cell"}
    return {"eventually": look} if moved else {"stays": {**look, "for": 0.2}}


def _gone() -> Step:
    return {"eventually": {"get": INSTANCE, "expect": "absent"}}


def _call(
    operation: str,
    instance: str,
    way: tuple[Edge, ...] | None,
    expect: str | None = "cell",
    first: list[Step] | None = None,
) -> Step:
    recipes = spec.workflows()["recipes"]
    recipe = next((edge.event for edge in way or () if edge.happening), "wait") if expect is None else "wait"
    step: Step = {operation: instance}
    if operation == "start":
        script = {**recipes[recipe], "do": [*(first or ()), *recipes[recipe]["do"]]}
        step = {"start": {"workflow": "ConformanceScript", "input": script, "as": instance}}
    elif operation == "raise_event":
        step = {"raise_event": {"instance": instance, "name": recipes["other_event"], "data": 1}}
    elif operation == RERUN:
        step = {RERUN: {"instance": instance, "number": 0}}
    return step if expect is None else {**step, "expect": expect}


def _rules(data: Step) -> list[str]:
    """
    The rules that the checks of a scenario carry, in any profile.
    """
    anything = next(iter(spec.load().rules))
    text = HEADER + written({**data, "rules": [anything]})
    scenario = load.read(spec.read(text, f"{FOLDER}/generated"), FOLDER, _words())
    found: set[str] = set()
    for name in spec.profiles():
        held = spec.load(name)
        for kind in scenario.surfaces or spec.SURFACES:
            for planned in checks.plan(scenario, scenario.rows[0], held, _contract(), kind):
                found |= {check.rule for check in planned.every()}
    return sorted(found)


@cache
def _words() -> Vocabulary:
    return load.vocabulary()


@cache
def _contract() -> Contract:
    return Contract(spec.openapi())


def written(data: Step) -> str:
    """
    A scenario as the text of its file, without a header.
    """
    lines = [f"{key}: {_flow(value)}" for key, value in data.items() if key != "steps"]
    lines.append("steps:")
    for step in data["steps"]:
        first, *rest = (f"{key}: {_flow(value)}" for key, value in step.items())
        lines += [f"  - {first}", *(f"    {line}" for line in rest)]
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    plain = isinstance(value, str) and value.replace("_", "").replace("-", "").replace(" ", "").isalnum()
    return value if plain else json.dumps(value, ensure_ascii=False)


def main(argv: list[str]) -> int:
    """
    Write the folder, or with --check tell what differs; the exit code.
    """
    folder = Path(__file__).resolve().parent.parent / "scenarios" / FOLDER
    wanted = {folder.parent / path: text for path, text in cells(spec.load()).items()}
    there = set(folder.glob("*.yaml")) if folder.is_dir() else set()
    wrong = sorted(there - wanted.keys())
    wrong += [path for path, text in wanted.items() if path not in there or path.read_text(encoding="utf-8") != text]
    if argv == ["--check"]:
        sys.stdout.writelines(f"{path}: not as the table says; run python -m conformance.derive\n" for path in wrong)
        return 1 if wrong else 0
    if argv:
        sys.stderr.write("usage: python -m conformance.derive [--check]\n")
        return 2
    folder.mkdir(exist_ok=True)
    for path in there - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(wanted)} files in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
