"""
One attempt at one case: IDs, steps, clean-up, result.

Rule 1: a planned check that was not executed is a failure of its case.
Rule 2: an exception is an error of the harness, told by its case; the run goes on.
Rule 3: cleaning up is recorded and never judged.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import KitError
from .identity import IdentityError, short, spell
from .judge import accepts, shown
from .match import plain
from .scenario import FAULT, LOOKS, WITHIN
from .steps import Steps
from .talk import StoppedError, Talk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .calls import Asks
    from .exchange import Observation, Request
    from .identity import Allocator
    from .judge import Verdict
    from .plan import Case
    from .steps import Found
    from .talk import Server

CAP = 45.0
"""Seconds that a case may take, if its waits do not need more."""

SPARE = 15.0
"""Seconds that a case may take beyond its waits."""

CLEANING = 2.0
"""Seconds to wait for an instance to end when its case is over."""


@dataclass(slots=True)
class Outcome:
    """
    What came of an attempt.

    `failing` holds rule and reason of each failing check, `rules` each check's rule and result, `late` the rules of
    checks that failed because a time was over.
    """

    result: str = "pass"
    cause: str = ""
    rule: str = ""
    failing: list[tuple[str, str]] = field(default_factory=list)
    rules: list[tuple[str, str]] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What all cases of a run share besides the server. `cleans`: who cleans up on a surface, where that is another.
    """

    allocator: Allocator
    token: Callable[[], str]
    ended: frozenset[str]
    keep: bool = False
    cleans: Mapping[str, Asks] = field(default_factory=dict)


def attempt(case: Case, number: int, server: Server, calls: Asks, facts: Facts) -> Outcome:
    """
    Execute a case. Never raises.
    """
    began, outcome, executed = time.monotonic(), Outcome(), set[str]()
    try:
        cap = _cap(case, server.scale)
        with facts.allocator.lend(case.row.instances, cap) as lent:
            talk = Talk(server, calls, case.name, number, cap)
            steps = Steps(talk, _identities(case, facts.token(), lent))
            try:
                _execute(case, steps, talk, outcome, executed)
            finally:
                if any(one.step.verb == FAULT for one in case.steps):
                    talk.trouble({})
                if not facts.keep:
                    _clean(steps, talk, facts)
    except (StoppedError, KitError, IdentityError) as error:
        _error(outcome, str(error))
    except Exception as error:  # noqa: BLE001 - rule 2
        _error(outcome, f"the harness failed: {type(error).__name__}: {error}")
    missed = [one.id for one in case.checks if one.id not in executed]
    if outcome.result == "pass" and missed:
        outcome.result, outcome.cause = "fail", f"planned and not executed: {', '.join(missed[:5])}"
    outcome.seconds = round(time.monotonic() - began, 6)
    return outcome


def _execute(case: Case, steps: Steps, talk: Talk, outcome: Outcome, executed: set[str]) -> None:
    for planned in case.steps:
        ends = False
        for found in steps.run(planned):
            check, verdict, _ = found
            talk.server.emit(_event(talk, found))
            executed.add(check.id)
            outcome.rules.append((check.rule, verdict.result))
            if not verdict.passed:
                _failed(outcome, found)
                outcome.late += [check.rule] * steps.late
                ends = ends or check.ends or verdict.result == "error"
        if ends:
            return


def _failed(outcome: Outcome, found: Found) -> None:
    check, verdict, _ = found
    if not outcome.cause or (verdict.result == "error" and outcome.result != "error"):
        outcome.cause = f"step {check.id.rpartition('.')[0]} (line {check.line}): {verdict.why}"
        outcome.rule = check.rule
    if verdict.result == "error":
        outcome.result = "error"
    else:
        outcome.failing.append((check.rule, verdict.why))
        outcome.result = "error" if outcome.result == "error" else "fail"


def _error(outcome: Outcome, why: str) -> None:
    outcome.result, outcome.cause = "error", outcome.cause if outcome.result == "error" and outcome.cause else why


def _event(talk: Talk, found: Found) -> dict[str, Any]:
    check, verdict, number = found
    return {
        "event": "check",
        "case": talk.case,
        "attempt": talk.attempt,
        "check": check.id,
        "step": check.step,
        "rule": check.rule,
        "result": verdict.result,
        "why": verdict.why,
        **_details(verdict),
        "exchange": number,
    }


def _details(verdict: Verdict) -> dict[str, Any]:
    return {} if verdict.passed else {"wanted": plain(verdict.wanted), "seen": plain(verdict.seen)}


def _identities(case: Case, token: str, lent: Any) -> dict[str, Any]:
    """
    The ID of every instance of a case that has one from the start.
    """
    found: dict[str, Any] = {}
    for planned in case.steps:
        for step in (planned.step, *planned.step.branches):
            if step.operation == "start" and "id" not in step.call:
                found[step.instance] = f"{token}-{step.instance}"
    for name, identity in case.row.instances.items():
        if short(identity):
            found[name] = lent[name]
        elif identity is not None:
            found[name] = spell(identity, token)
    return found


def _cap(case: Case, scale: float) -> float:
    looks = [one.step for one in case.steps if one.step.verb in LOOKS]
    waits = sum(float(step.call.get("for", step.call.get("within", WITHIN))) for step in looks)
    return max(CAP, waits + SPARE) * scale


def _clean(steps: Steps, talk: Talk, facts: Facts) -> None:
    server = talk.server

    def ask(request: Request) -> Observation:
        saw = server.connection.ask(request, 5.0 * server.scale)
        server.emit(talk.event(saw, 0))
        return saw

    for name in sorted(steps.started):
        identity = steps.known.get(name)
        if server.gone or not isinstance(identity, str):
            continue
        sweep(ask, facts.cleans.get(talk.calls.url, talk.calls), identity, facts.ended, CLEANING * server.scale)


def sweep(
    ask: Callable[[Request], Observation], calls: Asks, identity: str, ended: frozenset[str], wait: float
) -> None:
    """
    End an instance if it has not ended, and purge it. Gives up quietly.
    """
    until, pause = time.monotonic() + wait, 0.002
    look = ask(calls.operation("get", identity))
    if accepts(look) and _status(look) not in ended:
        if not accepts(ask(calls.operation("terminate", identity))):
            return
        while accepts(look) and _status(look) not in ended and time.monotonic() < until:
            time.sleep(pause)
            pause = min(pause * 2, 0.1)
            look = ask(calls.operation("get", identity))
    if accepts(look):
        ask(calls.operation("purge", identity))


def _status(look: Observation) -> str:
    return str(shown(look).get("runtimeStatus", ""))
