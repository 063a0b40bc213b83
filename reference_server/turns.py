"""
Where a turn leads: the state after its events, and whether the happening it ends with comes about.

Rule 1: every step is a cell of the table.
Rule 2: an operation and a happening in one turn race: the happening wins if the operation's cell says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .instance import BEGIN, STARTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spec import Cell

    from .instance import Event

    Table = Mapping[str, Mapping[str, Cell]]


@dataclass(frozen=True, slots=True)
class Course:
    """
    What came of a turn. `cause` is the kind of the event that moved the state last.
    """

    state: str
    happened: bool
    cause: str


def course(table: Table, state: str, events: Iterable[Event], happening: str) -> Course:
    """
    Follow the events of one turn through the table, then the happening.

    `decided` is the state in which the workflow came to its happening before an event moved it to where the
    happening cannot occur any more. It is kept while each such event loses the race.
    """
    decided = cause = ""
    for event in events:
        name = BEGIN if event.kind == STARTED else event.kind
        cell = table[state].get(name)
        if cell is None or not cell.settles or cell.settles[0] == state:
            continue
        target, origin = cell.settles[0], decided or state
        if _possible(table, target, happening):
            decided = ""
        elif _possible(table, origin, happening):
            decided = origin if happening in table[origin][name].races else ""
        state, cause = target, event.kind
    origin = decided or state
    if _possible(table, origin, happening):
        return Course(table[origin][happening].settles[0], happened=True, cause="")
    return Course(state, happened=False, cause=cause)


def _possible(table: Table, state: str, happening: str) -> bool:
    return bool(happening) and bool(table[state][happening].settles)
