"""
Moves, executed: ask, wait for effects, and let the oracle judge every answer.

Rule 1: an effect may come late, within a time; what must not change is looked at again later.
Rule 2: nobody answers: CannotRun, never a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from conformance.calls import dump
from conformance.errors import CannotRun
from conformance.scenario import WITHIN
from conformance.steps import FIRST, LONGEST, SLOWER

from .moves import GET, RAISE, START, Move, Op
from .oracle import Instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from conformance.calls import Asks
    from conformance.exchange import Observation, Request

    from .oracle import Finding, Oracle

QUIET = 0.2
"""Seconds in which nothing is asked, before what must not change is looked at again."""


class Time(Protocol):
    """
    The clock of a walk.
    """

    def now(self) -> float:
        """
        Seconds, never going back.
        """

    def pause(self, seconds: float) -> None:
        """
        Let so much time pass.
        """


@dataclass(frozen=True, slots=True)
class Place:
    """
    A server to walk: how it is asked, and what it calls the kit workflows. `within`: seconds for an effect.
    """

    ask: Callable[[Request], Observation]
    calls: Asks
    time: Time
    alive: Callable[[], bool]
    names: Mapping[str, str] = field(default_factory=dict)
    within: float = WITHIN
    quiet: float = QUIET


@dataclass(frozen=True, slots=True)
class Violation:
    """
    A finding, with the moves on the one instance that led to it; the last is the one that failed.
    """

    finding: Finding
    moves: tuple[Move, ...]


class Walker:
    """
    Executes moves. `token` begins the ID of every instance.
    """

    def __init__(self, place: Place, oracle: Oracle, token: str) -> None:
        self._place, self._oracle, self._token = place, oracle, token
        self.instances: dict[str, Instance] = {}
        self.executed = 0

    def walk(self, moves: Iterable[Move]) -> Violation | None:
        """
        Execute until a rule is broken, or to the end.
        """
        done: dict[str, list[Move]] = {}
        before = ""
        for move in moves:
            done.setdefault(move.instance, []).append(move)
            if move.kind == "later" and before != "later":
                self._place.time.pause(self._place.quiet)
            before = move.kind
            finding = self.step(move)
            self.executed += 1
            if finding:
                return Violation(finding, tuple(done[move.instance]))
        return None

    def step(self, move: Move) -> Finding | None:
        """
        One move.
        """
        if move.kind == "settle":
            return self.settle(self.instance(move.instance))
        instance = self.instance(move.instance)
        saw = self.ask(instance, move.op)
        return self.judged(instance, move.op, saw)

    def judged(self, instance: Instance, op: Op, saw: Observation) -> Finding | None:
        """
        What the oracle says of an answer.
        """
        return instance.looked(saw, op) if op.operation == GET else instance.acted(op, saw)

    def instance(self, name: str) -> Instance:
        """
        The instance of this name; its ID was never used before.
        """
        if name not in self.instances:
            model = self._oracle.model
            rule = model.machine.cell(model.absent, GET).reply_rule
            names = frozenset(self._place.names.get(one.workflow, one.workflow) for one in model.book.recipes.values())
            self.instances[name] = Instance(self._oracle, f"{self._token}-{name}", names, model.unknown, rule)
        return self.instances[name]

    def ask(self, instance: Instance, op: Op) -> Observation:
        """
        One exchange. Raises CannotRun when nobody answers.
        """
        return self._sent(self.request(instance, op))

    def request(self, instance: Instance, op: Op) -> Request:
        """
        What an operation is over the wire.
        """
        calls = self._place.calls
        if op.operation == START:
            recipe = self._oracle.model.book.recipes[op.recipe]
            return calls.operation(
                op.operation, instance.id, workflow=recipe.workflow, body=dump(recipe.input), json=True
            )
        if op.operation == RAISE:
            return calls.operation(op.operation, instance.id, event=op.event, body=b"1", json=True)
        return calls.operation(op.operation, instance.id)

    def sweep(self) -> None:
        """
        End and purge what the walk has left; nothing of it is judged.
        """
        machine = self._oracle.model.machine
        ends = [name for name in machine.offered("http") if self._ends(name)]
        erases = [name for name in machine.offered("http") if self._erases(name)]
        for instance in self.instances.values():
            for name in (*ends, *erases):
                if any(machine.states[one.state].exists for one in instance.guesses):
                    self._place.ask(self.request(instance, Op(name)))

    def _ends(self, operation: str) -> bool:
        machine = self._oracle.model.machine
        return any(
            not machine.states[state].terminal and all(machine.states[end].terminal for end in row[operation].settles)
            for state, row in machine.table.items()
        )

    def _erases(self, operation: str) -> bool:
        machine = self._oracle.model.machine
        return any(
            machine.states[state].exists and not any(machine.states[end].exists for end in row[operation].settles)
            for state, row in machine.table.items()
        )

    def _sent(self, request: Request) -> Observation:
        saw = self._place.ask(request)
        if saw.status is None and not (saw.trouble == "protocol" and self._place.alive()):
            raise CannotRun(f"{self._place.calls.url} stopped answering; last seen: {saw.error}")
        return saw

    def settle(self, instance: Instance) -> Finding | None:
        """
        Look until the effects of what was asked for are there.
        """
        time = self._place.time
        until, pause = time.now() + self._place.within, FIRST
        while True:
            last = time.now() >= until
            saw = self.ask(instance, Op(GET))
            finding = instance.looked(saw, Op(GET))
            if finding or instance.there():
                return finding
            if last:
                return instance.late(saw)
            time.pause(min(pause, max(0.0, until - time.now())))
            pause = min(pause * SLOWER, LONGEST)
