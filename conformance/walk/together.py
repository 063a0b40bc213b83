"""
Rounds: several threads ask the same instances at once, then all is left to settle.

Rule 1: what is asked depends on the seed alone; only the order in which it arrives is left to chance.
Rule 2: a round is judged as a whole, each instance by its own history.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
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


class Rounds:
    """
    Walks with several threads.
    """

    def __init__(self, place: Place, oracle: Oracle, threads: int, seed: int) -> None:
        self._place, self._oracle, self._threads, self._seed = place, oracle, threads, seed
        self._ops = tuple(op for op in operations(oracle.model) if not op.whom and not _sets_off(oracle, op))
        self.executed = 0

    def walk(self, steps: int, number: int, token: str, over: Callable[[], bool]) -> str:
        """
        Rounds of one walk, until a history cannot be explained; that history as text, empty where there is none.
        """
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - moves are drawn, not secrets
        walker = Walker(self._place, self._oracle, token)
        goal, turn, trouble = self.executed + steps, 0, ""
        with ThreadPoolExecutor(self._threads) as pool:
            while self.executed < goal and not trouble and not over():
                names = [f"p{turn // ROUNDS}-{index}" for index in range(SHARED)]
                trouble = self._round(pool, walker, names, chance)
                turn += 1
        walker.sweep()
        return trouble

    def _round(self, pool: ThreadPoolExecutor, walker: Walker, names: Sequence[str], chance: random.Random) -> str:
        instances = [walker.instance(name) for name in names]
        scripts = [
            [(chance.choice(instances), chance.choice(self._ops)) for _ in range(BURST)] for _ in range(self._threads)
        ]
        histories: dict[str, list[Done]] = {one.id: [] for one in instances}
        for done in pool.map(lambda script: self._thread(walker, script), scripts):
            for name, one in done:
                histories[name].append(one)
                self.executed += 1
        for instance in instances:
            trouble = self._judged(walker, instance, histories[instance.id])
            if trouble:
                return trouble
        return ""

    def _thread(self, walker: Walker, script: Sequence[tuple[Instance, Op]]) -> list[tuple[str, Done]]:
        found = []
        for instance, op in script:
            asked = self._place.time.now()
            saw = walker.ask(instance, op)
            found.append((instance.id, Done(op, saw, asked, self._place.time.now())))
        return found

    def _judged(self, walker: Walker, instance: Instance, history: list[Done]) -> str:
        """
        Take one instance's history as it is explained, and let it settle.
        """
        wrong = [found for one in history if (found := self._oracle.documented(one.op.operation, one.saw))]
        before = instance.guesses
        after = explained(self._oracle, before, history)
        if wrong or not after:
            return self._told(instance, before, shortest(self._oracle, before, history), wrong[0].why if wrong else "")
        instance.resume(after, restarted=any(one.op.operation == START and accepts(one.saw) for one in history))
        finding = walker.settle(instance)
        if finding:
            return self._told(instance, before, history, f"{finding.rule}: {finding.why}")
        return ""

    @staticmethod
    def _told(instance: Instance, before: Guesses, history: Sequence[Done], why: str) -> str:
        states = " or ".join(sorted({one.state for one in before}))
        lines = [f"{instance.id}: {why or 'no order of these operations explains their answers'}"]
        lines.append(f"  it may have been in {states} before; seconds of request and answer:")
        first = min((one.asked for one in history), default=0.0)
        for one in sorted(history, key=lambda done: done.asked):
            detail = one.op.recipe or one.op.event
            name = f"{one.op.operation} {detail}".strip()
            body = f" {one.saw.text[:160]}" if one.op.operation == GET or not accepts(one.saw) else ""
            lines.append(f"  {one.asked - first:8.4f} {one.answered - first:8.4f}  {name} -> {one.saw.status}{body}")
        return "\n".join(lines)


def _sets_off(oracle: Oracle, op: Op) -> bool:
    return op.operation == START and bool(oracle.model.book.recipes[op.recipe].sets_off)
