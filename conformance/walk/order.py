"""
What a clash comes to: a fault of one operation, or of operations that come together.

Rule 1: each operation is tried alone first: what breaks a rule without company is told under that rule.
Rule 2: what takes company is made the fewest operations that still clash within some attempts, and told as a scenario
with one `parallel:` step, under the rule that spec/walks.yaml names.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .choose import Atlas
from .guess import least as first
from .linear import outcomes
from .moves import RAISE, START, Move, Op
from .oracle import Finding
from .reduce import Target, patient
from .shrink import least
from .tell import NAME, QUIET, Teller, document
from .together import at_once, judged
from .walker import Violation, Walker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .guess import Guess
    from .oracle import Oracle
    from .together import Clash
    from .walker import Place

TRIES = 5
"""Attempts at operations together before they are taken to agree."""


class Order:
    """
    Tries what clashed again. `token` begins the IDs.
    """

    def __init__(self, place: Place, oracle: Oracle, clash: Clash, token: str) -> None:
        self._place, self._oracle, self._clash, self._token = place, oracle, clash, token
        self._attempts = 0
        self._atlas = Atlas(oracle.model)

    def alone(self) -> Violation | None:
        """
        One of the operations that breaks a rule by itself, or all of them one after the other.
        """
        lonely = [(op,) for op in dict.fromkeys(self._clash.ops)]
        for before in sorted(self._clash.before, key=repr):
            for ops in (*lonely, self._clash.ops):
                moves = [*self._way(before)]
                for op in ops:
                    moves += [Move("act", NAME, op), Move("settle", NAME)]
                found = self._walker().walk([*moves, Move("later", NAME)])
                if found:
                    return found
        return None

    def fewest(self) -> tuple[tuple[Move, ...], tuple[Op, ...]]:
        """
        The way to where the instance was, and the fewest operations that clash there; all of them if they do not again.
        """
        ways = [self._way(before) for before in sorted(self._clash.before, key=repr)]
        for way in ways:
            if self._clashes(way, self._clash.ops):
                return way, least(self._clash.ops, partial(self._clashes, way))
        return ways[0], self._clash.ops

    def finding(self) -> Finding:
        """
        That no order explains what was seen.
        """
        rule = self._oracle.model.spec.walks.together
        return Finding(rule, "together", self._clash.why, None, None)

    def scenario(self, way: Sequence[Move], ops: Sequence[Op], requires: Sequence[str]) -> str:
        """
        The text of the scenario file: how many may be accepted, and where the instance may be then.
        """
        finding, model = self.finding(), self._oracle.model
        teller = Teller(model, finding)
        steps = [step for move in way for step in teller.led(move)]
        counts, states = outcomes(model, teller.likely(), ops)
        if any(op.operation == START for op in ops):
            teller.instances.pop(NAME, None)
        branches = [_branch(teller, op) for op in ops]
        many = {"accepted": {"$one_of": sorted(counts)}}
        steps.append({"parallel": branches, "expect": many, "rule": finding.rule})
        look = teller.look("", sorted(states))
        if look:
            steps.append({"eventually": look, "rule": finding.rule})
            steps.append({"stays": {**look, "for": QUIET}, "rule": finding.rule})
        return document(finding, steps, teller.instances, requires)

    def _way(self, before: Guess) -> tuple[Move, ...]:
        """
        The shortest way to such a state, each effect awaited.
        """
        here = self._atlas.rests(before)
        home = first(self._oracle.model.unknown)
        if here == home:
            return ()
        target = Arrival(self._atlas, here)
        legs = self._atlas.way(home, target)
        return (*patient(NAME, legs), Move("settle", NAME)) if not target.floor else ()

    def _clashes(self, way: Sequence[Move], ops: Sequence[Op]) -> bool:
        return len(ops) > 1 and any(self._attempt(way, ops) for _ in range(TRIES))

    def _attempt(self, way: Sequence[Move], ops: Sequence[Op]) -> bool:
        walker = self._walker()
        if walker.walk(way):
            return False
        instance = walker.instance(NAME)
        clash = judged(walker, self._oracle, instance, at_once(walker, instance, ops))
        walker.sweep()
        return clash is not None

    def _walker(self) -> Walker:
        self._attempts += 1
        return Walker(self._place, self._oracle, f"{self._token}-{self._attempts}")


class Arrival(Target):
    """
    An operation that leads to where an instance was.
    """

    def __init__(self, atlas: Atlas, there: Guess) -> None:
        self._atlas, self._there = atlas, there

    def count(self, guess: Guess, op: Op) -> float:
        """
        0 for one that leads there.
        """
        after = self._atlas.rests(self._atlas.after(guess, op))
        return float(
            (after.state, after.script, after.held) != (self._there.state, self._there.script, self._there.held)
        )


def _branch(teller: Teller, op: Op) -> dict[str, Any]:
    if op.operation == START:
        return {op.operation: teller.start(op)}
    if op.operation == RAISE:
        return {op.operation: {"instance": NAME, "name": op.event, "data": 1}}
    return {op.operation: NAME}


def told(ops: Sequence[Op]) -> Iterator[str]:
    """
    Operations, for people.
    """
    for op in ops:
        yield f"{op.operation} {op.recipe or op.event}".strip()
