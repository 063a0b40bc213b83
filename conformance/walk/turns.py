"""
One turn of one instance: what it takes from its inbox, what happens, and where that may lead.

Rule 1: pure; every step is a cell of the table.
Rule 2: an operation that loses a race is left out only for a happening that its cell names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .guess import POST
from .moves import FAILS, Op, Part, Script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spec import Machine, Spec

CONDITIONS = ("child_active",)
"""What the cells of an instance may hang on, while its child has not ended."""


class Turn(NamedTuple):
    """
    The middle of a turn. `owed`: happenings of which one must come about, or an operation was left out for nothing.

    `active`: a child has not ended. `cause`: the operation that ended or deleted the instance.
    """

    state: str
    script: Script
    held: int
    items: tuple[Op, ...]
    active: bool = False
    owed: frozenset[str] = frozenset()
    cause: str = ""


class Turns:
    """
    The turns that the table allows.
    """

    def __init__(self, held_to: Spec) -> None:
        self._spec = held_to
        self._machine: Machine = held_to.machine

    def accepts(self, row: str) -> bool:
        """
        Whether a row of the replies accepts.
        """
        return self._spec.replies[row].outcome == "accepted"

    def goes(self, state: str) -> bool:
        """
        Whether an instance is there and has not ended.
        """
        there = self._machine.states[state]
        return there.exists and not there.terminal

    def ends(self, turn: Turn) -> Iterator[Turn]:
        """
        Where a turn may end: with what is due, or before it, which then comes in a turn of its own.
        """
        due = self.due(turn)
        if due:
            yield from self._happens(turn, due)
        if turn.items:
            yield from self._takes(turn)
        elif not turn.owed:
            yield turn

    def due(self, turn: Turn) -> str:
        """
        The happening that has all it waits for and can come about.
        """
        if not turn.script or turn.held < turn.script[0].need:
            return ""
        name = turn.script[0].happening
        return name if self._machine.cell(turn.state, name).settles else ""

    def inbox(self, state: str, script: Script, items: tuple[Op, ...]) -> tuple[Op, ...]:
        """
        An inbox without the operations at its head that change nothing in this state.
        """
        for index, one in enumerate(items):
            if self.told(one, state, script) or (one.operation != POST and not self._idle(state, one.operation)):
                return items[index:]
        return ()

    def told(self, op: Op, state: str, script: Script) -> int:
        """
        1 for what the workflow waits for, now or later.
        """
        return int(bool(script) and self.goes(state) and bool(op.event) and op.event in (script[0].waits, FAILS))

    def leads(self, state: str, operation: str, *, active: bool) -> tuple[str, ...]:
        """
        Where an operation may lead that was accepted.
        """
        cell = self._machine.cell(state, operation)
        more = self._machine.cell(state, operation, CONDITIONS) if active else cell
        return tuple(dict.fromkeys((*cell.settles, *more.settles)))

    def _idle(self, state: str, name: str) -> bool:
        cell = self._machine.cell(state, name)
        if name in self._machine.happenings:
            return False
        return not cell.reply or not self.accepts(cell.acts) or cell.settles == (state,)

    def _happens(self, turn: Turn, due: str) -> Iterator[Turn]:
        part, rest = turn.script[0], turn.script[1:]
        owed = frozenset[str]() if due in turn.owed else turn.owed
        surviving = tuple(one for one in turn.items if due not in self._races(turn.state, one))
        for state in self._machine.cell(turn.state, due).settles:
            now = turn._replace(state=state, owed=owed)
            if self._machine.states[state].terminal:
                yield from self.ends(now._replace(script=(), held=0))
                continue
            for held in {0, turn.held - part.need}:
                for items in {turn.items, surviving}:
                    yield from self.ends(now._replace(script=rest, held=held, items=items))

    def _takes(self, turn: Turn) -> Iterator[Turn]:
        first, rest = turn.items[0], turn.items[1:]
        told = self.told(first, turn.state, turn.script)
        if first.operation == POST:
            yield from self.ends(self._reads(turn, first, told)._replace(items=rest))
            return
        cell = self._machine.cell(turn.state, first.operation)
        if first.operation in self._machine.happenings:
            for state in cell.settles or (turn.state,):
                yield from self.ends(turn._replace(state=state, items=rest))
            return
        if not self.accepts(cell.acts):
            yield from self.ends(turn._replace(items=rest))
            return
        held = min(turn.held + told, sum(part.need for part in turn.script))
        for state in self.leads(turn.state, first.operation, active=turn.active):
            over = state != turn.state and not self.goes(state)
            cause = first.operation if over else turn.cause
            yield from self.ends(turn._replace(state=state, held=held, items=rest, cause=cause))
        coming = turn.script[0].happening if turn.script else ""
        if coming in cell.races and cell.settles != (turn.state,):
            yield from self.ends(turn._replace(held=held, items=rest, owed=frozenset(cell.races)))

    @staticmethod
    def _reads(turn: Turn, letter: Op, told: int) -> Turn:
        """
        A turn in which the workflow is told something; that a child failed ends what waits for it.
        """
        if told and letter.event == FAILS:
            return turn._replace(script=(Part(0, FAILS),), held=0)
        return turn._replace(held=min(turn.held + told, sum(part.need for part in turn.script)))

    def _races(self, state: str, op: Op) -> Sequence[str]:
        return () if op.operation == POST else self._machine.cell(state, op.operation).races
