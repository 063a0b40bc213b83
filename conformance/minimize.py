"""
A failing scenario -> the least one that still fails under the same rule, with the same row and on the same surface.

Rule 1: a candidate that is no scenario any more does not fail; only what was executed counts.
Rule 2: steps go first, then instructions of scripts, then further checks.
Rule 3: a candidate must pass on the reference server, as the whole does: one that became wrong is no smaller one.
"""

from __future__ import annotations

import copy
import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

import spec

from . import load
from .derive import written
from .errors import BadFiles, CannotRun, UsageError
from .reach import reached
from .session import Options
from .walk.shrink import least

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .case import Outcome
    from .plan import Case
    from .reach import Reached

HEADER = "# yaml-language-server: $schema=https://workflow-conformance.dev/schemas/scenario.json\n"
Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What the command line asks for. `row`: the label of a row of the matrix, nothing for the first that fails.
    """

    options: Options
    rule: str = ""
    surface: str = ""
    row: str | None = None
    output: Path | None = None


def minimize(path: Path, asked: Asked) -> int:
    """
    The whole of `workflow-conformance minimize`; the exit code.
    """
    data = _read(path)
    if asked.rule and asked.rule not in spec.load().rules:
        raise UsageError(f"--rule {asked.rule}: no such rule; `list rules` shows them all")
    with ExitStack() as stack:
        trial = _Trial(stack.enter_context(reached(asked.options, asked.surface)), path.name)
        trial.surfaces = (asked.surface,) if asked.surface else ()
        case, rule = _failing(trial, data, asked, path)
        trial.surfaces = (case.surface.name,)
        one = _alone(data, case)
        control = _control(stack, asked.options, case.surface.name, one, path.name)
        right = control.passes if control else _anything
        found = smallest(
            one, lambda tried: rule in trial.rules({**tried, "rules": [rule]}) and right({**tried, "rules": [rule]})
        )
        found["rules"] = [rule]
        if rule not in trial.rules(found):
            raise CannotRun(f"{path}: it does not fail each time; `run --repeat 20` shows how often")
    where = _where(case)
    _show(f"{HEADER}# {rule} fails on {where}\n{written(found)}", asked.output)
    click.echo(
        f"{len(data['steps'])} -> {len(found['steps'])} steps, {rule}, {where}, {trial.count} attempts", err=True
    )
    return 0


def _show(text: str, output: Path | None) -> None:
    click.echo(text, nl=False)
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"-o {output}: cannot be written: {error.strerror or error}") from None


def _failing(trial: _Trial, data: Data, asked: Asked, path: Path) -> tuple[Case, str]:
    """
    The first case that fails, and the rule that it is minimized under.
    """
    cases = trial.cases(data)
    chosen = [case for case in cases if asked.row in (None, case.row.label)]
    if not chosen:
        labels = ", ".join(dict.fromkeys(case.row.label or "(none)" for case in cases))
        raise UsageError(f"--row {asked.row}: {path} has no such row; there are {labels}")
    seen = []
    for case in chosen:
        outcome = trial.executed(case)
        failing = [rule for rule, _ in outcome.failing]
        if outcome.result == "fail" and asked.rule in ("", *failing):
            return case, asked.rule or outcome.rule
        if outcome.result != "pass":
            under = f"it fails under {', '.join(failing)}" if failing else outcome.cause
            seen.append(f"{_where(case)}: {under}")
    if asked.rule and seen:
        raise UsageError(f"{path}: it does not fail under {asked.rule}; {seen[0]}")
    why = f": {seen[0]}" if seen else f" in any of {len(chosen)} cases"
    raise UsageError(f"{path}: it does not fail here{why}; there is nothing to minimize")


def _where(case: Case) -> str:
    return f"{case.surface.name}{f', row {case.row.label}' if case.row.label else ''}"


def _alone(data: Data, case: Case) -> Data:
    """
    A scenario with one row of its matrix.
    """
    axes = [
        [(key, {label: value} if isinstance(axis, dict) else [value]) for label, value in _entries(axis)]
        for key, axis in data.get("matrix", {}).items()
    ]
    rows = list(itertools.product(*axes))
    number = next(index for index, row in enumerate(case.scenario.rows) if row is case.row)
    return {**data, "matrix": dict(rows[number])} if axes else data


def _entries(axis: Any) -> list[tuple[Any, Any]]:
    return list(axis.items()) if isinstance(axis, dict) else [(value, value) for value in axis]


def smallest(data: Data, fails: Callable[[Data], bool]) -> Data:
    """
    The least of a scenario that fails, by leaving out steps, instructions, checks and instances.
    """
    steps = least(data["steps"], lambda kept: bool(kept) and fails({**data, "steps": list(kept)}))
    found = {**data, "steps": list(steps)}
    for place in list(_lists(found["steps"])):
        found = _fewer(found, place, fails)
    for key in ("instances", "tags", "matrix"):
        candidate = {name: value for name, value in found.items() if name != key}
        if key in found and fails(candidate):
            found = candidate
    return found


def _fewer(data: Data, place: tuple[Any, ...], fails: Callable[[Data], bool]) -> Data:
    items = _at(data, place)
    return _put(data, place, list(least(items, lambda kept: fails(_put(data, place, list(kept)))))) if items else data


def _lists(node: Any, path: tuple[Any, ...] = ("steps",)) -> Iterator[tuple[Any, ...]]:
    """
    The places of the lists that may lose members: the instructions of scripts, further checks, branches.
    """
    entries = enumerate(node) if isinstance(node, list) else node.items() if isinstance(node, dict) else ()
    for key, inner in entries:
        if key in ("do", "checks", "parallel") and isinstance(inner, list):
            yield (*path, key)
        yield from _lists(inner, (*path, key))


def _at(data: Data, place: tuple[Any, ...]) -> list[Any]:
    node: Any = data
    for key in place:
        try:
            node = node[key]
        except (KeyError, IndexError):
            return []
    return list(node)


def _put(data: Data, place: tuple[Any, ...], value: list[Any]) -> Data:
    if not _at(data, place):
        return data
    changed = copy.deepcopy(data)
    node: Any = changed
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return changed


def _control(stack: ExitStack, options: Options, surface: str, data: Data, name: str) -> _Trial | None:
    """
    The reference server, where it passes the whole scenario and is not itself what fails.
    """
    if not (options.server or options.target):
        return None
    same = Options(profile=options.profile, scale=options.scale)
    control = _Trial(stack.enter_context(reached(same, surface)), name)
    control.surfaces = (surface,)
    if control.passes(data):
        return control
    click.echo("the reference server does not pass this scenario either: what is left may be wrong by itself", err=True)
    return None


def _anything(data: Data) -> bool:
    del data
    return True


class _Trial:
    """
    Executes candidates, on `surfaces` or on all.
    """

    def __init__(self, place: Reached, name: str) -> None:
        self._place, self._name, self.count = place, name, 0
        self.surfaces: tuple[str, ...] = ()

    def rules(self, data: Data) -> list[str]:
        """
        The rules that a candidate breaks; none where it is no scenario.
        """
        outcome = self._outcome(data)
        return [rule for rule, _ in outcome.failing] if outcome and outcome.result == "fail" else []

    def passes(self, data: Data) -> bool:
        """
        Whether a candidate passes, whatever it says that it is about.
        """
        found = self._outcome(data)
        return found is not None and found.result == "pass"

    def cases(self, data: Data) -> tuple[Case, ...]:
        """
        Every case of a scenario. Raises BadFiles where it is none.
        """
        try:
            return self._place.cases(HEADER + written(data), self._name, self.surfaces)
        except spec.BadFile as error:
            raise BadFiles([str(error)]) from None

    def executed(self, case: Case) -> Outcome:
        """
        What executing a case comes to.
        """
        self.count += 1
        return self._place.executed(case)

    def _outcome(self, data: Data) -> Outcome | None:
        """
        What a candidate comes to; None where it is no scenario.
        """
        try:
            return self.executed(self.cases(data)[0])
        except BadFiles:
            return None


def _read(path: Path) -> Data:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        document = spec.read(raw, str(path))
    except spec.BadFile as error:
        raise BadFiles([str(error)]) from None
    load.read(document, path.name, load.vocabulary())
    return dict(document.data)
