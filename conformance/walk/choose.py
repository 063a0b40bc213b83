"""
Draws the moves of a walk.

Rule 1: what is drawn depends on the seed alone, never on what a server answers or on how long it takes.
Rule 2: what was tried least in a state is tried first, so that short walks come everywhere.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import lru_cache
from typing import TYPE_CHECKING

from .moves import GET, RAISE, START, Move, Op

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .model import Guess, Guesses, Model

PATIENCE = 3
"""Operations on an instance, at most, of which none was seen to take effect."""

LIFE = 24
"""Operations on one ID, about, before a fresh one takes its place."""

SETTLED, LOOKS, AGAIN = 0.65, 0.2, 0.01
"""How often an operation is followed by a wait for its effect, and how often by a get; how often all is seen again."""

STAYS = 0.5
"""How often the next operation is on the same instance, while nobody has waited for the effect of the last one: what
lasts a short time only is met in no other way."""

AIMED = 0.6
"""How often an operation is the first one of the shortest way to what was tried least."""


class Chooser:
    """
    Moves on several instances at a time. `name` tells instances of one walk from those of another.
    """

    def __init__(self, model: Model, chance: Random, slots: int = 3, name: str = "i") -> None:
        self._model, self._chance, self._name = model, chance, name
        self._tried: Counter[tuple[str, str, Op]] = Counter()
        self._live: dict[str, Guesses] = {}
        self._asked: Counter[str] = Counter()
        self._serial = 0
        self._last = ""
        self._slots = slots
        self._ops = tuple(operations(model))
        self._after = lru_cache(maxsize=4096)(self._next)

    def moves(self, count: int) -> Iterator[Move]:
        """
        So many moves, and a last look at every instance.
        """
        drawn = 0
        while drawn < count:
            for move in self._some():
                drawn += 1
                yield move
        yield from self._again()

    def _some(self) -> Iterator[Move]:
        if self._chance.random() < AGAIN:
            yield from self._again()
            return
        name = self._last = self._instance()
        op = self._op(name)
        yield Move("act", name, op)
        self._follow(name, op)
        dice = self._chance.random()
        if dice < SETTLED or self._asked[name] >= PATIENCE:
            self._asked[name] = 0
            yield Move("settle", name)
        elif dice < SETTLED + LOOKS:
            yield Move("look", name)

    def _again(self) -> Iterator[Move]:
        for name in self._live:
            self._asked[name] = 0
            yield Move("settle", name)
        for name in self._live:
            yield Move("later", name)

    def _instance(self) -> str:
        if self._asked[self._last] and self._chance.random() < STAYS:
            return self._last
        names = list(self._live)
        old = [name for name in names if self._chance.random() < 1 / (LIFE * self._slots)]
        for name in old[:1]:
            del self._live[name]
            names.remove(name)
        if len(names) < self._slots:
            self._serial += 1
            name = f"{self._name}{self._serial}"
            self._live[name] = self._model.unknown
            return name
        return self._chance.choice(names)

    def _op(self, name: str) -> Op:
        here = self._here(name)
        if self._chance.random() < AIMED:
            return self._aimed(here)
        weights = [1.0 / (1 + self._tried[self._key(here, op)]) ** 3 for op in self._ops]
        return self._chance.choices(self._ops, weights)[0]

    def _aimed(self, here: Guess) -> Op:
        """
        The first step of a shortest way to an operation in a state in which it was tried least.
        """
        ops = self._chance.sample(self._ops, len(self._ops))
        seen, waiting = {here}, deque([(here, Op(""))])
        best, least = ops[0], self._tried[self._key(here, ops[0])]
        while waiting:
            guess, first = waiting.popleft()
            for op in ops:
                tried = self._tried[self._key(guess, op)]
                if tried < least:
                    best, least = first if first.operation else op, tried
                after = self._after(guess, op)
                if after not in seen:
                    seen.add(after)
                    waiting.append((after, first if first.operation else op))
        return best

    def _key(self, guess: Guess, op: Op) -> tuple[str, str, Op]:
        coming = guess.script[0][1] if op.event == self._model.book.event and guess.script else ""
        return guess.state, coming, op

    def _here(self, name: str) -> Guess:
        """
        Where an instance is: as it was left, while nobody has waited for it, or else settled.
        """
        left = min(self._live[name])
        return left if self._asked[name] else self._settled(left)

    def _settled(self, guess: Guess) -> Guess:
        return min(self._model.settled(frozenset({guess})))

    def _next(self, guess: Guess, op: Op) -> Guess:
        """
        Where an operation leads if every effect comes at once.
        """
        guess = self._settled(guess)
        if op.operation == GET or not self._model.accepts(self._model.cell(guess, op.operation).acts):
            return guess
        return self._settled(min(self._model.asked(guess, op)))

    def _follow(self, name: str, op: Op) -> None:
        self._tried[self._key(self._here(name), op)] += 1
        guess = self._settled(min(self._live[name]))
        if op.operation == GET:
            return
        self._asked[name] += 1
        if self._model.accepts(self._model.cell(guess, op.operation).acts):
            self._live[name] = frozenset({min(self._model.asked(guess, op))})


def operations(model: Model) -> Iterator[Op]:
    """
    Every operation a walk may ask for.
    """
    book = model.book
    for name in model.machine.offered("http"):
        if name == START:
            yield from (Op(name, recipe=recipe) for recipe in book.recipes)
        elif name == RAISE:
            yield from (Op(name, event=event) for event in (book.event, book.other))
        else:
            yield Op(name)
