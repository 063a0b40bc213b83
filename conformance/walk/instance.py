"""
One instance of a walk and its child: what they may be, and what their answers have shown.

Rule 1: pure: answers come in, findings come out.
Rule 2: a wrong state breaks the rule of the last operation that may have changed something.
Rule 3: which rule a field, a child or a parent breaks is data: spec/walks.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from conformance.judge import accepts, shown
from conformance.match import Text, instant, plain

from .guess import least
from .moves import CHILD, FAILS, GET, START, Op
from .oracle import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.exchange import Observation

    from .guess import Guess, Guesses
    from .moves import Recipe
    from .oracle import Oracle

MOST = 256
"""Guesses that are followed; where silence in the contract leaves more, nothing of the instance is judged any more."""

ENDED, OTHERWISE = "ended", "otherwise"
"""The words of walks.yaml for any other case."""

ZERO_YEAR = "0001-"
"""How the time begins that stands for none."""


@dataclass(slots=True)
class Member:
    """
    The instance, or its child: its ID, the rule that a wrong state breaks, and what its last run has shown.
    """

    id: str
    rule: str
    recipe: Recipe | None = None
    created: str = ""
    updated: str = ""


@dataclass(slots=True)
class Instance:
    """
    One instance of a walk, and what it may be. `names`: what its workflows are called.
    """

    oracle: Oracle
    id: str
    names: frozenset[str]
    guesses: Guesses
    blind: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    _next: int = 0

    def __post_init__(self) -> None:
        """
        Nothing is known of its ID yet.
        """
        model = self.oracle.model
        self.members[""] = Member(self.id, model.machine.cell(model.absent, GET).reply_rule)

    @property
    def coming(self) -> str:
        """
        The ID of a child that the next start may give it.
        """
        return f"{self.id}-{self._next}"

    def acted(self, op: Op, saw: Observation) -> Finding | None:
        """
        Judge the answer to an operation, and keep what it may have led to.
        """
        model = self.oracle.model
        found = self.oracle.documented(op.operation, saw)
        if found or self.blind:
            return found and replace(found, whom=op.whom)
        now = model.closure(self.guesses)
        self.blind = bool(op.whom) and op.operation == START and model.unborn(now)
        after = self.oracle.explained(now, op, saw)
        likely = self.likely()
        if not after:
            return self.oracle.blamed(likely, op, saw)
        self.guesses, self.blind = after, self.blind or len(after) > MOST
        if accepts(saw):
            self._moved(likely, op)
        elif not op.whom and model.conditional(likely, op.operation):
            for member in self.members.values():
                member.rule = model.cell(likely, op.operation).settles_rule
        return None

    def looked(self, saw: Observation, op: Op) -> Finding | None:
        """
        Judge the answer to a get.
        """
        found = self.oracle.documented(op.operation, saw)
        if found or self.blind:
            return found and replace(found, whom=op.whom)
        after = self.oracle.explained(self.oracle.model.closure(self.guesses), op, saw)
        if not after:
            return self._unseen(op, saw)
        self.guesses = after
        if accepts(saw):
            member = self.members[op.whom]
            found = next((one for one in self._fields(member, op, saw) if self.oracle.holds(one.rule)), None)
            return found and replace(found, whom=op.whom)
        return None

    def misread(self, op: Op, saw: Observation) -> Finding:
        """
        An answer to a get is wrong, whatever the instance is.
        """
        return self.oracle.blamed(self.likely(), op, saw)

    def resume(self, guesses: Guesses, *, restarted: bool) -> None:
        """
        Go on from what a history of overlapping operations may have left.
        """
        self.guesses, self.blind = guesses, self.blind or len(guesses) > MOST
        if restarted:
            self.members[""] = Member(self.id, self.members[""].rule)

    def there(self) -> bool:
        """
        Whether what was seen last may be the whole effect of what was asked for.
        """
        return self.blind or bool(self.guesses & self.oracle.model.settled(self.guesses))

    def late(self, saw: Observation, whom: str = "") -> Finding:
        """
        An effect has not come in its time.
        """
        return self.oracle.lost(self.members[whom].rule, self.oracle.model.settled(self.guesses), saw, whom)

    def likely(self) -> Guess:
        """
        The state it most likely is in: one that nothing is under way to; else, right after a start, the one it begins
        with.
        """
        model = self.oracle.model
        seen = [one for one in self.guesses if not (one.inbox or one.mail)]
        begins = all(op.operation == model.opening for one in self.guesses for op in one.inbox)
        begun = [one for one in model.closure(self.guesses) if one.state in model.awake and not one.inbox]
        return least(seen or (begun if begins else ()) or model.settled(self.guesses) or self.guesses)

    def _moved(self, likely: Guess, op: Op) -> None:
        """
        An operation was accepted: the rules that what comes of it may break, and a new run where it began one.
        """
        model, member = self.oracle.model, self.members[op.whom]
        part = model.part(likely, op)
        cell = model.cell(part, op.operation)
        if op.operation == START:
            self._begun(member, model.book.recipes[op.recipe], op, cell.settles_rule)
            return
        happening = model.happening(part, op)
        member.rule = (happening or cell).settles_rule
        walks = model.spec.walks
        if op.whom and model.goes(likely.state):
            ends = happening.event if happening else OTHERWISE if model.goes(cell.settles[0]) else FAILS
            self.members[""].rule = walks.of_parent.get(ends, walks.of_parent[OTHERWISE])
        elif not op.whom and CHILD in self.members:
            stays = not model.goes(part.state) and model.machine.states[cell.settles[0]].exists
            child = self.members[CHILD]
            child.rule = walks.of_child.get(ENDED if stays else op.operation, child.rule)

    def _begun(self, member: Member, recipe: Recipe, op: Op, rule: str) -> None:
        self.members[op.whom] = Member(member.id, recipe.rule or rule, recipe)
        if op.whom:
            return
        self.members.pop(CHILD, None)
        if recipe.child:
            self.members[CHILD] = Member(self.coming, self.oracle.model.spec.walks.of_child[START])
            self._next += 1

    def _unseen(self, op: Op, saw: Observation) -> Finding:
        """
        What is wrong with a look that no state explains: the form of the answer, or the state it shows.
        """
        model, likely = self.oracle.model, self.likely()
        part = model.part(likely, op)
        if model.accepts(model.cell(part, op.operation).acts) == accepts(saw):
            found = self.oracle.blamed(likely, op, saw)
            if found.kind == "reply" and found.wanted != [part.state]:
                return found
        return self.oracle.lost(self.members[op.whom].rule, model.settled(self.guesses), saw, op.whom)

    def _fields(self, member: Member, op: Op, saw: Observation) -> Iterator[Finding]:
        if member.recipe is None:
            return
        model, fields = self.oracle.model, shown(saw)
        rules = model.spec.walks.answers
        first = model.machine.cell(model.absent, START).settles
        young = any(model.part(one, op).state in first for one in self.guesses)
        name, text = fields.get("workflowName"), fields.get("input")
        raw = text.raw if isinstance(text, Text) else text
        child = self.members[CHILD].id if CHILD in self.members else ""
        inputs = member.recipe.texts(child)
        yield from _differs(rules, "instanceID", member.id, fields.get("instanceID"))
        if name not in self.names and not (young and name is None):
            yield from _differs(rules, "workflowName", min(self.names), name)
        if raw not in inputs and not (young and raw is None):
            yield from _differs(rules, "input", inputs[0], plain(raw))
        yield from self._times(member, str(fields.get("createdAt", "")), str(fields.get("lastUpdatedAt", "")))

    def _times(self, member: Member, created: str, updated: str) -> Iterator[Finding]:
        rules = self.oracle.model.spec.walks.answers
        if instant(created) is None or instant(updated) is None or created.startswith(ZERO_YEAR):
            return
        before, member.created = member.created or created, created
        restarts = member.recipe is not None and member.recipe.restarts
        if _earlier(created, before) or (_earlier(before, created) and not restarts):
            yield from _differs(rules, "createdAt", before, created)
        latest, member.updated = member.updated or updated, updated
        floor = created if _earlier(latest, created) else latest
        if _earlier(updated, floor):
            why = f"lastUpdatedAt went back to {updated}"
            yield Finding(rules["lastUpdatedAt"], "fields", why, floor, updated, (), "lastUpdatedAt")


def _differs(rules: Any, name: str, wanted: Any, seen: Any) -> Iterator[Finding]:
    if seen != wanted:
        yield Finding(rules[name], "fields", f"{name}: wanted {wanted!r}, saw {seen!r}", wanted, seen, (), name)


def _earlier(one: str, other: str) -> bool:
    first, second = instant(one), instant(other)
    return first is not None and second is not None and first < second
