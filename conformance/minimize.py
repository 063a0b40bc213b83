"""
A failing scenario -> the least one that still fails under the same rule.

Rule 1: a candidate that is no scenario any more does not fail; only what was executed counts.
Rule 2: steps go first, then instructions of scripts, then further checks.
Rule 3: a candidate must pass on the reference server, as the whole does: one that became wrong is no smaller one.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack
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
    from .reach import Reached

HEADER = "# yaml-language-server: $schema=https://workflow-conformance.dev/schemas/scenario.json\n"
Data = dict[str, Any]


def minimize(path: Path, options: Options, rule: str = "", surface: str = "", output: Path | None = None) -> int:
    """
    The whole of `workflow-conformance minimize`; the exit code.
    """
    data = _read(path)
    if rule and rule not in spec.load().rules:
        raise UsageError(f"--rule {rule}: no such rule; `list rules` shows them all")
    with ExitStack() as stack:
        trial = _Trial(stack.enter_context(reached(options, surface)), path.name)
        rule = _rule(trial.outcome(data, strict=True), rule, path)
        control = _control(stack, options, surface, data, path.name)
        right = control.passes if control else _anything
        found = smallest(
            data, lambda one: rule in trial.rules({**one, "rules": [rule]}) and right({**one, "rules": [rule]})
        )
        found["rules"] = [rule]
        if rule not in trial.rules(found):
            raise CannotRun(f"{path}: it does not fail each time; `run --repeat 20` shows how often")
    shown = HEADER + written(found)
    click.echo(shown, nl=False)
    click.echo(f"{len(data['steps'])} -> {len(found['steps'])} steps, {rule}, {trial.count} attempts", err=True)
    if output is not None:
        try:
            output.write_text(shown, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"-o {output}: cannot be written: {error.strerror or error}") from None
    return 0


def smallest(data: Data, fails: Callable[[Data], bool]) -> Data:
    """
    The least of a scenario that fails, by leaving out steps, instructions, checks and instances.
    """
    steps = least(data["steps"], lambda kept: bool(kept) and fails({**data, "steps": list(kept)}))
    found = {**data, "steps": list(steps)}
    for place in list(_lists(found["steps"])):
        found = _fewer(found, place, fails)
    for key in ("instances", "tags"):
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
    if control.passes(data):
        return control
    click.echo("the reference server does not pass this scenario either: what is left may be wrong by itself", err=True)
    return None


def _anything(data: Data) -> bool:
    del data
    return True


class _Trial:
    """
    Executes candidates.
    """

    def __init__(self, place: Reached, name: str) -> None:
        self._place, self._name, self.count = place, name, 0

    def rules(self, data: Data) -> list[str]:
        """
        The rules that a candidate breaks; none where it is no scenario.
        """
        outcome = self.outcome(data)
        return [rule for rule, _ in outcome.failing] if outcome and outcome.result == "fail" else []

    def passes(self, data: Data) -> bool:
        """
        Whether a candidate passes, whatever it says that it is about.
        """
        found = self.outcome(data)
        return found is not None and found.result == "pass"

    def outcome(self, data: Data, *, strict: bool = False) -> Outcome | None:
        """
        What executing it comes to; None where it is no scenario.
        """
        try:
            case = self._place.case(HEADER + written(data), self._name)
        except (BadFiles, spec.BadFile) as error:
            if strict:
                raise BadFiles(getattr(error, "problems", [str(error)])) from None
            return None
        self.count += 1
        return self._place.executed(case)


def _rule(outcome: Outcome | None, asked: str, path: Path) -> str:
    if outcome is None or outcome.result != "fail":
        why = f": {outcome.cause}" if outcome and outcome.cause else ""
        raise UsageError(f"{path}: it does not fail here{why}; there is nothing to minimize")
    failing = [rule for rule, _ in outcome.failing]
    if asked and asked not in failing:
        raise UsageError(f"{path}: it does not fail under {asked}; it fails under {', '.join(failing)}")
    return asked or outcome.rule


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
