"""
Moves that led to a finding -> the scenario that shows it again.

Rule 1: pure: the same moves give the same file.
Rule 2: its last check carries the rule of the finding; everything before it only leads there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance.believe import Beliefs
from conformance.derive import written

from .guess import least
from .moves import CHILD, GET, RAISE, START, Op

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .guess import Guess, Guesses
    from .model import Model
    from .moves import Move, Recipe
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
    teller = Teller(model, violation.finding)
    steps = list(teller.steps(violation.moves))
    return document(violation.finding, steps, teller.instances, requires)


def document(finding: Finding, steps: list[Step], instances: Mapping[str, Any], requires: Sequence[str]) -> str:
    """
    A scenario file of some steps.
    """
    data: Step = {"version": 1, "title": f"A walk broke {finding.rule}: {finding.why[:200]}", "rules": [finding.rule]}
    data["tags"] = ["walk"]
    if requires:
        data["requires"] = list(requires)
    if instances:
        data["instances"] = dict(instances)
    data["steps"] = steps
    return HEADER + written(data)


class Teller:
    """
    Tells moves on one instance as steps. `instances`: those that the steps name and do not start themselves.
    """

    def __init__(self, model: Model, finding: Finding) -> None:
        self._model, self._finding = model, finding
        self._guesses: Guesses = model.unknown
        self._beliefs = Beliefs(model.machine)
        self._names = {"": NAME}
        self._recipe: Recipe | None = None
        self._shown: dict[str, list[str]] = {}
        self._moved = False
        self._looked = False
        self._asked = Op("")
        self._children = 0
        self.instances: Step = {NAME: f"{{u}}-{NAME}"}

    def steps(self, moves: Sequence[Move]) -> Iterator[Step]:
        """
        All of them; the last is the one that failed.
        """
        for move in moves[:-1]:
            yield from self.led(move)
        yield from self._last(moves[-1])

    def led(self, move: Move) -> Iterator[Step]:
        """
        A move that only leads somewhere. A single get demands nothing, unless a later one is compared with it.
        """
        if move.kind == "act":
            yield from self._call(move.op)
        elif move.kind == "settle" or self._captured():
            for whom in self._changed() or [""]:
                checks = self._captured() if whom == self._finding.whom else []
                yield self._eventually(whom, self.states(whom), checks)
            self._looked = True

    def likely(self) -> Guess:
        """
        Where the instance is by now.
        """
        return least(self._model.settled(self._guesses))

    def start(self, op: Op) -> Step:
        """
        A start as a step has it.
        """
        return self._start(op, NAME, accepted=False)

    def look(self, whom: str, states: list[str]) -> Step:
        """
        A get of an instance that is in one of some states. Empty where it may be there or not.
        """
        name, there = self._names.get(whom, NAME), self._there(states)
        if not there:
            return {"get": name, "expect": "absent"}
        if len(there) < len(states):
            return {}
        return {"get": name, "expect": {"runtimeStatus": there[0] if len(there) == 1 else {"$one_of": there}}}

    def _changed(self) -> list[str]:
        """
        Who is elsewhere than was shown last.

        A child that is there, or has ended with its parent, shows what was asked of the parent; a parent that ends
        after its child shows the child's end.
        """
        changed = [whom for whom in self._names if self._shown.get(whom) != self.states(whom)]
        if changed != list(self._names) or CHILD not in changed or self._asked.whom:
            return changed
        goes = all(self._model.goes(state) for state in self.states())
        kept = CHILD if goes or self._asked.operation != START else ""
        there = bool(self._there(self.states(kept)))
        return [whom for whom in changed if not there or whom in (kept, self._finding.whom)]

    def states(self, whom: str = "") -> list[str]:
        """
        Where the instance or its child settles.
        """
        return sorted({self._model.part(one, Op(GET, whom=whom)).state for one in self._model.settled(self._guesses)})

    def _last(self, move: Move) -> Iterator[Step]:
        finding, whom = self._finding, self._finding.whom
        name = self._names.get(whom, NAME)
        if move.kind == "act" and move.op.operation != GET:
            if finding.states and not self._alike(name, move.op.operation):
                yield self._eventually(whom, list(finding.states))
            *before, step = self._call(move.op)
            yield from before
            yield {**step, "rule": finding.rule} if finding.kind == "outcome" and step["expect"] == "cell" else step
            return
        states = sorted(finding.states) if finding.kind == "settles" else self.states(whom)
        if finding.kind == "reply":
            yield {"get": name, "expect": "cell"}
        elif finding.kind == "outcome":
            yield self.look(whom, self._there(sorted({one.state for one in self._model.closure(self._guesses)})))
        elif finding.kind == "settles" and not self._moved:
            yield {"stays": {**self.look(whom, self._there(states)), "for": QUIET}, "rule": finding.rule}
        else:
            step = self._eventually(whom, states)
            if finding.kind == "settles":
                step["rule"] = finding.rule
            yield {**step, **self._fields(name)} if finding.kind == "fields" else step
            if move.kind == "later":
                yield {"stays": {**self.look(whom, self._there(states)), "for": QUIET}, "rule": finding.rule}

    def _alike(self, name: str, operation: str) -> bool:
        """
        Whether the state that is believed demands what the state of the finding demands: then nothing need be awaited.
        """
        machine, here = self._model.machine, self._beliefs.state(name)
        wanted = {machine.cell(state, operation).reply for state in self._finding.states}
        return here in self._finding.states or {machine.cell(here, operation).reply} == wanted

    def _uncertain(self, name: str, op: Op, state: str) -> bool:
        """
        Whether an operation may come too early: while it would be refused instead of accepted, or the other way round,
        or while a child is not seen where it must be.
        """
        machine, believed = self._model.machine, self._beliefs.state(name)
        now = {self._model.part(one, op).state for one in self._model.closure(self._guesses)}
        outcomes = {self._model.accepts(machine.cell(one, op.operation).acts) for one in now}
        differs = machine.cell(believed, op.operation).reply != machine.cell(state, op.operation).reply
        seen = self._shown.get(op.whom) == [state]
        return (len(outcomes) > 1 and not seen) or differs or bool(op.whom and believed != state)

    def _call(self, op: Op) -> Iterator[Step]:
        self._asked = op
        likely = self.likely()
        part, before = self._model.part(likely, op), self.states(self._finding.whom)
        name = self._names.get(op.whom, NAME)
        if not op.whom and self._finding.whom and CHILD in self._names and CHILD not in self._shown:
            yield self._eventually(CHILD, self.states(CHILD))
        if self._uncertain(name, op, part.state):
            yield self._eventually(op.whom, [part.state])
        self._beliefs.asked(name, self._beliefs.cell(name, op.operation), moves=True)
        cell = self._model.cell(part, op.operation)
        accepted = self._model.accepts(cell.acts)
        step: Step = {op.operation: name}
        if op.operation == START:
            step = {op.operation: self._start(op, name, accepted=accepted)}
        elif op.operation == RAISE:
            step = {op.operation: {"instance": name, "name": op.event, "data": 1}}
        conditional = self._model.conditional(part, op.operation)
        if accepted:
            self._guesses = frozenset(self._model.asked(likely, op))
        elif conditional:
            self._guesses = frozenset(self._model.refused(likely, op))
            self._beliefs.seen(name, part.state)
        self._moved = self.states(self._finding.whom) != before
        yield {**step, "expect": {"refused": cell.reply_rule} if conditional and not accepted else "cell"}

    def _start(self, op: Op, name: str, *, accepted: bool) -> Step:
        recipe = self._model.book.recipes[op.recipe]
        child = CHILD
        if recipe.child:
            self._children += 1
            child = CHILD + (str(self._children) if self._children > 1 else "")
            self.instances[child] = f"{{u}}-{child}"
        if accepted and not op.whom:
            self._recipe, self._shown = recipe, {}
            self._names = {"": NAME, **({CHILD: child} if recipe.child else {})}
        if not op.whom:
            self.instances.pop(name, None)
        given = json.loads(recipe.text(f"${{{child}}}"))
        return {"workflow": recipe.workflow, "input": given, "as": name}

    def _there(self, states: list[str]) -> list[str]:
        return [state for state in states if self._model.machine.states[state].exists]

    def _eventually(self, whom: str, states: list[str], checks: Sequence[Step] = ()) -> Step:
        name, there = self._names.get(whom, NAME), self._there(states)
        self._shown[whom] = states
        if whom and there and all(map(self._model.goes, self.states())):
            self._shown[""] = self.states()
        if there:
            self._beliefs.seen(name, there[0])
        else:
            self._beliefs.gone(name)
        return {
            "eventually": self.look(whom, self._there(states)),
            **({"checks": list(checks)} if checks and there else {}),
        }

    def _captured(self) -> list[Step]:
        """
        What a look captures, where a later one is compared with it.
        """
        name = self._finding.field
        compared = name in ("createdAt", "lastUpdatedAt")
        return [{"rule": self._finding.rule, "expect": {name: {"$bind": name}}}] if compared else []

    def _fields(self, name: str) -> Step:
        rule, field, wanted = self._finding.rule, self._finding.field, self._finding.wanted
        found: list[Step] = []
        if field == "instanceID":
            found = [{"instanceID": f"${{{name}}}"}]
        elif field == "input":
            own = self._recipe and not self._finding.whom and self._recipe.child
            child = self._names.get(CHILD, CHILD)
            found = [{"input": {"$text": self._recipe.texts(f"${{{child}}}")[0] if own and self._recipe else wanted}}]
        elif field == "createdAt":
            found = [{"createdAt": {"$bind": "createdAt"}}]
        elif field == "lastUpdatedAt":
            found = [{"createdAt": {"$bind": "created"}}, {"lastUpdatedAt": {"$gte": "${created}"}}]
            if self._looked:
                found.append({"lastUpdatedAt": {"$gte": "${lastUpdatedAt}"}})
        else:
            found = [{field: wanted}]
        return {"checks": [{"rule": rule, "expect": one} for one in found]}
