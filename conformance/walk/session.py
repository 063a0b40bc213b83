"""
Puts walks together: target, model, moves, oracle, shrinking, and the scenario files of what was found.

Rule 1: each walk draws from a seed of its own, so that each can be walked again alone.
Rule 2: a finding is executed once more by the runner, as the scenario that is written.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.errors import CannotRun
from conformance.reach import reached
from conformance.session import Options

from . import together
from .choose import Chooser
from .model import Model
from .moves import book
from .oracle import Oracle
from .order import TRIES, Order, told
from .reduce import PASSING, Reducer
from .steady import Steady
from .tell import scenario
from .walker import Place, Walker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.reach import Reached

    from .moves import Move
    from .oracle import Finding
    from .together import Clash
    from .walker import Violation

HOLDS = "hold_"
SHORT = 0.2
"""The part of the usual time that an effect gets while a finding is shrunk."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What the command line asks for.
    """

    options: Options = field(default_factory=Options)
    surface: str = ""
    seed: int = 1
    steps: int = 1000
    walks: int = 1
    parallel: int = 1
    seconds: float = 0.0
    out: Path = Path("reports")


def walk(asked: Asked) -> int:
    """
    The whole of `workflow-conformance walk`; the exit code.
    """
    with reached(asked.options, asked.surface) as at:
        session = _Session(asked, at)
        found = session.together() if asked.parallel > 1 else session.alone()
    moves = f"{session.executed} moves, seed {asked.seed}, profile {at.held.profile.name}, {at.surface}"
    click.echo(f"{'not conformant' if found else 'nothing found'}: {found} findings in {moves}")
    if not session.executed:
        raise CannotRun("--time was over before the first move; give more of it")
    return 1 if found else 0


class _Session:
    def __init__(self, asked: Asked, at: Reached) -> None:
        self._asked, self._at = asked, at
        held = [name for name in at.held.machine.states if f"{HOLDS}{name.lower()}" in at.target.capabilities]
        self._requires = [f"{HOLDS}{name.lower()}" for name in held]
        model = Model(at.held, book(at.held, alone=bool(held)), held[0] if held else "")
        self._oracle = Oracle(model, at.contract, at.kind)
        scale = asked.options.scale
        connection = at.server.connection
        base = Place(connection.ask, at.calls, Steady(), at.server.probe, at.target.workflows)
        self._place = replace(base, within=base.within * scale)
        self._short = replace(base, within=base.within * scale * SHORT)
        self._until = time.monotonic() + asked.seconds if asked.seconds else 0.0
        self.executed = 0

    def alone(self) -> int:
        """
        Walk after walk; how many broke a rule.
        """
        found = 0
        for number in range(self._asked.walks):
            chooser = Chooser(self._oracle.model, random.Random(f"{self._asked.seed}/{number}"))  # noqa: S311
            walker = Walker(self._place, self._oracle, self._at.tokens.next())
            violation = walker.walk(self._in_time(chooser.moves(self._asked.steps)))
            self.executed += walker.executed
            walker.sweep()
            if violation:
                found += 1
                self._report(violation, number + 1)
        return found

    def together(self) -> int:
        """
        Rounds of operations sent by several threads at once; how many histories nothing explains.
        """
        rounds = together.Rounds(self._place, self._oracle, self._asked.parallel, self._asked.seed)
        found = 0
        for number in range(self._asked.walks):
            clash = rounds.walk(self._asked.steps, number, self._at.tokens.next(), self._over)
            if clash:
                found += 1
                self._explain(clash, number + 1)
        self.executed = rounds.executed
        return found

    def _over(self) -> bool:
        return bool(self._until) and time.monotonic() > self._until

    def _in_time(self, moves: Iterable[Move]) -> Iterator[Move]:
        for move in moves:
            if self._over():
                return
            yield move

    def _explain(self, clash: Clash, number: int) -> None:
        """
        What a clash comes to, and the scenario that shows it again.
        """
        order = Order(self._short, self._oracle, clash, self._at.tokens.next())
        alone = order.alone()
        if alone:
            self._report(alone, number)
            return
        (way, ops), finding = order.fewest(), order.finding()
        self._rule(finding)
        click.echo(clash.told())
        path = self._path(number)
        text = order.scenario(way, ops, self._requires)
        again = any(self._again(text, path.name, finding.rule) for _ in range(TRIES))
        self._write(path, text)
        click.echo(f"  {len(clash.ops)} -> {len(ops)} operations at once: {', '.join(told(ops))}; {path}")
        self._doubt(again=again)

    def _report(self, violation: Violation, number: int) -> None:
        """
        Shrink a finding, write its scenario, and see whether it fails again.
        """
        path = self._path(number)
        reducer = Reducer(self._short, self._oracle, violation, self._at.tokens.next())
        text, small, again = "", violation, False
        for one in chain(reducer.found(), [violation]):
            text, small = scenario(one, self._oracle.model, self._requires), one
            again = any(self._again(text, path.name, one.finding.rule) for _ in range(PASSING))
            if again:
                break
        self._write(path, text)
        self._say(small, len(violation.moves), path, again=again)

    def _path(self, number: int) -> Path:
        return self._asked.out / f"walk-{self._asked.seed}-{number}.yaml"

    def _write(self, path: Path, text: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CannotRun(f"--out {self._asked.out}: cannot be written: {error.strerror or error}") from None

    def _again(self, text: str, name: str, rule: str) -> bool:
        outcome = self._at.executed(self._at.case(text, name))
        return outcome.rule == rule or rule in [one for one, _ in outcome.failing]

    def _say(self, small: Violation, before: int, path: Path, *, again: bool) -> None:
        finding = small.finding
        self._rule(finding)
        click.echo(f"  {finding.why}\n  wanted: {finding.wanted}\n  seen:   {finding.seen}")
        for move in small.moves:
            detail = move.op.recipe or move.op.event
            click.echo(f"  - {move.op.operation if move.kind == 'act' else move.kind}{f' {detail}' if detail else ''}")
        click.echo(f"  {before} -> {len(small.moves)} moves; {path}")
        self._doubt(again=again)

    def _rule(self, finding: Finding) -> None:
        level = self._at.held.rules[finding.rule]
        click.echo(f"{finding.rule} ({level.level}): {level.statement}")

    @staticmethod
    def _doubt(*, again: bool) -> None:
        if not again:
            click.echo("  the scenario alone does not fail each time: it takes the timing of the walk")


__all__ = ["Asked", "walk"]
