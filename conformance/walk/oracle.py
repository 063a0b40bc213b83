"""
What an answer says of one instance: which of the states it may be in remain, or which rule is broken.

Rule 1: pure: answers come in, guesses and findings come out.
Rule 2: an answer is wrong only when no state the instance may be in explains it; what is unspecified is never wrong.
Rule 3: the rule of a finding is the one that a scenario of the same steps would carry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import spec
from conformance.checks import HTTP, document_rule
from conformance.judge import accepts, answered, judge, shown
from conformance.match import Text, instant, plain
from conformance.wants import Document, Outcome, row_of

from .moves import GET, START

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.contract import Contract
    from conformance.exchange import Observation
    from conformance.judge import Verdict
    from spec import Cell

    from .model import Guess, Guesses, Model
    from .moves import Op, Recipe

MOST = 64
"""Guesses that are followed; where silence in the contract leaves more, nothing of the instance is judged any more."""

ZERO_YEAR = "0001-"
"""How the time begins that stands for none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    A broken rule. `kind` is that of a scenario's check; `states` are those that would have been right.
    """

    rule: str
    kind: str
    why: str
    wanted: Any
    seen: Any
    states: tuple[str, ...] = ()
    field: str = ""


@dataclass(slots=True)
class Shown:
    """
    What the answers of one run of an instance have shown, and must not change.
    """

    created: str = ""
    updated: str = ""


class Oracle:
    """
    The judge of walks under one profile, on one kind of surface.
    """

    def __init__(self, model: Model, contract: Contract, kind: str = HTTP) -> None:
        self.model, self.kind, self.contract = model, kind, contract
        self._rows = {name: row_of(reply, kind) for name, reply in model.spec.replies.items()}

    def documented(self, operation: str, saw: Observation) -> Finding | None:
        """
        Whether the document lists the answer.
        """
        wants = Document(self.contract.operation(operation).id if self.kind == HTTP else operation)
        return self._finding(document_rule(self.kind), "body", judge(wants, saw, {}, self.contract), ())

    def explained(self, guesses: Iterable[Guess], op: Op, saw: Observation) -> Guesses:
        """
        What the guesses become by an operation and its answer; none where none of them explains it.
        """
        found: set[Guess] = set()
        for guess in guesses:
            cell = self.model.cell(guess, op.operation)
            silent = cell.reply == spec.UNSPECIFIED
            if not silent and not self._row_verdict(cell.reply, saw).passed:
                continue
            if op.operation == GET:
                reported = self.model.machine.states[guess.state].reported.get(self.kind)
                if not accepts(saw) or silent or word(saw) == reported:
                    found.add(guess)
                continue
            accepted = accepts(saw) if silent else self.model.accepts(cell.reply)
            if accepted:
                found.update(self.model.asked(guess, op))
            if silent or not accepted:
                found.add(guess)
        return frozenset(found)

    def blamed(self, guess: Guess, op: Op, saw: Observation) -> Finding:
        """
        What is wrong with the answer to an operation in this state.
        """
        cell = self.model.cell(guess, op.operation)
        outcome = judge(Outcome(self.model.accepts(cell.acts)), saw, {}, self.contract)
        if not outcome.passed or cell.reply == spec.UNSPECIFIED:
            return self._certain(cell.reply_rule, "outcome", outcome, guess)
        row = self.model.spec.replies[cell.reply]
        return self._certain(row.rule, "reply", self._row_verdict(cell.reply, saw), guess)

    def lost(self, rule: str, guesses: Guesses, saw: Observation) -> Finding:
        """
        An instance shows none of the states it may be in.
        """
        states = tuple(dict.fromkeys(sorted(one.state for one in guesses)))
        seen = word(saw) if accepts(saw) else answered(saw)
        why = f"it shows {seen if accepts(saw) else f'status {saw.status}'} and may be in {' or '.join(states)} only"
        return Finding(rule, "settles", why, list(states), seen, states)

    def holds(self, rule: str) -> bool:
        """
        Whether a rule is one of this profile, and can be observed.
        """
        held = self.model.spec.rules[rule]
        own = self.kind in held.surfaces and (not held.profiles or self.model.spec.profile.name in held.profiles)
        return own and not held.excluded

    def _certain(self, rule: str, kind: str, verdict: Verdict, guess: Guess) -> Finding:
        found = self._finding(rule, kind, verdict, (guess.state,))
        return found or Finding(rule, kind, "no state explains the answer", [guess.state], None, (guess.state,))

    def _finding(self, rule: str, kind: str, verdict: Verdict, states: tuple[str, ...]) -> Finding | None:
        if verdict.passed or not self.holds(rule):
            return None
        return Finding(rule, kind, verdict.why, plain(verdict.wanted), plain(verdict.seen), states)

    def _row_verdict(self, name: str, saw: Observation) -> Verdict:
        row = self._rows[name]
        wants = Outcome(self.model.accepts(name)) if row is None else row
        return judge(wants, saw, {}, self.contract)


@dataclass(slots=True)
class Instance:
    """
    One instance of a walk: its ID, what it may be, and what it has shown.

    `rule` is the one that a wrong state breaks: that of the last operation that may have changed something.
    """

    oracle: Oracle
    id: str
    names: frozenset[str]
    guesses: Guesses
    rule: str
    recipe: Recipe | None = None
    blind: bool = False
    shown: Shown = field(default_factory=Shown)

    def acted(self, op: Op, saw: Observation) -> Finding | None:
        """
        Judge the answer to an operation, and keep what it may have led to.
        """
        model = self.oracle.model
        found = self.oracle.documented(op.operation, saw)
        if found or self.blind:
            return found
        after = self.oracle.explained(model.closure(self.guesses), op, saw)
        likely = self.likely()
        if not after:
            return self.oracle.blamed(likely, op, saw)
        self.guesses, self.blind = after, len(after) > MOST
        if accepts(saw):
            self.rule = _settles_rule(model, likely, op)
            if op.operation == START:
                self.recipe, self.shown = model.book.recipes[op.recipe], Shown()
        return None

    def looked(self, saw: Observation, op: Op) -> Finding | None:
        """
        Judge the answer to a get.
        """
        found = self.oracle.documented(op.operation, saw)
        if found or self.blind:
            return found
        after = self.oracle.explained(self.oracle.model.closure(self.guesses), op, saw)
        if not after:
            return self._unseen(op, saw)
        self.guesses = after
        if accepts(saw):
            return next((one for one in self._fields(saw) if self.oracle.holds(one.rule)), None)
        return None

    def resume(self, guesses: Guesses, *, restarted: bool) -> None:
        """
        Go on from what a history of overlapping operations may have left.
        """
        self.guesses, self.blind = guesses, self.blind or len(guesses) > MOST
        if restarted:
            self.recipe, self.shown = None, Shown()

    def _unseen(self, op: Op, saw: Observation) -> Finding:
        """
        What is wrong with a look that no state explains: the form of the answer, or the state it shows.
        """
        model, likely = self.oracle.model, self.likely()
        if model.accepts(model.cell(likely, op.operation).acts) == accepts(saw):
            found = self.oracle.blamed(likely, op, saw)
            if found.kind == "reply" and found.wanted != [likely.state]:
                return found
        return self.oracle.lost(self.rule, model.settled(self.guesses), saw)

    def there(self) -> bool:
        """
        Whether what was seen last may be the whole effect of what was asked for.
        """
        return self.blind or bool(self.guesses & self.oracle.model.settled(self.guesses))

    def late(self, saw: Observation) -> Finding:
        """
        An effect has not come in its time.
        """
        return self.oracle.lost(self.rule, self.oracle.model.settled(self.guesses), saw)

    def likely(self) -> Guess:
        """
        The state it most likely is in.
        """
        model = self.oracle.model
        seen = [one for one in self.guesses if not one.inbox]
        return min(seen or model.settled(self.guesses) or self.guesses)

    def _fields(self, saw: Observation) -> Iterator[Finding]:
        if self.recipe is None:
            return
        fields = shown(saw)
        young = {one.state for one in self.guesses} & set(self._first().settles)
        yield from _differs("WF-GET-004", "instanceID", self.id, fields.get("instanceID"))
        name, text = fields.get("workflowName"), fields.get("input")
        if name not in self.names and not (young and name is None):
            yield from _differs("WF-GET-005", "workflowName", min(self.names), name)
        raw = text.raw if isinstance(text, Text) else text
        if raw not in self.recipe.inputs and not (young and raw is None):
            yield from _differs("WF-GET-008", "input", self.recipe.inputs[0], plain(raw))
        yield from self._times(str(fields.get("createdAt", "")), str(fields.get("lastUpdatedAt", "")))

    def _times(self, created: str, updated: str) -> Iterator[Finding]:
        if instant(created) is None or instant(updated) is None or created.startswith(ZERO_YEAR):
            return
        before, self.shown.created = self.shown.created or created, created
        moved = _earlier(created, before) or (_earlier(before, created) and not (self.recipe and self.recipe.restarts))
        if moved:
            yield from _differs("WF-GET-006", "createdAt", before, created)
        latest, self.shown.updated = self.shown.updated or updated, updated
        floor = created if _earlier(latest, created) else latest
        if _earlier(updated, floor):
            yield Finding(
                "WF-GET-007", "fields", f"lastUpdatedAt went back to {updated}", floor, updated, (), "updated"
            )

    def _first(self) -> Cell:
        return self.oracle.model.machine.cell(self.oracle.model.absent, START)


def word(saw: Observation) -> Any:
    """
    The status that an answer reports, None where it reports none.
    """
    return shown(saw).get("runtimeStatus")


def _settles_rule(model: Model, guess: Guess, op: Op) -> str:
    happening = model.happening(guess, op) if op.operation != START else None
    return (happening or model.cell(guess, op.operation)).settles_rule


def _differs(rule: str, name: str, wanted: Any, seen: Any) -> Iterator[Finding]:
    if seen != wanted:
        yield Finding(rule, "fields", f"{name}: wanted {wanted!r}, saw {seen!r}", wanted, seen, (), name)


def _earlier(one: str, other: str) -> bool:
    first, second = instant(one), instant(other)
    return first is not None and second is not None and first < second
