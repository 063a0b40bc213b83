"""
What a mutant is, and where a fault is put in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import spec
from reference_server.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp

    from reference_server.executor import BuiltIn
    from reference_server.ports import Executor, Ids
    from spec import Cell, Spec, Surface


def same(value: Any) -> Any:
    """
    The value itself: nothing is wrong here.
    """
    return value


@dataclass(frozen=True, slots=True)
class Fault:
    """
    What is wrong: in the data that the server is built from, in its engine, its executor, its IDs, or on the wire; over
    gRPC in the forms of the operations, or in the calls of the methods.

    `forgets`: what is restarted begins with nothing. `delay` is one of every effect, in milliseconds.
    """

    data: Callable[[Spec], Spec] = same
    engine: Callable[..., Engine] = Engine
    executor: Callable[[BuiltIn], Executor] = same
    ids: Callable[[Ids], Ids] = same
    wire: Callable[[ASGIApp], ASGIApp] = same
    forms: Callable[[Mapping[str, Surface]], Mapping[str, Surface]] = same
    calls: Callable[[Mapping[str, Any]], Mapping[str, Any]] = same
    forgets: bool = False
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    A server with a fault, and the rules that it breaks; a check that carries one of them must fail. `withholds`: it
    gives no answer, and that none comes is the failure.
    """

    name: str
    rules: tuple[str, ...]
    means: str
    fault: Fault
    profile: str = spec.DEFAULT_PROFILE
    withholds: bool = False

    def as_line(self) -> dict[str, Any]:
        """
        What is listed of it.
        """
        return {
            "name": self.name,
            "rules": list(self.rules),
            "means": self.means,
            "profile": self.profile,
            "withholds": self.withholds,
        }


def with_cell(state: str, event: str, condition: str = "", **changes: Any) -> Callable[[Spec], Spec]:
    """
    An overlay: one cell of the table changed, or what it is under a condition.
    """

    def overlay(loaded: Spec) -> Spec:
        machine = loaded.machine
        row = machine.table[state]
        cell = row[event]
        if condition:
            inner = replace(cell.when[condition], **changes)
            cell = replace(cell, when={**cell.when, condition: inner})
        else:
            cell = replace(cell, **changes)
        table = {**machine.table, state: {**row, event: cell}}
        return replace(loaded, machine=replace(machine, table=table))

    return overlay


def every_cell(loaded: Spec) -> list[tuple[Cell, str]]:
    """
    Each cell of the table with its condition; the empty one where it has none.
    """
    return [
        (cell, condition)
        for row in loaded.machine.table.values()
        for whole in row.values()
        for condition, cell in (("", whole), *whole.when.items())
    ]
