"""
A finding -> fewer moves that break the same rule.

Rule 1: the shortest way to what was asked, then that, then a look: tried for each operation that led to the finding,
the last one first. What no such way shows again is shrunk as it was walked.
Rule 2: each attempt is made on IDs of its own. One that breaks the same rule in the same way is preferred.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .choose import Atlas
from .guess import least as first
from .moves import Move
from .shrink import least
from .tell import Teller
from .walker import Violation, Walker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .choose import Leg
    from .guess import Guess
    from .moves import Op
    from .oracle import Finding, Oracle
    from .walker import Place

MOST = 40
"""Ways that are tried."""

TAIL = 10
"""Ways after which all that came after in the walk is tried, too: it may have to follow just as it did."""

LITTLE = 6
"""Steps that need no other explanation."""

PASSING = 3
"""Attempts at moves that do not wait for one another."""

OTHER = 2
"""What counts for something else."""

ENOUGH = 3
"""Ways that are handed on, the best first."""

MANY = 8
"""Ways that show something else, after which no more are looked for."""


class Target:
    """
    One operation in one state, as what is looked for: best where the workflow will do the same, too. `loose`: whatever
    the workflow does, of the instance as well as of its child.
    """

    floor = 0

    def __init__(self, atlas: Atlas, guess: Guess, op: Op, *, loose: bool = False) -> None:
        self._atlas, self._op, self._key = atlas, op, atlas.key(guess, op)
        self._script, self._loose = atlas.model.part(guess, op).script, loose

    def count(self, guess: Guess, op: Op) -> float:
        """
        0 for what is looked for, 1 for what only looks like it.
        """
        same = op == (self._op._replace(whom=op.whom) if self._loose else self._op)
        if not same or self._atlas.key(guess, op) != self._key:
            return OTHER
        return float(not self._loose and self._atlas.model.part(guess, op).script != self._script)

    @staticmethod
    def shuffled(legs: list[tuple[Guess, Leg]]) -> list[tuple[Guess, Leg]]:
        """
        In the order they come.
        """
        return legs


class Blamed(Target):
    """
    The operation whose answer was wrong, in a state in which it is.
    """

    def __init__(self, atlas: Atlas, op: Op, states: tuple[str, ...]) -> None:
        self._atlas, self._op, self._states = atlas, op._replace(whom=""), states

    def count(self, guess: Guess, op: Op) -> float:
        """
        0 for what is looked for.
        """
        here = self._atlas.model.part(guess, op).state
        return float(OTHER * (op._replace(whom="") != self._op or here not in self._states))


def ways(oracle: Oracle, violation: Violation) -> Iterator[tuple[Move, ...]]:
    """
    The shortest way to each operation that led to a finding, the last one first: then what was walked from there, if it
    was little, and else a look.
    """
    atlas, moves = Atlas(oracle.model), violation.moves
    home = first(oracle.model.unknown)
    here, targets = home, list[tuple[int, Target]]()
    for index, move in enumerate(moves):
        if move.kind == "act":
            targets += [(index, Target(atlas, atlas.here(here), move.op, loose=one)) for one in (True, False)]
            here = atlas.after(atlas.here(here), move.op)
        elif move.kind == "settle":
            here = atlas.rests(here)
    if moves[-1].kind == "act":
        targets.append((len(moves), Blamed(atlas, moves[-1].op, violation.finding.states)))
    known = set[tuple[Move, ...]]()
    for number, (index, target) in enumerate(reversed(targets)):
        legs = atlas.way(home, target)
        if not legs or target.floor == OTHER:
            continue
        way = tuple(patient(moves[0].instance, legs))
        if number < TAIL:
            yield (*way, *moves[index + 1 :])
        if way not in known and len(known) < MOST:
            known.add(way)
            yield (*way, Move("settle", moves[0].instance), Move("later", moves[0].instance))


def patient(name: str, legs: tuple[Leg, ...]) -> Iterator[Move]:
    """
    A way as moves, each effect awaited but in a state that passes.
    """
    for number, leg in enumerate(legs):
        if leg.waits and number:
            yield Move("settle", name)
        yield Move("act", name, leg.op)


class Reducer:
    """
    Executes attempts. `token` begins their IDs.
    """

    def __init__(self, place: Place, oracle: Oracle, violation: Violation, token: str) -> None:
        self._place, self._oracle, self._violation, self._token = place, oracle, violation, token
        self._attempts = 0

    def found(self) -> Iterator[Violation]:
        """
        Short ways that break the rule again, each as little as it can be, and as it was.

        Then what takes more, the least first: longer ones, what was walked, and ways that show another fault, under its
        own rule: what was found came of that one.
        """
        short, longer, others = 0, list[Violation](), list[Violation]()
        for again in filter(None, map(self._executed, ways(self._oracle, self._violation))):
            if not _same(again.finding, self._violation.finding):
                others.append(again)
            elif short + len(longer) < ENOUGH:
                small = self._least(again)
                if self._size(small) <= LITTLE:
                    short += 1
                    yield small
                    yield again
                else:
                    longer.append(small)
            if len(others) == MANY:
                break
        others = [self._least(one) for one in sorted(others, key=self._size)[:ENOUGH]]
        rest = sorted([*longer, *others], key=self._size)
        if not rest or self._size(rest[0]) > LITTLE:
            rest = sorted([*rest, self._least(self._violation)], key=self._size)
        yield from rest

    def _size(self, violation: Violation) -> int:
        """
        The steps of its scenario.
        """
        return len(list(Teller(self._oracle.model, violation.finding).steps(violation.moves)))

    def _least(self, violation: Violation) -> Violation:
        best = violation

        def fails(moves: tuple[Move, ...]) -> bool:
            nonlocal best
            again = self._executed(moves)
            same = again is not None and _same(again.finding, violation.finding)
            if again and same and len(again.moves) <= len(best.moves):
                best = again
            return same

        least(violation.moves, fails)
        return best

    def _executed(self, moves: tuple[Move, ...]) -> Violation | None:
        """
        What moves lead to; what hangs on a state that passes is tried more than once.
        """
        acts = [move.kind == "act" for move in moves]
        passing = any(one and other for one, other in pairwise(acts))
        attempts = (self._once(moves) for _ in range(PASSING if passing else 1))
        return next((one for one in attempts if one), None)

    def _once(self, moves: tuple[Move, ...]) -> Violation | None:
        self._attempts += 1
        walker = Walker(self._place, self._oracle, f"{self._token}-{self._attempts}")
        again = walker.walk(moves)
        walker.sweep()
        return again


def _same(one: Finding, other: Finding) -> bool:
    return (one.rule, one.kind) == (other.rule, other.kind)


def shrunk(place: Place, oracle: Oracle, violation: Violation, token: str) -> Violation:
    """
    The least of the moves that breaks a rule again, the same one if that can be.
    """
    return next(Reducer(place, oracle, violation, token).found())
