"""
Events in, results per case out: what every report starts from.

Rule 1: pure; nothing is read, written or timed here.
Rule 2: a case that was tried several times has its worst result.
Rule 3: what was planned and has no result was not run.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Event = dict[str, Any]

WORST_FIRST = ("error", "fail", "unexpected_pass", "not_run", "expected_failure", "unsupported", "pass")
"""The results of a case, the worst first."""

BAD = frozenset(WORST_FIRST[:4])
"""The results that stand in the way of a verdict `conformant`."""

TELLING = 4
"""So many cases of one cause keep their exchanges; the others would tell the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One case and what became of it. `failing` are the check events that did not pass, `exchanges` the exchange
    events that led there (of telling cases only); both are those of the worst attempt.
    """

    case: str
    result: str
    cause: str = ""
    rule: str = ""
    seconds: float = 0.0
    attempts: int = 0
    expected: Mapping[str, Any] | None = None
    planned: Mapping[str, Any] = field(default_factory=dict)
    failing: tuple[Event, ...] = ()
    exchanges: tuple[Event, ...] = ()

    @property
    def area(self) -> str:
        """
        The folder of the scenario.
        """
        scenario = str(self.planned.get("scenario") or self.case.partition("@")[0])
        return scenario.rpartition("/")[0] or scenario

    @property
    def why(self) -> str:
        """
        What went wrong, in one line.
        """
        return str(self.failing[0]["why"]) if self.failing else self.cause

    @property
    def reason(self) -> tuple[str, str, str]:
        """
        What cases with the same cause have in common.
        """
        rule = self.rule or (str(self.failing[0]["rule"]) if self.failing else "")
        return self.result, rule, self.why


class Fold:
    """
    Takes the events of a run one by one and knows, at any time, what came out.
    """

    def __init__(self, events: Iterable[Mapping[str, Any]] = ()) -> None:
        self.header: Mapping[str, Any] = {}
        self.footer: Mapping[str, Any] = {}
        self.filtered = 0
        self._planned: dict[str, Mapping[str, Any]] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._running: dict[tuple[str, int], tuple[list[Event], list[Event]]] = {}
        self._told: Counter[tuple[str, str, str]] = Counter()
        for event in events:
            self.add(event)

    def add(self, event: Mapping[str, Any]) -> Outcome | None:
        """
        Take one event; for a case event, the outcome of this attempt comes back.
        """
        match event.get("event"):
            case "header":
                self.header = event
            case "plan":
                self._plan(event)
            case "exchange":
                self._story(event)[1].append(dict(event))
            case "check":
                if event["result"] != "pass":
                    self._story(event)[0].append(dict(event))
            case "case":
                return self._case(event)
            case "footer":
                self.footer = event
        return None

    @property
    def complete(self) -> bool:
        """
        Whether the run went to its end.
        """
        return self.footer.get("complete") is True

    def outcomes(self) -> list[Outcome]:
        """
        Every planned and every unsupported case, in the order of the plan.
        """
        reason = str(self.footer.get("reason") or "the run ended before it")
        names = dict.fromkeys((*self._planned, *self._outcomes))
        return [
            self._outcomes.get(name) or Outcome(name, "not_run", reason, planned=self._planned[name]) for name in names
        ]

    def counts(self) -> dict[str, int]:
        """
        How many cases have each result, the worst first; results without a case are left out.
        """
        counted = Counter(outcome.result for outcome in self.outcomes())
        return {result: counted[result] for result in (*reversed(WORST_FIRST),) if counted[result]}

    def surfaces(self) -> dict[str, int]:
        """
        How many cases each surface has, those that are unsupported included.
        """
        return dict(Counter(outcome.case.partition("@")[2].partition("[")[0] for outcome in self.outcomes()))

    def _plan(self, event: Mapping[str, Any]) -> None:
        self.filtered = event["filtered"]
        self._planned.update({planned["case"]: planned for planned in event["cases"]})
        for one in event["unsupported"]:
            planned = self._planned.get(one["case"], {})
            self._outcomes[one["case"]] = Outcome(one["case"], "unsupported", one["reason"], planned=planned)

    def _story(self, event: Mapping[str, Any]) -> tuple[list[Event], list[Event]]:
        return self._running.setdefault((event["case"], event["attempt"]), ([], []))

    def _case(self, event: Mapping[str, Any]) -> Outcome:
        failing, exchanges = self._running.pop((event["case"], event["attempt"]), ([], []))
        name = event["case"]
        now = Outcome(
            case=name,
            result=event["result"],
            cause=event["cause"],
            rule=event["rule"],
            seconds=event["seconds"],
            attempts=1,
            expected=event.get("expected"),
            planned=self._planned.get(name, {}),
            failing=tuple(failing),
        )
        if now.result in BAD:
            self._told[now.reason] += 1
            if self._told[now.reason] <= TELLING:
                now = replace(now, exchanges=tuple(exchanges))
        self._outcomes[name] = _worse(self._outcomes.get(name), now)
        return now


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What the spec says about the rules and the profile of a run; empty where this spec does not know them.
    """

    rules: Mapping[str, spec.Rule] = field(default_factory=dict)
    profile: spec.Profile | None = None

    def level(self, rule: str) -> str:
        """
        The level of a rule, or the empty string.
        """
        return self.rules[rule].level if rule in self.rules else ""


def facts(header: Mapping[str, Any]) -> Facts:
    """
    What the spec says about a run with this header.
    """
    try:
        known = spec.load(str(header.get("profile", "")))
    except spec.SpecError:
        return Facts()
    return Facts(known.rules, known.profile)


def _worse(before: Outcome | None, now: Outcome) -> Outcome:
    if before is None or not before.attempts:
        return now
    worst = min(before, now, key=lambda outcome: WORST_FIRST.index(outcome.result))
    return replace(worst, attempts=before.attempts + 1, seconds=before.seconds + now.seconds)
