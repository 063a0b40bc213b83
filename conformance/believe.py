"""
The state that the runner believes each instance to be in, followed while a scenario is planned.

Rule 1: no state has a name here; the table leads from one to the next.
Rule 2: a belief chooses the rule and the reply of a check. It is never itself a verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spec import Cell, Machine


def nowhere(machine: Machine) -> str:
    """
    The state of an ID that nobody has.
    """
    return next(name for name, state in machine.states.items() if not state.exists)


def settled(machine: Machine, cell: Cell) -> str:
    """
    The state that a cell leads to, once what happens of itself has happened.

    A cell that changes nothing sets nothing off.
    """
    state = cell.settles[0]
    if state == cell.state:
        return state
    seen = {state}
    while True:
        onward = [
            machine.cell(state, name).settles[0]
            for name, happening in machine.happenings.items()
            if happening.spontaneous and not machine.cell(state, name).impossible
        ]
        if not onward or onward[0] in seen:
            return state
        state = onward[0]
        seen.add(state)


class Beliefs:
    """
    One scenario's beliefs: the state of each instance, and the cell of the last operation on it.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._states: dict[str, str] = {}
        self._last: dict[str, Cell] = {}

    def copy(self) -> Beliefs:
        """
        The same beliefs, to be followed apart.
        """
        other = Beliefs(self._machine)
        other._states.update(self._states)
        other._last.update(self._last)
        return other

    def take(self, other: Beliefs, instance: str) -> None:
        """
        Believe of one instance what another does.
        """
        if instance in other._states:
            self._states[instance] = other._states[instance]
        if instance in other._last:
            self._last[instance] = other._last[instance]

    def state(self, instance: str) -> str:
        """
        The state an instance is believed to be in.
        """
        return self._states.get(instance) or nowhere(self._machine)

    def cell(self, instance: str, operation: str) -> Cell:
        """
        What an operation does to an instance as it is believed to be.
        """
        return self._machine.cell(self.state(instance), operation)

    def settles_rule(self, instance: str) -> str:
        """
        The settles rule of the last operation on an instance, or that of looking at it.
        """
        return self._last.get(instance, self.cell(instance, "get")).settles_rule

    def asked(self, instance: str, cell: Cell, *, moves: bool) -> None:
        """
        An operation was asked for; unless it is refused, it leads where its cell says.
        """
        self._last[instance] = cell
        if moves:
            self._states[instance] = settled(self._machine, cell)

    def seen(self, instance: str, wanted: Any) -> None:
        """
        A look is expected to show a status: a state, or the first of several.
        """
        if isinstance(wanted, dict) and isinstance(wanted.get("$one_of"), list):
            wanted = wanted["$one_of"][0]
        if isinstance(wanted, str) and wanted in self._machine.states:
            self._states[instance] = wanted

    def gone(self, instance: str) -> None:
        """
        A look is expected to show nothing.
        """
        self._states[instance] = nowhere(self._machine)
