"""
Two streams of events, from the same plan on two servers -> where they differ, and what the spec says of it.

Rule 1: pure; a case is compared once both sides have ended it, and forgotten.
Rule 2: polls are compared by their final answer, branches that race for one place by what came out, in any order;
behind such a race only verdicts are compared.
Rule 3: behind the first step that only one side carried on from, nothing is compared: it has nothing to stand on.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .match import plain
from .normal import NOTHING, Names, answer, apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import spec

    from .plan import Case
    from .wants import Planned

Event = dict[str, Any]

Place = tuple[str, Any, Any]
"""A path in an answer, and what stands there on either side."""

SIDES = ("a", "b")
MOST = 12
"""Places of one step that are told."""


@dataclass(slots=True)
class Side:
    """
    What one side has told of one case.
    """

    checks: dict[str, Event] = field(default_factory=dict)
    exchanges: dict[int, dict[int, Event]] = field(default_factory=lambda: defaultdict(dict))
    ended: Event | None = None


class Comparison:
    """
    Takes the events of both sides and gives the differences of each case that both have ended.
    """

    def __init__(self, cases: Sequence[Case], held: spec.Spec) -> None:
        self._cases = {case.name: case for case in cases}
        self._spec = held
        self._open: dict[str, dict[str, Side]] = {}
        self._names: dict[str, str] = {}
        self.compared = 0

    def add(self, side: str, event: Event) -> list[Event]:
        """
        Take one event of one side; the differences that are known by it.
        """
        kind, name = event["event"], event.get("case", "")
        if kind == "header":
            self._names[side] = event["token"]
        if name not in self._cases:
            return []
        told = self._open.setdefault(name, {key: Side() for key in SIDES})
        if kind == "exchange" and event["step"]:
            self._exchange(told[side], self._cases[name], event)
        elif kind == "check":
            told[side].checks[event["check"]] = event
        elif kind == "case":
            told[side].ended = event
            if all(one.ended for one in told.values()):
                del self._open[name]
                return self._compared(self._cases[name], told)
        return []

    def _exchange(self, told: Side, case: Case, event: Event) -> None:
        """
        Keep an exchange; of a step that is no parallel one, only the last.
        """
        kept = told.exchanges[event["step"]]
        if not case.steps[event["step"] - 1].branches:
            kept.clear()
        kept[event["n"]] = event

    def _compared(self, case: Case, told: Mapping[str, Side]) -> list[Event]:
        ended = {side: one.ended for side, one in told.items()}
        if any(one is None or one["result"] in ("not_run", "unsupported") for one in ended.values()):
            return []
        self.compared += 1
        names = {side: Names(self._names.get(side, "")) for side in SIDES}
        found: list[Event] = []
        raced = False
        for planned in case.steps:
            both = [bool(one.exchanges.get(planned.step.index)) for one in told.values()]
            if planned.step.verb == "restart":
                continue
            if not all(both):
                break
            places = [] if raced else _places(planned, told, names)
            raced = raced or _races(planned)
            difference = self._step(case, planned, told, names, places)
            if difference:
                found.append(difference)
        return found or _ends(case, told)

    def _step(
        self,
        case: Case,
        planned: Planned,
        told: Mapping[str, Side],
        names: Mapping[str, Names],
        places: Sequence[Place],
    ) -> Event | None:
        index = planned.step.index
        verdicts = [says for check in planned.every() if (says := self._says(check.id, told, bool(places)))]
        if not places and not any(says["kept_by"] != "none" for says in verdicts):
            return None
        first = next(iter(told["a"].exchanges[index].values()))
        return {
            "event": "difference",
            "case": case.name,
            "scenario": case.scenario.id,
            "step": index,
            "line": planned.step.line,
            "request": _asked(first, names["a"]),
            "spec": "says" if verdicts else "silent",
            "says": verdicts,
            "silence": "" if verdicts else _silence(planned),
            "places": [{"path": path, "a": left, "b": right} for path, left, right in places[:MOST]],
            "more": max(0, len(places) - MOST),
        }

    def _says(self, check: str, told: Mapping[str, Side], differ: bool) -> Event | None:  # noqa: FBT001
        """
        What a rule says where its check came out differently, or where both break it in different ways.
        """
        verdicts = [told[side].checks.get(check) for side in SIDES]
        if any(one is None for one in verdicts):
            return None
        passed = [one is not None and one["result"] == "pass" for one in verdicts]
        if all(passed) or (not any(passed) and not differ):
            return None
        rule = next(one["rule"] for one in verdicts if one)
        kept = "none" if not any(passed) else "a" if passed[0] else "b"
        why = next(one["why"] for one, good in zip(verdicts, passed, strict=True) if one and not good)
        return {
            "rule": rule,
            "statement": self._spec.rules[rule].statement,
            "kept_by": kept,
            "check": check,
            "why": why,
        }


def _places(planned: Planned, told: Mapping[str, Side], names: Mapping[str, Names]) -> list[Place]:
    for side, one in told.items():
        for exchange in one.exchanges[planned.step.index].values():
            names[side].learn(exchange)
    return list(apart(*(_answers(planned, told[side], names[side]) for side in SIDES)))


def _races(planned: Planned) -> bool:
    return bool(planned.branches and planned.checks)


def _answers(planned: Planned, told: Side, names: Names) -> Any:
    """
    The final answer of a step; of a parallel one, an answer a branch.
    """
    exchanges = told.exchanges[planned.step.index]
    if not planned.branches:
        return answer(next(iter(exchanges.values())), names)
    if _races(planned):  # who wins is chance
        return sorted((answer(one, names) for one in exchanges.values()), key=_spelt)
    found: dict[str, Any] = {}
    for branch in planned.branches:
        numbers = [one["exchange"] for check in branch.checks if (one := told.checks.get(check.id))]
        if numbers and numbers[0] in exchanges:
            found[branch.step.number] = answer(exchanges[numbers[0]], names)
    return found


def _silence(planned: Planned) -> str:
    """
    Why no rule speaks of a difference.
    """
    kinds = {check.kind for check in planned.every()}
    if kinds & {"outcome", "reply", "settles", "request", "count"}:
        return "no rule speaks of what differs here"
    return "the reply is unspecified in this profile"


def _ends(case: Case, told: Mapping[str, Side]) -> list[Event]:
    """
    A difference in how a case ended, where no step tells it.
    """
    ended = [told[side].ended or {} for side in SIDES]
    left, right = (one.get("result", NOTHING) for one in ended)
    if left == right:
        return []
    causes = [one.get("cause") or NOTHING for one in ended]
    return [
        {
            "event": "difference",
            "case": case.name,
            "scenario": case.scenario.id,
            "step": 0,
            "line": 0,
            "request": "",
            "spec": "silent",
            "says": [],
            "silence": "the case ended differently",
            "places": [{"path": "result", "a": left, "b": right}, {"path": "cause", "a": causes[0], "b": causes[1]}],
            "more": 0,
        }
    ]


def _asked(exchange: Mapping[str, Any], names: Names) -> str:
    request = exchange["request"]
    path = request["url"].partition("://")[2].partition("/")[2]
    return names.text(f"{request['method']} /{path}")


def groups(differences: Sequence[Event]) -> Iterator[tuple[Event, list[str]]]:
    """
    Differences of one kind once, with all the steps that have it.
    """
    found: dict[str, tuple[Event, list[str]]] = {}
    for one in differences:
        rules = [(says["rule"], says["kept_by"]) for says in one["says"]]
        where = f"{one['case']} step {one['step']} (line {one['line']})" if one["step"] else one["case"]
        found.setdefault(_spelt([one["silence"], rules, one["places"]]), (one, []))[1].append(where)
    yield from found.values()


def _spelt(value: Any) -> str:
    return json.dumps(plain(value), sort_keys=True)
