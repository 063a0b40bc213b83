"""
Where a turn leads: the state after its events, and whether the happening it ends with comes about.

Rule 1: every step is a cell of the table.
Rule 2: an operation and a happening in one turn race: the happening wins if the operation's cell says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .instance import BEGIN, STARTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spec import Cell

    from .instance import Event

    Table = Mapping[str, Mapping[str, Cell]]


class Course(NamedTuple):
    """
    What came of a turn. `cause` is the kind of the event that moved the state last.
    """

    state: str
    happened: bool
    cause: str


def course(table: Table, state: str, events: Iterable[Event], happening: str) -> Course:
    """
    Follow the events of one turn through the table, then the happening.

    `begun` is where the begin of this turn leads; the first operation after it came before the begin, and its cell is
    that of the state it came in. `decided` is the state in which the workflow came to its happening before an event
    moved it to where the happening cannot occur any more; it is kept while each such event loses the race.
    """
    begun = decided = cause = ""
    for event in events:
        if event.kind == STARTED:
            begun = next(iter(table[state][BEGIN].settles), "")
        cell = table[state].get(event.kind)
        if cell is None:
            continue
        target, origin = next(iter(cell.settles), state), decided or begun or state
        begun = ""
        if target == state:
            continue
        if not happening or _possible(table, target, happening):
            decided = ""
        elif _possible(table, origin, happening):
            decided = origin if happening in table[origin][event.kind].races else ""
        state, cause = target, event.kind
    state = begun or state
    origin = decided or state
    if happening and _possible(table, origin, happening):
        return Course(table[origin][happening].settles[0], happened=True, cause="")
    return Course(state, happened=False, cause=cause)


def _possible(table: Table, state: str, happening: str) -> bool:
    return bool(table[state][happening].settles)
