"""
Draws the moves of a walk.

Rule 1: what is drawn depends on the seed alone, never on what a server answers or on how long it takes.
Rule 2: what was tried least in a state is tried first, so that short walks come everywhere, also to states that pass
quickly: there nothing is awaited on the way.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from spec import UNSPECIFIED

from .guess import Guess, least
from .moves import CHILD, GET, RAISE, START, Move, Op

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .model import Model

PATIENCE = 3
"""Operations on an instance, at most, of which none was seen to take effect."""

LIFE = 24
"""Operations on one ID, about, before a fresh one takes its place."""

SETTLED, LOOKS, AGAIN = 0.65, 0.2, 0.01
"""How often an operation is followed by a wait for its effect, and how often by a get; how often all is seen again."""

AIMED = 0.5
"""How often what comes next is the shortest way to what was tried least, and that."""


class Leg(NamedTuple):
    """
    One operation on a way; whether what went before is awaited first.
    """

    op: Op
    waits: bool


class Atlas:
    """
    Where operations lead, if every effect comes at once or if none has come yet.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.ops = tuple(operations(model))
        self.after = lru_cache(maxsize=16384)(self._after)
        self.rests = lru_cache(maxsize=16384)(self._rests)

    def key(self, guess: Guess, op: Op) -> tuple[str, str, Op]:
        """
        What an operation in a state is counted as: of the instance or of its child, under a condition or not.
        """
        part = self.model.part(guess, op)
        cell = self.model.cell(part, op.operation)
        coming = ""
        if self.model.conditional(part, op.operation):
            coming = "condition"
        elif part.script and (op.event == part.script[0].waits if op.event else not part.script[0].need):
            coming = part.script[0].happening
        recipe = op.recipe if self.model.accepts(cell.acts) else ""
        return part.state, coming, Op(op.operation, recipe, op.event)

    def legs(self, guess: Guess) -> Iterator[tuple[Guess, Leg]]:
        """
        Every operation from here, in a state that is passing and once it has passed.
        """
        rests = self.rests(guess)
        if self.here(guess) != rests:
            yield from ((guess, Leg(op, waits=False)) for op in self.ops if not op.whom)
        yield from ((rests, Leg(op, waits=True)) for op in self.ops if self.drawn(rests, op))

    def drawn(self, guess: Guess, op: Op) -> bool:
        """
        Whether an operation is drawn here: not where its condition is one that the profile is silent of.
        """
        if op.whom and not guess.kin:
            return False
        part = self.model.part(guess, op)
        silent = self.model.cell(part, op.operation).reply == UNSPECIFIED
        return not (silent and self.model.conditional(part, op.operation))

    def here(self, guess: Guess) -> Guess:
        """
        Where an instance is that nobody has waited for: only what begins is caught in a state that passes.
        """
        rests = self.rests(guess)
        begins = guess.state != rests.state and all(one.operation == self.model.opening for one in guess.inbox)
        return guess if begins else rests

    def _rests(self, guess: Guess) -> Guess:
        return least(self.model.settled(frozenset({guess})))

    def _after(self, guess: Guess, op: Op) -> Guess:
        """
        What an operation leaves, before any effect of it.
        """
        cell = self.model.cell(self.model.part(guess, op), op.operation)
        if op.operation == GET or not self.model.accepts(cell.acts):
            return guess
        return least(self.model.asked(guess, op))

    def way(self, here: Guess, good: Goal) -> tuple[Leg, ...]:
        """
        The shortest way to what is counted least by `good`, with it as the last leg.
        """
        seen, waiting = {here}, deque([(here, tuple[Leg, ...]())])
        best: tuple[Leg, ...] = ()
        fewest = float("inf")
        while waiting and fewest > good.floor:
            guess, way = waiting.popleft()
            for before, leg in good.shuffled(list(self.legs(guess))):
                count = good.count(before, leg.op)
                if count < fewest:
                    best, fewest = (*way, leg), count
                after = self.after(before, leg.op)
                if after not in seen:
                    seen.add(after)
                    waiting.append((after, (*way, leg)))
        good.floor = int(fewest)
        return best


class Goal(Protocol):
    """
    What is looked for, the less it counts the rather. `floor`: less than it there can be none.
    """

    floor: int

    def count(self, guess: Guess, op: Op) -> float:
        """
        What an operation in a state counts.
        """

    def shuffled(self, legs: list[tuple[Guess, Leg]]) -> list[tuple[Guess, Leg]]:
        """
        The order in which legs are tried.
        """


class Tried:
    """
    What was tried least. `floor`: what was found last, and less than it there can be none.
    """

    def __init__(self, atlas: Atlas, chance: Random) -> None:
        self._atlas, self._chance = atlas, chance
        self.tried: Counter[tuple[str, str, Op]] = Counter()
        self.floor = 0

    def count(self, guess: Guess, op: Op) -> float:
        """
        How often it was tried.
        """
        return self.tried[self._atlas.key(guess, op)]

    def shuffled(self, legs: list[tuple[Guess, Leg]]) -> list[tuple[Guess, Leg]]:
        """
        In any order.
        """
        self._chance.shuffle(legs)
        return legs


class Chooser:
    """
    Moves on several instances at a time. `name` tells instances of one walk from those of another.
    """

    def __init__(self, model: Model, chance: Random, slots: int = 3, name: str = "i") -> None:
        self._model, self._chance, self._name = model, chance, name
        self._atlas = Atlas(model)
        self._goal = Tried(self._atlas, chance)
        self._live: dict[str, Guess] = {}
        self._asked: Counter[str] = Counter()
        self._serial = 0
        self._slots = slots

    @property
    def tried(self) -> Counter[tuple[str, str, Op]]:
        """
        How often each operation was tried in each state.
        """
        return self._goal.tried

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
        name = self._instance()
        legs = self._legs(name)
        for leg in legs:
            if leg.waits and self._asked[name]:
                yield self._settle(name)
            yield Move("act", name, leg.op)
            self._follow(name, leg.op)
        dice = self._chance.random()
        if dice < SETTLED or self._asked[name] >= PATIENCE:
            yield self._settle(name)
        elif dice < SETTLED + LOOKS or not legs[-1].waits:
            yield Move("look", name)

    def _settle(self, name: str) -> Move:
        self._asked[name] = 0
        self._live[name] = self._atlas.rests(self._live[name])
        return Move("settle", name)

    def _again(self) -> Iterator[Move]:
        for name in self._live:
            yield self._settle(name)
        for name in self._live:
            yield Move("later", name)

    def _instance(self) -> str:
        names = list(self._live)
        old = [name for name in names if self._chance.random() < 1 / (LIFE * self._slots)]
        for name in old[:1]:
            del self._live[name]
            names.remove(name)
        if len(names) < self._slots:
            self._serial += 1
            name = f"{self._name}{self._serial}"
            self._live[name] = least(self._model.unknown)
            return name
        return self._chance.choice(names)

    def _legs(self, name: str) -> tuple[Leg, ...]:
        here = self._atlas.here(self._live[name])
        if self._chance.random() < AIMED:
            return self._atlas.way(self._live[name], self._goal)
        ops = [op for op in self._atlas.ops if self._atlas.drawn(here, op)]
        weights = [1.0 / (1 + self._goal.count(here, op)) ** 3 for op in ops]
        op = self._chance.choices(ops, weights)[0]
        return (Leg(op, waits=bool(op.whom)),)

    def _follow(self, name: str, op: Op) -> None:
        here = self._atlas.here(self._live[name])
        self._goal.tried[self._atlas.key(here, op)] += 1
        self._live[name] = self._atlas.after(here, op)
        self._asked[name] += op.operation != GET


def operations(model: Model) -> Iterator[Op]:
    """
    Every operation a walk may ask for, of an instance and of its child.
    """
    book = model.book
    plain = [name for name, recipe in book.recipes.items() if not recipe.sets_off]
    for whom in ("", CHILD):
        for name in model.machine.offered("http"):
            if name == START:
                recipes = plain[:2] if whom else book.recipes
                yield from (Op(name, recipe=recipe, whom=whom) for recipe in recipes)
            elif name == RAISE:
                yield from (Op(name, event=event, whom=whom) for event in (book.event, book.other))
            else:
                yield Op(name, whom=whom)
