"""
Puts walks together: target, model, moves, oracle, shrinking, and the scenario files of what was found.

Rule 1: each walk draws from a seed of its own, so that each can be walked again alone.
Rule 2: a finding is executed once more by the runner, as the scenario that is written.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, replace
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
from .shrink import ends, least
from .tell import scenario
from .walker import Place, Violation, Walker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.reach import Reached

    from .moves import Move

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


def shrunk(place: Place, oracle: Oracle, violation: Violation, token: str) -> Violation:
    """
    The least of the moves that breaks the same rule again, each attempt on an ID of its own.

    Where the walk's timing cannot be had again, the least of what its moves break at another time; where that is
    nothing, the violation as it was.
    """
    tries = _Tries(place, oracle, token)
    other = None
    for moves in ends(violation.moves):
        found = tries.walk(moves)
        if found is not None and _alike(found, violation):
            return tries.least(found)
        other = other or found
    return tries.least(other) if other else violation


class _Tries:
    """
    Walks of some of the moves, again and again.
    """

    def __init__(self, place: Place, oracle: Oracle, token: str) -> None:
        self._place, self._oracle, self._token = place, oracle, token
        self._number = 0

    def walk(self, moves: tuple[Move, ...]) -> Violation | None:
        """
        What these moves break.
        """
        self._number += 1
        walker = Walker(self._place, self._oracle, f"{self._token}-{self._number}")
        found = walker.walk(moves)
        walker.sweep()
        return found

    def least(self, violation: Violation) -> Violation:
        """
        The shortest that was seen to break the same rule.
        """
        best = violation

        def fails(moves: tuple[Move, ...]) -> bool:
            nonlocal best
            found = self.walk(moves)
            if found is None or not _alike(found, violation):
                return False
            best = found if len(found.moves) <= len(best.moves) else best
            return True

        least(violation.moves, fails)
        return best


def _alike(one: Violation, other: Violation) -> bool:
    return (one.finding.rule, one.finding.kind) == (other.finding.rule, other.finding.kind)


class Wall:
    """
    The clock on the wall, and its sleep.
    """

    @staticmethod
    def now() -> float:
        return time.monotonic()

    @staticmethod
    def pause(seconds: float) -> None:
        time.sleep(seconds)


class _Session:
    def __init__(self, asked: Asked, at: Reached) -> None:
        self._asked, self._at = asked, at
        held = [name for name in at.held.machine.states if f"{HOLDS}{name.lower()}" in at.target.capabilities]
        self._requires = [f"{HOLDS}{name.lower()}" for name in held]
        model = Model(at.held, book(at.held.workflows), held[0] if held else "")
        self._oracle = Oracle(model, at.contract, at.kind)
        scale = asked.options.scale
        connection = at.server.connection
        base = Place(connection.ask, at.calls, Wall(), at.server.probe, at.target.workflows)
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
            trouble = rounds.walk(self._asked.steps, number, self._at.tokens.next(), self._over)
            if trouble:
                found += 1
                click.echo(trouble)
        self.executed = rounds.executed
        return found

    def _over(self) -> bool:
        return bool(self._until) and time.monotonic() > self._until

    def _in_time(self, moves: Iterable[Move]) -> Iterator[Move]:
        for move in moves:
            if self._over():
                return
            yield move

    def _report(self, violation: Violation, number: int) -> None:
        """
        Shrink a finding, write its scenario, and see whether it fails again.
        """
        small = shrunk(self._short, self._oracle, violation, self._at.tokens.next())
        path = self._asked.out / f"walk-{self._asked.seed}-{number}.yaml"
        text = scenario(small, self._oracle.model, self._requires)
        again = self._again(text, path.name, small.finding.rule)
        if not again and small.moves != violation.moves:
            whole = scenario(violation, self._oracle.model, self._requires)
            again = self._again(whole, path.name, violation.finding.rule)
            text, small = (whole, violation) if again else (text, small)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CannotRun(f"--out {self._asked.out}: cannot be written: {error.strerror or error}") from None
        self._say(small, len(violation.moves), path, again=again)

    def _again(self, text: str, name: str, rule: str) -> bool:
        outcome = self._at.executed(self._at.case(text, name))
        return outcome.rule == rule or rule in [one for one, _ in outcome.failing]

    def _say(self, small: Violation, before: int, path: Path, *, again: bool) -> None:
        finding = small.finding
        level = self._at.held.rules[finding.rule]
        click.echo(f"{finding.rule} ({level.level}): {level.statement}")
        click.echo(f"  {finding.why}\n  wanted: {finding.wanted}\n  seen:   {finding.seen}")
        for move in small.moves:
            detail = move.op.recipe or move.op.event
            click.echo(f"  - {move.op.operation if move.kind == 'act' else move.kind}{f' {detail}' if detail else ''}")
        click.echo(f"  {before} -> {len(small.moves)} moves; {path}")
        if not again:
            click.echo("  the scenario alone does not fail each time: it takes the timing of the walk")


__all__ = ["Asked", "shrunk", "walk"]
