"""
Moves that led to a finding -> the scenario that shows it again.

Rule 1: pure: the same moves give the same file.
Rule 2: its last check carries the rule of the finding; everything before it only leads there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.believe import Beliefs
from conformance.derive import written

from .moves import GET, RAISE, START

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .model import Guesses, Model
    from .moves import Move, Op
    from .oracle import Finding
    from .walker import Violation

HEADER = "# yaml-language-server: $schema=https://workflow-conformance.dev/schemas/scenario.json\n"
NAME = "wf"
QUIET = 0.2
Step = dict[str, Any]


def scenario(violation: Violation, model: Model, requires: Sequence[str] = ()) -> str:
    """
    The text of the scenario file.
    """
    finding = violation.finding
    data: Step = {"version": 1, "title": f"A walk broke {finding.rule}: {finding.why[:200]}", "rules": [finding.rule]}
    data["tags"] = ["walk"]
    if requires:
        data["requires"] = list(requires)
    if not any(move.op.operation == START for move in violation.moves):
        data["instances"] = {NAME: f"{{u}}-{NAME}"}
    data["steps"] = list(_Teller(model, finding).steps(violation.moves))
    return HEADER + written(data)


class _Teller:
    def __init__(self, model: Model, finding: Finding) -> None:
        self._model, self._finding = model, finding
        self._guesses: Guesses = model.unknown
        self._beliefs = Beliefs(model.machine)
        self._moved = False
        self._looked = False

    def steps(self, moves: Sequence[Move]) -> Iterator[Step]:
        for move in moves[:-1]:
            yield from self._step(move)
        yield from self._last(moves[-1])

    def _step(self, move: Move) -> Iterator[Step]:
        if move.op.operation == GET:
            yield self._eventually(self._states(), self._captured())
            self._looked = True
            return
        yield self._call(move.op)

    def _last(self, move: Move) -> Iterator[Step]:
        finding = self._finding
        if move.op.operation != GET:
            if finding.states and self._beliefs.state(NAME) not in finding.states:
                yield self._eventually(list(finding.states))
            step = self._call(move.op)
            yield {**step, "rule": finding.rule} if finding.kind == "outcome" else step
            return
        states = self._states()
        if finding.kind == "reply":
            yield {"get": NAME, "expect": "cell"}
        elif finding.kind == "settles" and not self._moved:
            yield {"stays": {**self._look(states), "for": QUIET}, "rule": finding.rule}
        else:
            step = self._eventually(states)
            if finding.kind == "settles":
                step["rule"] = finding.rule
            yield {**step, **self._fields()} if finding.kind == "fields" else step
            if move.kind == "later":
                yield {"stays": {**self._look(states), "for": QUIET}, "rule": finding.rule}

    def _call(self, op: Op) -> Step:
        before = self._states()
        self._beliefs.asked(NAME, self._beliefs.cell(NAME, op.operation), moves=True)
        likely = min(self._model.settled(self._guesses))
        if self._model.accepts(self._model.cell(likely, op.operation).acts):
            self._guesses = frozenset(self._model.asked(likely, op))
        self._moved = self._states() != before
        step: Step = {op.operation: NAME}
        if op.operation == START:
            recipe = self._model.book.recipes[op.recipe]
            step = {op.operation: {"workflow": recipe.workflow, "input": recipe.input, "as": NAME}}
        elif op.operation == RAISE:
            step = {op.operation: {"instance": NAME, "name": op.event, "data": 1}}
        return {**step, "expect": "cell"}

    def _states(self) -> list[str]:
        return sorted({one.state for one in self._model.settled(self._guesses)})

    def _look(self, states: list[str]) -> Step:
        there = [state for state in states if self._model.machine.states[state].exists]
        if not there:
            return {"get": NAME, "expect": "absent"}
        return {"get": NAME, "expect": {"runtimeStatus": there[0] if len(there) == 1 else {"$one_of": there}}}

    def _eventually(self, states: list[str], checks: list[Step] | None = None) -> Step:
        there = [state for state in states if self._model.machine.states[state].exists]
        if there:
            self._beliefs.seen(NAME, there[0])
        else:
            self._beliefs.gone(NAME)
        return {"eventually": self._look(states), **({"checks": checks} if checks and there else {})}

    def _captured(self) -> list[Step]:
        """
        What a look captures, where a later one is compared with it.
        """
        names = {"createdAt": "createdAt", "updated": "lastUpdatedAt"}
        name = names.get(self._finding.field)
        return [{"rule": self._finding.rule, "expect": {name: {"$bind": name}}}] if name else []

    def _fields(self) -> Step:
        rule, name, wanted = self._finding.rule, self._finding.field, self._finding.wanted
        found: list[Step] = []
        if name == "instanceID":
            found = [{"instanceID": f"${{{NAME}}}"}]
        elif name == "input":
            found = [{"input": {"$text": wanted}}]
        elif name == "createdAt":
            found = [{"createdAt": {"$bind": "createdAt"}}]
        elif name == "updated":
            found = [{"createdAt": {"$bind": "created"}}, {"lastUpdatedAt": {"$gte": "${created}"}}]
            if self._looked:
                found.append({"lastUpdatedAt": {"$gte": "${lastUpdatedAt}"}})
        else:
            found = [{name: wanted}]
        return {"checks": [{"rule": rule, "expect": one} for one in found]}
