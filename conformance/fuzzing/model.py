"""
The states that each instance may be in, by the table; what an answer makes of them.

Rule 1: pure; it asks nothing and waits for nothing.
Rule 2: no state has a name here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import spec
from conformance.believe import nowhere

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

WORKER = ("stall", "recover")
"""Happenings that only another worker brings about."""


@dataclass(slots=True)
class Known:
    """
    One instance that was started here. `quiet`: it waits, and nothing happens to it but what is asked for.
    """

    states: frozenset[str]
    quiet: bool = False
    wanted: frozenset[str] = field(default_factory=frozenset)
    rules: tuple[str, ...] = ()


class Model:
    """
    Every instance of a run.
    """

    def __init__(self, machine: spec.Machine, replies: Mapping[str, spec.Reply]) -> None:
        self._machine, self._replies = machine, replies
        self._known: dict[str, Known] = {}
        self.latest = ""

    def fresh(self, instance: str, *, quiet: bool) -> None:
        """
        An ID that nobody has had before.
        """
        self._known[instance] = Known(frozenset([nowhere(self._machine)]), quiet)
        self.latest = instance

    def knows(self, instance: str) -> bool:
        """
        Whether this run has started an instance.
        """
        return instance in self._known

    def forget(self, instance: str) -> None:
        """
        Something was done to an instance that the table says nothing of.
        """
        self._known.pop(instance, None)
        self.latest = "" if self.latest == instance else self.latest

    def answered(self, instance: str, operation: str, status: int, code: str, word: str) -> str:
        """
        Take an answer; why it is wrong, or the empty string.
        """
        known = self._known.get(instance) or Known(frozenset(self._machine.states))
        cells = {state: list(self._cells(state, operation)) for state in self._now(known)}
        fitting = {state: [cell for cell in found if self._fits(cell, status, code)] for state, found in cells.items()}
        fitting = {state: found for state, found in fitting.items() if found}
        if operation == "get" and word:
            fitting = {state: found for state, found in fitting.items() if self._word(state) == word}
        if not fitting:
            seen = " ".join(filter(None, (str(status), code, word)))
            return f"{self._rules(cells)}: {operation} of an instance that is {_or(cells)} answers {seen}"
        if instance in self._known:
            self._follow(known, operation, fitting, accepted=200 <= status < 300)  # noqa: PLR2004
        return ""

    def shows(self, instance: str, word: str | None) -> bool:
        """
        Take a look; whether it shows what the last call may have led to.
        """
        known = self._known[instance]
        states = frozenset(state for state in known.wanted if self._word(state) == word)
        if states:
            known.states = states
        return bool(states)

    def unsettled(self, instance: str) -> str:
        """
        What is wrong with an instance that shows nothing that it may.
        """
        known = self._known[instance]
        return f"{', '.join(known.rules)}: {instance} should become {_or(known.wanted)}, and does not"

    def _follow(self, known: Known, operation: str, fitting: Mapping[str, list[spec.Cell]], *, accepted: bool) -> None:
        known.states = frozenset(fitting)
        if not accepted or operation == "get":
            return
        if operation == "raise_event":
            known.quiet = False
        cells = [cell for found in fitting.values() for cell in found]
        happened = {state for cell in cells for race in cell.races for state in self._after(cell.state, race)}
        led = frozenset(state for cell in cells for state in cell.settles) | (set() if known.quiet else happened)
        known.wanted = self._closure(led, quiet=known.quiet)
        known.rules = tuple(sorted({cell.settles_rule for cell in cells if cell.rules}))

    def _now(self, known: Known) -> frozenset[str]:
        return self._closure(known.states, quiet=known.quiet)

    def _closure(self, states: Iterable[str], *, quiet: bool) -> frozenset[str]:
        """
        The states with all that may have come of itself since.
        """
        found, waiting = set(states), list(states)
        while waiting:
            state = waiting.pop()
            for name, happening in self._machine.happenings.items():
                if name in WORKER or (quiet and not happening.spontaneous):
                    continue
                new = [one for one in self._after(state, name) if one not in found]
                found.update(new)
                waiting += new
        return frozenset(found)

    def _after(self, state: str, happening: str) -> tuple[str, ...]:
        cell = self._machine.cell(state, happening)
        return () if cell.impossible else cell.settles

    def _cells(self, state: str, operation: str) -> Iterator[spec.Cell]:
        cell = self._machine.cell(state, operation)
        yield cell
        yield from cell.when.values()

    def _fits(self, cell: spec.Cell, status: int, code: str) -> bool:
        """
        Whether an answer is the row of a cell; where the profile says nothing, any answer is.
        """
        if cell.reply == spec.UNSPECIFIED:
            return True
        column = self._replies[cell.reply].surfaces["http"]
        statuses = column["status"] if isinstance(column["status"], list) else [column["status"]]
        demands = column.get("demands", ("status", "errorCode"))
        wanted = column.get("errorCode", "") if "errorCode" in demands else ""
        return status in statuses and (not wanted or code == wanted)

    def _word(self, state: str) -> str:
        held = self._machine.states[state]
        return held.reported["http"] if held.exists else ""

    def _rules(self, cells: Mapping[str, list[spec.Cell]]) -> str:
        return ", ".join(sorted({cell.reply_rule for found in cells.values() for cell in found if cell.rules}))


def _or(states: Iterable[str]) -> str:
    return " or ".join(sorted(states))
