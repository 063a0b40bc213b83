"""
Mutants of the state table: each wrong reply, each wrong settling, and effects that fail to come.

Rule 1: nothing here knows a cell; all of them are taken from the table.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import spec
from reference_server.instance import GET

from .engines import Changing, Ignoring
from .mutant import Fault, Mutant, every_cell, with_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spec import Cell, Spec


WAITS = "DEADLINE_EXCEEDED"
FIRST, INSTANCE = spec.SURFACES[0], "instance"


def mutants(loaded: Spec) -> Iterator[Mutant]:
    """
    Everything that can be wrong with a cell.
    """
    for cell, condition in every_cell(loaded):
        label = f"cell/{cell.state}.{cell.event}" + (f".{condition}" if condition else "")
        if cell.event in loaded.machine.operations:
            yield from _replies(loaded, cell, condition, label)
        yield from _settlings(loaded, cell, condition, label)


def accepts(loaded: Spec, cell: Cell) -> bool:
    """
    Whether a cell accepts its operation.
    """
    return loaded.replies[cell.acts].outcome == "accepted"


def _replies(loaded: Spec, cell: Cell, condition: str, label: str) -> Iterator[Mutant]:
    rules: tuple[str, ...] = (cell.reply_rule,)
    refusals = _refusals(loaded, cell.event)
    if accepts(loaded, cell):
        for name in refusals[:1]:
            change = with_cell(cell.state, cell.event, condition, acts=name)
            yield Mutant(f"{label}/reply", rules, f"answers {name}, and does it", Fault(data=change))
        if cell.settles[0] != cell.state:
            lost = Fault(engine=partial(Ignoring, cell=(cell.state, cell.event, condition)))
            yield Mutant(f"{label}/ignored", (cell.settles_rule,), "is accepted, and nothing happens", lost)
        return
    row = next(one.acts for one, _ in every_cell(loaded) if one.event == cell.event and accepts(loaded, one))
    change = with_cell(cell.state, cell.event, condition, acts=row)
    quiet = partial(Ignoring, cell=(cell.state, cell.event, condition))
    held = loaded.replies[cell.acts]
    shows = row == loaded.machine.cell(cell.state, GET).acts or not loaded.machine.states[cell.state].exists
    if (shows or _forms(cell.event, beyond=True)) and cell.event not in loaded.machine.offered(FIRST):
        rules = (*rules, held.rule)  # an answer without an instance refuses too, but not as it should
    yield Mutant(f"{label}/reply", rules, f"answers {row}, and does nothing", Fault(data=change, engine=quiet))
    for name in refusals:
        if _shape(loaded, name, cell.event) != _shape(loaded, cell.acts, cell.event):
            fault, waits = Fault(data=with_cell(cell.state, cell.event, condition, acts=name)), _waits(loaded, name)
            broken = (held.rule, cell.reply_rule) if waits else (held.rule,)  # no answer is no refusal either
            yield Mutant(f"{label}/row-{name}", broken, f"is refused as {name}", fault, withholds=waits)


def _settlings(loaded: Spec, cell: Cell, condition: str, label: str) -> Iterator[Mutant]:
    if not cell.settles or (cell.event in loaded.machine.operations and not _forms(cell.event, field=INSTANCE)):
        return
    rules: tuple[str, ...] = (cell.settles_rule,)
    if _waits(loaded, cell.acts) or _forms(cell.event, beyond=True):
        rules = (*rules, cell.reply_rule)  # what it waits for has come about, or what it reads is gone
    for state in loaded.machine.states:
        if state not in cell.settles:
            change = with_cell(cell.state, cell.event, condition, settles=(state,))
            fault = Fault(data=change)
            if cell.event == GET and loaded.machine.states[cell.state].exists:
                fault = Fault(engine=partial(Changing, before=cell.state, after=state))
            yield Mutant(f"{label}/settles-{state}", rules, f"leads to {state}", fault)


def _forms(operation: str, field: str = "", *, beyond: bool = False) -> list[spec.Form]:
    """
    How an operation looks over gRPC, where it has a field, or looks beyond one instance.
    """
    found = [one.forms[operation] for one in spec.grpc().values() if operation in one.forms]
    return [form for form in found if form.fields.get(field, not field) and (form.beyond or not beyond)]


def _waits(loaded: Spec, row: str) -> bool:
    """
    Whether a row says that nothing answers.
    """
    return row in loaded.replies and any(one.get("code") == WAITS for one in loaded.replies[row].surfaces.values())


def _refusals(loaded: Spec, operation: str) -> list[str]:
    """
    The rows that refuse an operation somewhere in the table.
    """
    found = [cell.acts for cell, _ in every_cell(loaded) if cell.event == operation and not accepts(loaded, cell)]
    return list(dict.fromkeys(found))


def _shape(loaded: Spec, row: str, operation: str) -> list[tuple[object, ...]]:
    """
    What a client sees of a refusal, on each surface that has the operation.
    """
    offered = loaded.machine.operations[operation].surfaces
    columns = [loaded.replies[row].surfaces.get(surface, {}) for surface in offered]
    return [(column.get("status"), column.get("errorCode"), column.get("code")) for column in columns]
