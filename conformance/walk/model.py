"""
The state table as a model of one instance: where it may be, given what was asked and not yet seen to take effect.

Rule 1: pure, and no state has a name here; every step is a cell of the table.
Rule 2: what was accepted waits in an inbox; a turn takes any number of what waits, in order.
Rule 3: what the workflow does may come at any place of a turn after what it waits for; an operation before it loses
the race only if its cell names the happening.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from conformance.believe import nowhere

from .moves import START, Op, Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spec import Cell, Spec

    from .moves import Book

Guesses = frozenset["Guess"]


class Guess(NamedTuple):
    """
    One state an instance may be in: what waits for a turn, what the workflow will do, and the events it has not taken.
    """

    state: str
    inbox: tuple[Op, ...] = ()
    script: Script = ()
    held: int = 0


class _Turn(NamedTuple):
    """
    The middle of a turn. `owed`: happenings of which one must come about, or an operation was left out for nothing.
    """

    state: str
    script: Script
    held: int
    items: tuple[Op, ...]
    owed: frozenset[str] = frozenset()


class Model:
    """
    What may become of an instance. `held`: the state in which the target keeps new instances, or the empty string.
    """

    def __init__(self, held_to: Spec, book: Book, held: str = "") -> None:
        self.spec, self.book = held_to, book
        self.machine = held_to.machine
        self.absent = nowhere(self.machine)
        self.opening, self._ends_in = self._opens(held)
        self._alone = held != self.machine.cell(self.absent, START).settles[0]
        self.turns = lru_cache(maxsize=65536)(self._turns)
        self.closure = lru_cache(maxsize=65536)(self._closure)

    @cached_property
    def unknown(self) -> Guesses:
        """
        What is known of an ID that was never used.
        """
        return frozenset({Guess(self.absent)})

    def accepts(self, row: str) -> bool:
        """
        Whether a row of the replies accepts.
        """
        return self.spec.replies[row].outcome == "accepted"

    def cell(self, guess: Guess, operation: str) -> Cell:
        """
        The cell of an operation.
        """
        return self.machine.cell(guess.state, operation)

    def asked(self, guess: Guess, op: Op) -> Iterable[Guess]:
        """
        What a guess becomes by an operation that was accepted.
        """
        if op.operation == START:
            cell = self.cell(guess, op.operation)
            script = self._ends_in or self.book.recipes[op.recipe].script
            return [Guess(state, (Op(self.opening),), script) for state in cell.settles]
        return [guess._replace(inbox=self._inbox(guess.state, (*guess.inbox, op)))]

    def settled(self, guesses: Guesses) -> Guesses:
        """
        Those of the guesses, once every effect is there.
        """
        return frozenset(one for one in self.closure(guesses) if not self.turns(one))

    def happening(self, guess: Guess, op: Op) -> Cell | None:
        """
        The happening that an operation on a settled instance brings about.
        """
        held = guess.held + self._event(op, guess.state)
        for state in self.cell(guess, op.operation).settles:
            due = self._due(_Turn(state, guess.script, held, ()))
            if due:
                return self.machine.cell(state, due)
        return None

    def _opens(self, held: str) -> tuple[str, Script]:
        """
        The happening a new instance begins with, and what happens then instead of what its workflow does.
        """
        first = self.machine.cell(self.absent, START).settles[0]
        usual = ""
        instead: Script = ()
        for name, happening in self.machine.happenings.items():
            settles = self.machine.cell(first, name).settles
            if settles and happening.spontaneous:
                usual = usual or name
            elif held in settles:
                instead = ((0, name),)
        return usual, instead

    def _closure(self, guesses: Guesses) -> Guesses:
        found, waiting = set(guesses), list(guesses)
        while waiting:
            new = self.turns(waiting.pop()) - found
            found |= new
            waiting += new
        return frozenset(found)

    def _turns(self, guess: Guess) -> Guesses:
        """
        Where one turn may lead.
        """
        found = set()
        for size in range(1, len(guess.inbox) + 1):
            batch, rest = guess.inbox[:size], guess.inbox[size:]
            if not self._alone and all(one.operation in self.machine.happenings for one in batch):
                continue
            for end in self._follow(_Turn(guess.state, guess.script, guess.held, batch)):
                found.add(Guess(end.state, self._inbox(end.state, rest), end.script, end.held))
        return frozenset(found)

    def _inbox(self, state: str, items: tuple[Op, ...]) -> tuple[Op, ...]:
        """
        An inbox without the operations at its head that change nothing in this state.
        """
        for index, one in enumerate(items):
            cell = self.machine.cell(state, one.operation)
            idle = not cell.reply or not (self.accepts(cell.acts) and (cell.settles != (state,)))
            if one.operation in self.machine.happenings or not idle or self._event(one, state):
                return items[index:]
        return ()

    def _follow(self, turn: _Turn) -> Iterator[_Turn]:
        """
        The ends of a turn.
        """
        due = self._due(turn)
        if due:
            yield from self._happens(turn, due)
        if turn.items:
            yield from self._takes(turn)
        elif not due and not turn.owed:
            yield turn

    def _happens(self, turn: _Turn, due: str) -> Iterator[_Turn]:
        (need, _), rest = turn.script[0], turn.script[1:]
        owed = frozenset[str]() if due in turn.owed else turn.owed
        surviving = tuple(one for one in turn.items if due not in self._races(turn.state, one))
        for state in self.machine.cell(turn.state, due).settles:
            if self.machine.states[state].terminal:
                yield from self._follow(_Turn(state, (), 0, turn.items, owed))
                continue
            for held in {0, turn.held - need}:
                for items in {turn.items, surviving}:
                    yield from self._follow(_Turn(state, rest, held, items, owed))

    def _takes(self, turn: _Turn) -> Iterator[_Turn]:
        first, rest = turn.items[0], turn.items[1:]
        cell = self.machine.cell(turn.state, first.operation)
        if first.operation in self.machine.happenings:
            for state in cell.settles or (turn.state,):
                yield from self._follow(turn._replace(state=state, items=rest))
            return
        if not self.accepts(cell.acts):
            yield from self._follow(turn._replace(items=rest))
            return
        held = min(turn.held + self._event(first, turn.state), sum(need for need, _ in turn.script))
        for state in cell.settles:
            yield from self._follow(turn._replace(state=state, held=held, items=rest))
        coming = turn.script[0][1] if turn.script else ""
        if coming in cell.races and cell.settles != (turn.state,):
            yield from self._follow(turn._replace(held=held, items=rest, owed=frozenset(cell.races)))

    def _due(self, turn: _Turn) -> str:
        """
        The happening that has all it waits for and can come about.
        """
        if not turn.script or turn.held < turn.script[0][0]:
            return ""
        name = turn.script[0][1]
        return name if self.machine.cell(turn.state, name).settles else ""

    def _races(self, state: str, op: Op) -> Sequence[str]:
        return self.machine.cell(state, op.operation).races

    def _event(self, op: Op, state: str) -> int:
        """
        1 for an event that the workflow takes, now or later.
        """
        there = self.machine.states[state]
        return int(op.event == self.book.event and there.exists and not there.terminal)
