"""
Moves, executed: ask, wait for effects, and let the oracle judge every answer.

Rule 1: an effect may come late, within a time; what must not change is looked at again later.
Rule 2: nobody answers: CannotRun, never a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from conformance.errors import CannotRun
from conformance.judge import accepts
from conformance.scenario import WITHIN
from conformance.steps import FIRST, LONGEST, SLOWER

from .instance import Instance
from .moves import CHILD, GET, RAISE, START, Move, Op

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
        One move; one about a child that is not there is none.
        """
        instance = self.instance(move.instance)
        if move.kind == "settle":
            return self.settle(instance)
        if move.kind != "act":
            return self.look(instance)
        if move.op.whom not in instance.members:
            return None
        return self.judged(instance, move.op, self.ask(instance, move.op))

    def look(self, instance: Instance) -> Finding | None:
        """
        One get of the instance, and one of its child.
        """
        for whom in tuple(instance.members):
            op = Op(GET, whom=whom)
            saw = self.ask(instance, op)
            finding = instance.looked(saw, op)
            if finding:
                return finding if finding.kind != "settles" or accepts(saw) else self._gone(instance, op, saw, finding)
        return None

    def _gone(self, instance: Instance, op: Op, saw: Observation, finding: Finding) -> Finding:
        """
        What is wrong with a refused look: one that is accepted a little later was refused wrongly, and nothing is lost.
        """
        self._place.time.pause(self._place.quiet)
        return instance.misread(op, saw) if accepts(self.ask(instance, op)) else finding

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
            names = frozenset(self._place.names.get(one.workflow, one.workflow) for one in model.book.recipes.values())
            self.instances[name] = Instance(self._oracle, f"{self._token}-{name}", names, model.unknown)
        return self.instances[name]

    def now(self) -> float:
        """
        Seconds, never going back.
        """
        return self._place.time.now()

    def ask(self, instance: Instance, op: Op) -> Observation:
        """
        One exchange. Raises CannotRun when nobody answers.
        """
        return self._sent(self.request(instance, op))

    def request(self, instance: Instance, op: Op) -> Request:
        """
        What an operation is over the wire.
        """
        calls, identity = self._place.calls, instance.members[op.whom].id
        if op.operation == START:
            recipe = self._oracle.model.book.recipes[op.recipe]
            body = recipe.text(instance.coming).encode()
            return calls.operation(op.operation, identity, workflow=recipe.workflow, body=body, json=True)
        if op.operation == RAISE:
            return calls.operation(op.operation, identity, event=op.event, body=b"1", json=True)
        return calls.operation(op.operation, identity)

    def sweep(self) -> None:
        """
        End and purge what the walk has left; nothing of it is judged.
        """
        machine = self._oracle.model.machine
        ends = [name for name in machine.offered("http") if self._ends(name)]
        erases = [name for name in machine.offered("http") if self._erases(name)]
        for instance in self.instances.values():
            for name in (*ends, *erases):
                for op in (Op(name, whom=whom) for whom in instance.members):
                    if any(machine.states[self._oracle.model.part(one, op).state].exists for one in instance.guesses):
                        self._place.ask(self.request(instance, op))

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
            finding = self.look(instance)
            if finding or instance.there():
                return finding
            if last:
                return self._late(instance)
            time.pause(min(pause, max(0.0, until - time.now())))
            pause = min(pause * SLOWER, LONGEST)

    def _late(self, instance: Instance) -> Finding | None:
        """
        What has not come in its time: of the child, where the child alone is not where it must be.
        """
        settled = instance.oracle.model.settled(instance.guesses)
        here, there = ({one.state for one in of} for of in (instance.guesses, settled))
        whom = CHILD if CHILD in instance.members and here <= there else ""
        return instance.late(self.ask(instance, Op(GET, whom=whom)), whom)
