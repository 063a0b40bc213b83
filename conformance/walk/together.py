"""
Rounds: several threads ask the same instances at once, then all is left to settle.

Rule 1: what is asked depends on the seed alone; only the order in which it arrives is left to chance.
Rule 2: a round is judged as a whole, each instance by its own history.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.judge import accepts

from .choose import operations
from .linear import Done, explained, shortest
from .moves import GET, START, Op
from .walker import Walker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .guess import Guesses
    from .instance import Instance
    from .oracle import Oracle
    from .walker import Place

BURST = 2
"""Operations of each thread in a round."""

SHARED = 2
"""Instances that a round is about."""

ROUNDS = 6
"""Rounds until fresh instances take the place of the old."""


@dataclass(frozen=True, slots=True)
class Clash:
    """
    A history that no order explains, or whose end none explains; where the instance may have been before it.
    """

    before: Guesses
    history: tuple[Done, ...]
    why: str

    @property
    def ops(self) -> tuple[Op, ...]:
        """
        What was asked, in the order it was.
        """
        return tuple(one.op for one in sorted(self.history, key=lambda done: done.asked))

    def told(self) -> str:
        """
        The history, for people.
        """
        states = " or ".join(sorted({one.state for one in self.before}))
        lines = [f"  {self.why}", f"  it may have been in {states} before; seconds of request and answer:"]
        first = min((one.asked for one in self.history), default=0.0)
        for one in sorted(self.history, key=lambda done: done.asked):
            name = f"{one.op.operation} {one.op.recipe or one.op.event}".strip()
            body = f" {one.saw.text[:160]}" if one.op.operation == GET or not accepts(one.saw) else ""
            lines.append(f"  {one.asked - first:8.4f} {one.answered - first:8.4f}  {name} -> {one.saw.status}{body}")
        return "\n".join(lines)


class Rounds:
    """
    Walks with several threads.
    """

    def __init__(self, place: Place, oracle: Oracle, threads: int, seed: int) -> None:
        self._place, self._oracle, self._threads, self._seed = place, oracle, threads, seed
        self._ops = tuple(op for op in operations(oracle.model) if not op.whom and not _sets_off(oracle, op))
        self.executed = 0

    def walk(self, steps: int, number: int, token: str, over: Callable[[], bool]) -> Clash | None:
        """
        Rounds of one walk, until a history cannot be explained.
        """
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - moves are drawn, not secrets
        walker = Walker(self._place, self._oracle, token)
        goal, turn, clash = self.executed + steps, 0, None
        with ThreadPoolExecutor(self._threads) as pool:
            while self.executed < goal and not clash and not over():
                names = [f"p{turn // ROUNDS}-{index}" for index in range(SHARED)]
                clash = self._round(pool, walker, names, chance)
                turn += 1
        walker.sweep()
        return clash

    def _round(
        self, pool: ThreadPoolExecutor, walker: Walker, names: Sequence[str], chance: random.Random
    ) -> Clash | None:
        instances = [walker.instance(name) for name in names]
        scripts = [
            [(chance.choice(instances), chance.choice(self._ops)) for _ in range(BURST)] for _ in range(self._threads)
        ]
        histories: dict[str, list[Done]] = {one.id: [] for one in instances}
        for done in pool.map(lambda script: [(one.id, asked(walker, one, op)) for one, op in script], scripts):
            for name, one in done:
                histories[name].append(one)
                self.executed += 1
        clashes = (judged(walker, self._oracle, instance, histories[instance.id]) for instance in instances)
        return next((one for one in clashes if one), None)


def asked(walker: Walker, instance: Instance, op: Op) -> Done:
    """
    One operation, with the times of its request and its answer.
    """
    first = walker.now()
    saw = walker.ask(instance, op)
    return Done(op, saw, first, walker.now())


def at_once(walker: Walker, instance: Instance, ops: Sequence[Op]) -> list[Done]:
    """
    Operations that are all sent at the same time.
    """
    barrier = threading.Barrier(len(ops))

    def one(op: Op) -> Done:
        barrier.wait()
        return asked(walker, instance, op)

    with ThreadPoolExecutor(len(ops)) as pool:
        return list(pool.map(one, ops))


def judged(walker: Walker, oracle: Oracle, instance: Instance, history: Sequence[Done]) -> Clash | None:
    """
    Take one instance's history as it is explained, and let it settle.
    """
    wrong = [found for one in history if (found := oracle.documented(one.op.operation, one.saw))]
    before = instance.guesses
    after = explained(oracle, before, history)
    if wrong or not after:
        why = wrong[0].why if wrong else "no order of these operations explains their answers"
        return Clash(before, tuple(shortest(oracle, before, history)), why)
    instance.resume(after, restarted=any(one.op.operation == START and accepts(one.saw) for one in history))
    finding = walker.settle(instance)
    return (
        Clash(before, tuple(history), f"no order of these operations leads there: {finding.why}") if finding else None
    )


def _sets_off(oracle: Oracle, op: Op) -> bool:
    return op.operation == START and bool(oracle.model.book.recipes[op.recipe].sets_off)
