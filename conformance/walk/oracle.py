"""
What an answer says of one instance: which of the states it may be in remain, or which rule is broken.

Rule 1: pure: answers come in, guesses and findings come out.
Rule 2: an answer is wrong only when no state the instance may be in explains it; what is unspecified is never wrong.
Rule 3: the rule of a finding is the one that a scenario of the same steps would carry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import spec
from conformance.checks import HTTP, document_rule
from conformance.judge import accepts, answered, judge, shown
from conformance.match import plain
from conformance.wants import Document, Outcome, row_of

from .moves import GET, Op

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.contract import Contract
    from conformance.exchange import Observation
    from conformance.judge import Verdict

    from .guess import Guess, Guesses
    from .model import Model


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
    whom: str = ""


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
            part = self.model.part(guess, op)
            cell = self.model.cell(part, op.operation)
            silent = cell.reply == spec.UNSPECIFIED
            if not silent and not self._row_verdict(cell.reply, saw).passed:
                continue
            if op.operation == GET:
                reported = self.model.machine.states[part.state].reported.get(self.kind)
                if not accepts(saw) or silent or word(saw) == reported:
                    found.add(guess)
                continue
            accepted = accepts(saw) if silent else self.model.accepts(cell.reply)
            if accepted:
                found.update(self.model.asked(guess, op))
            if silent or not accepted:
                found.update(self.model.refused(guess, op))
        return frozenset(found)

    def blamed(self, guess: Guess, op: Op, saw: Observation) -> Finding:
        """
        What is wrong with the answer to an operation in this state.
        """
        part = self.model.part(guess, op)
        cell = self.model.cell(part, op.operation)
        outcome = judge(Outcome(self.model.accepts(cell.acts)), saw, {}, self.contract)
        if not outcome.passed or cell.reply == spec.UNSPECIFIED:
            found = self._certain(cell.reply_rule, "outcome", outcome, part)
        else:
            row = self.model.spec.replies[cell.reply]
            found = self._certain(row.rule, "reply", self._row_verdict(cell.reply, saw), part)
        return replace(found, whom=op.whom)

    def lost(self, rule: str, guesses: Guesses, saw: Observation, whom: str = "") -> Finding:
        """
        An instance shows none of the states it may be in.
        """
        look = Op(GET, whom=whom)
        states = tuple(sorted({self.model.part(one, look).state for one in guesses}))
        seen = word(saw) if accepts(saw) else answered(saw)
        what = seen if accepts(saw) else f"status {saw.status}"
        why = f"{whom or 'it'} shows {what} and may be in {' or '.join(states)} only"
        return Finding(rule, "settles", why, list(states), seen, states, whom=whom)

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


def word(saw: Observation) -> Any:
    """
    The status that an answer reports, None where it reports none.
    """
    return shown(saw).get("runtimeStatus")
