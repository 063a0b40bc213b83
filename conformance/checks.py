"""
The steps of a scenario -> the checks that will execute, under one profile, on one kind of surface.

Rule 1: every check carries exactly one rule: one that is named, or that of the cell, of the row, of the settling.
Rule 2: a rule that does not hold in the profile, or that nothing can observe, makes no check; neither does what is
unspecified.
Rule 3: pure; the same scenario and profile give the same checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import spec

from . import load
from .believe import Beliefs
from .client import message
from .errors import BadFiles
from .names import dynamic
from .scenario import FAULT, LOOKS
from .wants import Answer, Check, Count, Document, Fields, Gone, Outcome, Planned, RowOf, Wants, Wire, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .client import Client
    from .contract import Contract
    from .scenario import Row, Scenario, Step

HTTP = "http"
"""The kind of surface that the OpenAPI document describes."""

UNASKED = ("restart", FAULT)
"""The verbs that no client is asked for."""

FAILED = "failed"
"""What is expected of an operation that meets trouble: an error, whichever."""

DOCUMENT_RULE, MESSAGE_RULE, ANSWER_RULE = (spec.carrying(kind) for kind in ("body", "message", "answer"))
"""The rules that an answer breaks which is not in the OpenAPI document, not the message of its method, or not the
whole of what an SDK shows."""


def document_rule(kind: str) -> str:
    """
    The rule that an answer breaks which no document of its surface describes.
    """
    return DOCUMENT_RULE if kind == HTTP else MESSAGE_RULE


def plan(  # noqa: PLR0913, PLR0917 - what a plan is made of
    scenario: Scenario,
    row: Row,
    held: spec.Spec,
    contract: Contract,
    kind: str = HTTP,
    client: Client | None = None,
) -> tuple[Planned, ...]:
    """
    Each step of one row of a scenario with its checks; `client` is who makes the calls, where that is not the kit.

    Raises BadFiles when the steps do not fit the table, Unsupported when they are not for this client.
    """
    planner = _Planner(scenario, held, contract, kind, client)
    steps = tuple(planner.step(step) for step in row.steps)
    if planner.wrong:
        raise BadFiles(planner.wrong)
    return steps


class _Planner:
    def __init__(
        self, scenario: Scenario, held: spec.Spec, contract: Contract, kind: str, client: Client | None
    ) -> None:
        self._scenario, self._spec, self._contract = scenario, held, contract
        self._mine = self._client = client
        self._own = self._kind = kind
        self._machine, self._on = held.machine, {name: of for name, of, _ in load.surfaces(contract.openapi)}
        self._beliefs = Beliefs(held.machine)
        self.wrong: list[str] = []

    def step(self, step: Step) -> Planned:
        self._kind, self._client = self._on.get(step.on, self._own), None if step.on else self._mine
        try:
            if self._client and step.verb not in UNASKED:
                for one in step.branches or (step,):
                    message(self._client, one, one.call, "")
            return self._planned(step)
        finally:
            self._kind, self._client = self._own, self._mine

    def _planned(self, step: Step) -> Planned:
        if step.verb == "parallel":
            return self._parallel(step)
        if step.verb in LOOKS:
            awaits = self._awaits(step)
            return Planned(step, tuple(self._look(step, awaits)), awaits=awaits)
        if step.verb == "request":
            return Planned(step, tuple(self._request(step)))
        if step.verb == "call":
            return Planned(step, tuple(self._call(step)))
        if step.verb in ("restart", FAULT):
            return Planned(step, ())
        return Planned(step, tuple(self._operation(step)))

    # -- operations --

    def _operation(self, step: Step) -> Iterator[Check]:
        cell = self._beliefs.cell(step.instance, step.operation)
        expect = step.expect
        refused = expect.get("refused", "") if isinstance(expect, dict) else ""
        if refused:
            yield from self._refused(step, cell, refused)
        elif expect == "absent":
            yield from self._absent(step, cell)
        elif expect == "cell":
            yield from self._cell(step, cell)
        elif expect == FAILED:
            yield from self._check(step, "outcome", step.rule, Outcome(accepted=False, error=True), ends=True)
        else:
            yield from self._accepted(step, cell)
        if expect != FAILED:
            yield from self._document(step)
        yield from self._further(step)
        yield from self._wire(step)
        self._follow(step, cell, refused=bool(refused) or expect == FAILED)

    def _follow(self, step: Step, cell: spec.Cell, *, refused: bool) -> None:
        looks = step.operation == "get"
        if not looks:
            self._beliefs.asked(step.instance, cell, moves=not refused)
        if looks and step.expect == "absent":
            self._beliefs.gone(step.instance)
        elif isinstance(step.expect, dict):
            self._beliefs.seen(step.instance, step.expect.get("runtimeStatus"))

    def _refused(self, step: Step, cell: spec.Cell, rule: str) -> Iterator[Check]:
        found = self._refusing(cell, rule)
        if found is None:
            self._bad(
                step, rule, f"in {cell.state} {step.operation} is not refused by this rule, and it names no reply"
            )
            return
        if found == spec.UNSPECIFIED:
            return
        yield from self._check(step, "outcome", rule, Outcome(accepted=False), ends=True)
        yield from self._row_check(step, found)

    def _refusing(self, cell: spec.Cell, rule: str) -> str | None:
        """
        The row that a refusal under a rule shows, or nothing where it cannot be one.
        """
        for one in (cell, *cell.when.values()):
            if one.reply_rule == rule and (one.reply == spec.UNSPECIFIED or not self._accepts(one.reply)):
                return one.reply
        return self._spec.rules[rule].reply or None

    def _absent(self, step: Step, cell: spec.Cell) -> Iterator[Check]:
        there = self._nowhere()
        rule = step.rule or self._beliefs.settles_rule(step.instance)
        if there.reply != spec.UNSPECIFIED:
            yield from self._check(step, "outcome", there.reply_rule, Outcome(accepted=False), ends=True)
            yield from self._row_check(step, there.reply)
        yield from self._check(step, "fields", rule, self._gone())
        del cell

    def _cell(self, step: Step, cell: spec.Cell) -> Iterator[Check]:
        if cell.reply == spec.UNSPECIFIED:
            return
        accepted = self._accepts(cell.reply)
        yield from self._check(step, "outcome", step.rule or cell.reply_rule, Outcome(accepted=accepted), ends=True)
        yield from self._row_check(step, cell.reply)
        if accepted and cell.reply == self._machine.cell(cell.state, "get").reply:
            yield from self._check(step, "fields", cell.settles_rule, self._status(cell.state))

    def _accepted(self, step: Step, cell: spec.Cell) -> Iterator[Check]:
        fields = isinstance(step.expect, dict)
        if cell.reply == spec.UNSPECIFIED and not step.rule and not fields:
            return
        reply = cell.reply
        if reply == spec.UNSPECIFIED or not self._accepts(reply):
            if not step.rule and not fields:
                self._bad(
                    step, step.verb, f"in {cell.state} it is refused ({reply}); say expect: cell, or refused: RULE"
                )
                return
            reply = self._accepting(step.operation)
        own = reply == cell.reply and (fields or not step.rule)
        outcome = cell.reply_rule if own else step.rule or cell.reply_rule
        yield from self._check(step, "outcome", outcome, Outcome(accepted=True), ends=True)
        yield from self._row_check(step, reply)
        if fields:
            rule = step.rule or self._beliefs.settles_rule(step.instance)
            yield from self._check(step, "fields", rule, self._fields(step.operation, step.expect))

    def _accepting(self, operation: str) -> str:
        cells = (row[operation] for row in self._machine.table.values())
        return next(cell.acts for cell in cells if self._accepts(cell.acts))

    # -- looks --

    def _awaits(self, step: Step) -> Wants:
        """
        What a look waits for.
        """
        if step.expect == "absent" or (step.expect == "cell" and not self._state(step).exists):
            return self._gone()
        if step.expect == "cell":
            return self._status(self._state(step).name)
        return self._fields(step.operation, step.expect)

    def _look(self, step: Step, awaits: Wants) -> Iterator[Check]:
        rule = step.rule or self._beliefs.settles_rule(step.instance)
        yield from self._check(step, "settles", rule, awaits, ends=True)
        yield from self._document(step)
        yield from self._further(step)
        if isinstance(awaits, Gone):
            self._beliefs.gone(step.instance)
        elif step.expect != "cell":
            self._beliefs.seen(step.instance, step.expect.get("runtimeStatus"))

    def _state(self, step: Step) -> spec.State:
        return self._machine.states[self._beliefs.state(step.instance)]

    def _further(self, step: Step) -> Iterator[Check]:
        for number, (rule, fields) in enumerate(step.checks, 1):
            yield from self._check(
                step, "fields", rule, self._fields(step.operation, fields), suffix=f"checks.{number}"
            )

    def _wire(self, step: Step) -> Iterator[Check]:
        for number, (rule, expect) in enumerate(step.wire, 1):
            if self._client:
                self._client.shows(expect.get("shown", ()))
            names = self._client.statuses if self._client else {}
            wants = Wire(step.operation, self._endpoints(step.operation), expect, names)
            yield from self._check(step, "wire", rule, wants, suffix=f"wire.{number}")

    def _endpoints(self, operation: str) -> tuple[str, ...]:
        if self._kind == HTTP:
            return self._contract.endpoints(operation)
        surface = spec.grpc()[self._kind]
        return tuple(f"POST {surface.path(operation, version)}" for version in surface.versions)

    # -- raw requests and branches --

    def _request(self, step: Step) -> Iterator[Check]:
        expect, wants = step.expect, None
        if self._kind != HTTP:
            self._bad(step, step.verb, "a raw request goes over HTTP; say surfaces: [http]")
            return
        rule = step.rule or expect.get("refused", "")
        if "refused" in expect:
            rule = expect["refused"]
            wants = self._row(self._spec.rules[rule].reply)
        elif "row" in expect:
            wants = self._row(expect["row"])
        yield from self._check(step, "request", rule, wants or Answer(expect, dynamic(expect)))
        path = step.call["path"].replace("{version}", self._contract.versions[0])
        operation = self._contract.route(step.call["method"], _filled(path))
        if operation:
            yield from self._check(step, "body", document_rule(self._kind), Document(operation))

    def _call(self, step: Step) -> Iterator[Check]:
        if self._kind == HTTP:
            self._bad(step, step.verb, "a raw call goes over gRPC; say surfaces: [dapr_grpc, taskhub]")
            return
        rule = step.expect["refused"]
        yield from self._check(step, "outcome", rule, Outcome(accepted=False))
        yield from self._row_check(step, self._spec.rules[rule].reply)

    def _parallel(self, step: Step) -> Planned:
        if step.expect is None:
            return Planned(step, (), self._together(step))
        before = [self._beliefs.cell(one.instance, one.operation) if one.operation else None for one in step.branches]
        for branch, cell in zip(step.branches, before, strict=True):
            if cell:
                self._beliefs.asked(branch.instance, cell, moves=True)
        rows, branches = [], []
        for branch, cell in zip(step.branches, before, strict=True):
            rows.append((self._accepted_row(cell), self._counted(step, branch)))
            branches.append(Planned(branch, tuple(self._branch_body(branch))))
        count = Count(step.expect["accepted"], tuple(rows))
        return Planned(step, tuple(self._check(step, "count", step.rule, count, ends=True)), tuple(branches))

    def _together(self, step: Step) -> tuple[Planned, ...]:
        """
        Branches that know nothing of each other: each meets the state from before.
        """
        before, after = self._beliefs.copy(), self._beliefs
        planned = []
        for branch in step.branches:
            self._beliefs = before.copy()
            planned.append(self.step(branch))
            after.take(self._beliefs, branch.instance)
        self._beliefs = after
        return tuple(planned)

    def _branch_body(self, branch: Step) -> Iterator[Check]:
        if branch.operation:
            yield from self._document(branch)

    def _accepted_row(self, cell: spec.Cell | None) -> RowOf | None:
        return self._row(cell.reply) if cell and cell.reply != spec.UNSPECIFIED and self._accepts(cell.reply) else None

    def _counted(self, step: Step, branch: Step) -> RowOf | None:
        """
        The row of those that are refused: by the cell as it is once one was accepted.
        """
        rule = step.expect.get("refused", "")
        if not rule or not branch.operation:
            return None
        found = self._refusing(self._beliefs.cell(branch.instance, branch.operation), rule)
        if found is None:
            self._bad(step, rule, f"{branch.operation} is not refused by this rule, and it names no reply")
        return self._row(found) if found and found != spec.UNSPECIFIED else None

    # -- pieces --

    def _check(  # noqa: PLR0913 - the parts of a check
        self, step: Step, kind: str, rule: str, wants: Wants, *, ends: bool = False, suffix: str = ""
    ) -> Iterator[Check]:
        held = self._spec.rules.get(rule)
        if held is None:
            self._bad(step, rule, "no such rule")
        elif not held.excluded and self._holds(held):
            yield Check(f"{step.number}.{suffix or kind}", step.index, step.line, kind, rule, wants, ends)

    def _document(self, step: Step) -> Iterator[Check]:
        if self._client:
            yield from self._check(step, "body", ANSWER_RULE, Document(step.operation))
            return
        named = self._contract.operation(step.operation).id if self._kind == HTTP else step.operation
        yield from self._check(step, "body", document_rule(self._kind), Document(named))

    def _holds(self, rule: spec.Rule) -> bool:
        return self._kind in rule.surfaces and (not rule.profiles or self._spec.profile.name in rule.profiles)

    def _row_check(self, step: Step, name: str) -> Iterator[Check]:
        row = self._row(name)
        if row is not None:
            yield from self._check(step, "reply", self._spec.replies[name].rule, row)

    def _row(self, name: str) -> RowOf | None:
        row = row_of(self._spec.replies[name], self._kind)
        return self._client.row(row, self._spec.replies[name]) if row and self._client else row

    def _accepts(self, reply: str) -> bool:
        return self._spec.replies[reply].outcome == "accepted"

    def _nowhere(self) -> spec.Cell:
        return next(self._machine.cell(name, "get") for name, state in self._machine.states.items() if not state.exists)

    def _gone(self) -> Gone:
        cell = self._nowhere()
        return Gone(None if cell.reply == spec.UNSPECIFIED else self._row(cell.reply))

    def _fields(self, operation: str, fields: Any) -> Fields:
        if self._client:
            self._client.shows(fields)
        wanted = {key: self._words(inner) if key == "runtimeStatus" else inner for key, inner in fields.items()}
        return Fields(operation, wanted, dynamic(wanted))

    def _status(self, state: str) -> Fields:
        return self._fields("get", {"runtimeStatus": state})

    def _words(self, wanted: Any) -> Any:
        """
        States as this kind of surface reports them.
        """
        if isinstance(wanted, str):
            state = self._machine.states.get(wanted)
            word = state.reported.get(self._kind, wanted) if state else wanted
            return self._client.words([word])[0] if self._client else word
        if isinstance(wanted, dict):
            return {key: self._words(inner) for key, inner in wanted.items()}
        if isinstance(wanted, list) and self._client:
            return self._client.words(wanted)
        return [self._words(inner) for inner in wanted] if isinstance(wanted, list) else wanted

    def _bad(self, step: Step, offending: str, expected: str) -> None:
        self.wrong.append(f"{self._scenario.place}:{step.line}:1: {offending}: {expected}")


def _filled(path: str) -> str:
    """
    A path with something in each place where a name stands.
    """
    parts = path.split("${")
    return parts[0] + "".join("x" + part.partition("}")[2] for part in parts[1:])
