"""
Servers that are true to a table but for one cell, under a clock that is wound: what walks are tried on.

Rule 1: one fault, one cell. The engine, its turns and its executor are those of the reference server.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import spec
from conformance.calls import Calls
from conformance.contract import Contract
from conformance.exchange import Observation
from conformance.walk.choose import Chooser
from conformance.walk.model import Model
from conformance.walk.moves import book
from conformance.walk.oracle import Oracle
from conformance.walk.reduce import shrunk
from conformance.walk.tell import scenario
from conformance.walk.walker import Place, Walker
from reference_server import assembly
from reference_server.ports import CountingIds, ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.exchange import Request
    from conformance.walk.walker import Violation

NOON = 1_768_000_000 * 10**9
SURFACE = "http"
LATE = 50
"""Milliseconds that effects take where a fault lies in a state that passes quickly."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One cell that is not as the table says. `kind`: reply, settle, nothing, refused, and `when` for one that hangs on a
    condition.
    """

    kind: str
    cell: spec.Cell
    wrong: spec.Cell
    condition: str = ""

    @property
    def name(self) -> str:
        """
        What is wrong, in short.
        """
        change = self.wrong.acts if self.wrong.acts != self.cell.acts else self.wrong.settles[0]
        where = ".".join(filter(None, (self.cell.state, self.cell.event, self.condition)))
        return f"{self.kind} {where} -> {change}"

    def machine(self, machine: spec.Machine) -> spec.Machine:
        """
        The table with the fault.
        """
        wrong, whole = self.wrong, machine.cell(self.cell.state, self.cell.event)
        if self.condition:
            wrong = replace(whole, when={**whole.when, self.condition: wrong})
        row = {**machine.table[self.cell.state], self.cell.event: wrong}
        return replace(machine, table={**machine.table, self.cell.state: row})


def faults(held: spec.Spec) -> Iterator[Fault]:
    """
    Every single-cell fault of the operations.
    """
    for state, row in held.machine.table.items():
        for operation in held.machine.offered(SURFACE):
            cell = row[operation]
            yield from _replies(held, cell)
            for other in held.machine.states:
                if other not in cell.settles and held.replies[cell.acts].outcome == "accepted":
                    kind = "nothing" if other == state else "settle"
                    yield Fault(kind, cell, replace(cell, settles=(other,)))
    for cell in (cell for row in held.machine.table.values() for cell in row.values()):
        for condition, inner in cell.when.items():
            yield from (replace(one, kind="when", condition=condition) for one in _replies(held, inner))


def _replies(held: spec.Spec, cell: spec.Cell) -> Iterator[Fault]:
    """
    Another row of the same operation's; and a refusal of what happens all the same.
    """
    rows = dict.fromkeys(row[cell.event].acts for row in held.machine.table.values())
    for name in (*rows, *(row for row in held.replies if row.startswith("refused"))):
        column = held.replies[name].surfaces[SURFACE]
        if _told(held, name) == _told(held, cell.acts) or isinstance(column["status"], list):
            continue
        moves = held.replies[cell.acts].outcome == "accepted" and cell.settles != (cell.state,)
        refused = held.replies[name].outcome == "refused"
        yield Fault("refused" if moves and refused else "reply", cell, replace(cell, reply=name, acts=name))


def _told(held: spec.Spec, name: str) -> tuple[Any, Any]:
    column = held.replies[name].surfaces[SURFACE]
    return str(column["status"]), column.get("errorCode")


class Server:
    """
    The reference server without a socket, its clock wound by whoever waits.
    """

    def __init__(self, fault: Fault | None = None, *, profile: str, settle: int = 0, hold: str = "") -> None:
        self.clock = ManualClock(NOON)
        settings = assembly.Settings(profile=profile, settle=settle, hold=hold)
        self.server = assembly.build(settings, clock=self.clock, ids=CountingIds())
        if fault is not None:
            self.server.engine._machine = fault.machine(self.server.engine._machine)  # noqa: SLF001 - the fault goes in
        self.loop = asyncio.new_event_loop()

    def __enter__(self) -> Self:
        """
        The server.
        """
        return self

    def __exit__(self, *_: object) -> None:
        """
        Let go of its loop.
        """
        self.loop.close()

    def now(self) -> float:
        """
        Seconds of its clock.
        """
        return self.clock.now() / 1e9

    def pause(self, seconds: float) -> None:
        """
        Wind the clock, and do what is due.
        """
        self.clock.advance(int(seconds * 1e9) + 1)
        while self.server.pump.step():
            pass

    def ask(self, request: Request, deadline: float | None = None) -> Observation:
        """
        One exchange; it takes a tenth of a millisecond.
        """
        del deadline
        saw = self.loop.run_until_complete(self._asked(request))
        self.pause(0.0001)
        return saw

    async def _asked(self, request: Request) -> Observation:
        path, _, query = request.target.partition(b"?")
        headers = [(name.lower().encode(), (value or "").encode()) for name, value in request.headers]
        scope = {"type": "http", "method": request.method, "path": path.decode(), "raw_path": path, "root_path": ""}
        body, sent = [request.body], list[dict[str, Any]]()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body.pop()} if body else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.server.app({**scope, "query_string": query, "headers": headers}, receive, send)
        told = tuple((name.decode(), value.decode()) for name, value in sent[0]["headers"])
        return Observation(request, sent[0]["status"], told, b"".join(one.get("body", b"") for one in sent[1:]))


class Yard:
    """
    Walks on servers of one profile. `hold`: the state in which new instances stay.
    """

    def __init__(self, profile: str = spec.DEFAULT_PROFILE, hold: str = "") -> None:
        self.held, self.hold = spec.load(profile), hold
        self.contract = Contract(self.held.openapi)
        self.model = Model(self.held, book(self.held, alone=bool(hold)), hold)
        self.oracle = Oracle(self.model, self.contract)

    def place(self, server: Server) -> Place:
        """
        A server as walks see it.
        """
        return Place(server.ask, Calls(self.contract, "", "v1.0"), server, lambda: True)

    def walk(self, seed: int, steps: int, fault: Fault | None = None, settle: int = 0) -> tuple[int, Violation | None]:
        """
        How many moves one walk took, and what it found.
        """
        with Server(fault, profile=self.held.profile.name, settle=settle, hold=self.hold) as server:
            walker = Walker(self.place(server), self.oracle, "w")
            found = walker.walk(Chooser(self.model, random.Random(f"{seed}/0")).moves(steps))
            return walker.executed, found

    def shrunk(self, found: Violation, fault: Fault, settle: int = 0) -> Violation:
        """
        The least that breaks the same rule on a fresh server.
        """
        with Server(fault, profile=self.held.profile.name, settle=settle, hold=self.hold) as server:
            return shrunk(self.place(server), self.oracle, found, "s")

    def told(self, found: Violation) -> str:
        """
        The scenario of a finding.
        """
        return scenario(found, self.model, [f"hold_{self.hold.lower()}"] if self.hold else [])


def settings(held: spec.Spec, fault: Fault) -> tuple[int, str]:
    """
    How late effects come, and what is held, so that instances come to the state of the fault.
    """
    holds = assembly.holds(held.machine)
    state = fault.cell.state
    return (LATE, "") if holds.get(state) == "" else (0, state) if state in holds else (0, "")
