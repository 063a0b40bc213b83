"""
Walks on two servers: moves, differences, and the least moves that show each again.

Rule 1: moves depend on the seed and the table; both servers get each of them, in the same order.
Rule 2: the workflows wait for events only: of one with a timer or a child, two servers may show different states at any
moment without either being wrong, as each takes its own time for them.
Rule 3: what differs is walked once more on fresh instances, with all patience; only what differs again is told, shrunk.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.compare import SIDES
from conformance.plan import surfaces
from conformance.scenario import WITHIN
from conformance.walk.choose import Chooser
from conformance.walk.model import Model
from conformance.walk.moves import book
from conformance.walk.oracle import Oracle
from conformance.walk.shrink import least

from .pair import Lane, Pace, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import spec
    from conformance.reach import Reached
    from conformance.walk.moves import Move

    from .parting import Parting

Event = dict[str, Any]

BRIEF = 0.2
"""The part of the usual time that both get to settle, while a walk looks for differences and while one is shrunk."""

QUIET = 0.2
"""Seconds that two settled answers differ in the same way, until nobody waits for them to become alike."""

SURE = 5
"""So many times longer, where a difference is walked again."""

ENOUGH = 20
"""Differences of different kinds, after which no further one is looked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What the command line asks for.
    """

    walks: int = 3
    steps: int = 100
    seed: int = 1


@dataclass(slots=True)
class Abreast:
    """
    Walks on two servers, and what came of them: how many moves, how often both did alike what the table does not know,
    and how many differences did not show again.
    """

    at: Mapping[str, Reached]
    surfaces: Sequence[str]
    scale: float = 1.0
    moves: int = 0
    alike: int = 0
    passing: int = 0
    found: list[Event] = field(default_factory=list)
    _kinds: dict[str, Event] = field(default_factory=dict)

    def walk(self, asked: Asked) -> None:
        """
        Walk after walk, each on the next surface; `found` has the differences. Raises CannotRun when nobody answers.
        """
        for number in range(asked.walks):
            chance = random.Random(f"{asked.seed}/{number}")  # noqa: S311 - moves are drawn, not secrets
            surface = self.surfaces[number % len(self.surfaces)]
            moves = Chooser(self._oracle(surface).model, chance).moves(asked.steps)
            for parting in self._partings(moves, surface):
                label = {"seed": asked.seed, "walk": number + 1, "surface": surface}
                self._told(parting, label)
                if len(self.found) >= ENOUGH:
                    return

    def _partings(self, moves: Iterator[Move], surface: str) -> Iterator[Parting]:
        pair = self._pair(surface, BRIEF, 1)
        try:
            for move in moves:
                found = pair.move(move)
                if found:
                    yield found
        finally:
            self.moves, self.alike = self.moves + pair.moves, self.alike + pair.alike
            pair.sweep()

    def _told(self, parting: Parting, label: Event) -> None:
        """
        Keep a difference: as one more cell of a kind that is known, or walked again and shrunk.
        """
        event = self._kinds.get(parting.looks)
        if event is None:
            small = self._shrunk(parting, label["surface"])
            if small is None:
                self.passing += 1
                return
            event = self._kinds.get(small.looks)
            if event is None:
                event = small.event(label, self._held)
                self.found.append(event)
            self._kinds |= {parting.looks: event, small.looks: event}
        if parting.cell not in event["cells"]:
            event["cells"].append(parting.cell)

    def _shrunk(self, parting: Parting, surface: str) -> Parting | None:
        """
        The least of the moves that part the two in the same way; nothing where they do not part again.
        """
        sure = self._again(parting.moves, surface, 1.0)
        if sure is None or sure.where != parting.where:
            return None

        def fails(moves: tuple[Move, ...]) -> bool:
            found = self._again(moves, surface, BRIEF)
            return found is not None and found.where == parting.where

        small = self._again(least(parting.moves, fails), surface, 1.0)
        return small if small and small.where == parting.where else sure

    def _again(self, moves: Sequence[Move], surface: str, patience: float) -> Parting | None:
        pair = self._pair(surface, patience, SURE)
        try:
            return next((found for found in map(pair.move, moves) if found), None)
        finally:
            pair.sweep()

    def _pair(self, surface: str, patience: float, quiet: int) -> Pair:
        lanes = {side: Lane(side, at, self._oracle(surface), surface) for side, at in self.at.items()}
        pace = Pace(WITHIN * self.scale * patience, QUIET * self.scale * quiet)
        return Pair(lanes, self._oracle(surface).model, pace, held=bool(self._holds()))

    def _holds(self) -> str:
        """
        The state in which both keep new instances, nothing where they do not.
        """
        able = [set(at.target.capabilities) for at in self.at.values()]
        states = [one for one in self._held.machine.states if all(f"hold_{one.lower()}" in each for each in able)]
        return next(iter(states), "")

    def _oracle(self, surface: str) -> Oracle:
        held, contract = self._held, self.at[SIDES[0]].contract
        kind = next(one.kind for one in surfaces(contract) if one.name == surface)
        return Oracle(Model(held, book(held, alone=True), self._holds()), contract, kind)

    @property
    def _held(self) -> spec.Spec:
        return self.at[SIDES[0]].held
