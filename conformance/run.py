"""
Cases -> a stream of events, from header to footer.

Rule 1: the plan is told before the first request; what of it does not execute is not_run, and the run not complete.
Rule 2: whatever ends a run, the footer is written.
Rule 3: exit 3 (could not run) comes before 1 (not conformant), and 1 before 0.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import spec

from .case import Outcome, attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .calls import Asks
    from .case import Facts
    from .errors import KitError
    from .known import Entry, ExpectedFailures
    from .plan import Case, Plan
    from .talk import Event, Server

    Shared = tuple[Server, Mapping[str, Asks], Facts]

BAD = ("fail", "error", "unexpected_pass")
"""The results that count against -x and --max-fail."""

WORST = ("error", "not_run", "fail", "unexpected_pass", "expected_failure", "pass", "unsupported")
"""The results, the worst first: what several attempts at a case come to."""

LEAVING = 2.0
"""Seconds that cases have to end when the run is interrupted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How a run goes about its plan.
    """

    jobs: int = 1
    repeat: int = 1
    max_fail: int = 0
    seed: int = 0
    target: str = ""
    version: str = ""
    narrowed: bool = False
    peers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Tally:
    """
    What has happened so far.
    """

    results: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    rules: dict[str, list[str]] = field(default_factory=dict)
    bad: int = 0

    def worst(self, case: str) -> str:
        """
        What the attempts at a case come to.
        """
        return min(self.results.get(case) or ["not_run"], key=WORST.index)


class Emitter:
    """
    Passes events to all who listen, one at a time, until it is closed.
    """

    def __init__(self, *sinks: Callable[[Event], None]) -> None:
        self._sinks, self._lock, self._open = sinks, threading.Lock(), True

    def __call__(self, event: Event) -> None:
        """
        Tell everyone.
        """
        with self._lock:
            if self._open:
                for sink in self._sinks:
                    sink(event)

    def close(self, last: Event) -> None:
        """
        Tell everyone the last event.
        """
        self(last)
        with self._lock:
            self._open = False


class Run:
    """
    One run of a plan against a server.
    """

    def __init__(
        self, plan: Plan, held: spec.Spec, expected: ExpectedFailures, settings: Settings, emit: Emitter
    ) -> None:
        self.plan, self._spec, self._expected, self._settings, self._emit = plan, held, expected, settings, emit
        self.tally = Tally()
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._queue: deque[tuple[Case, int]] = deque()
        self._alone: deque[tuple[Case, int]] = deque()
        self._last: deque[tuple[Case, int]] = deque()
        self._halted = ""
        self._interrupted = False

    def announce(self) -> None:
        """
        Tell the plan, and what the target is not capable of.
        """
        self._emit(self.plan.as_event())
        for name, reason in self.plan.unsupported:
            self.tally.results[name] = ["unsupported"]
            self._case(name, 1, "unsupported", Outcome(cause=reason), None)

    def execute(
        self, server: Server, calls: Mapping[str, Asks], facts: Facts, flaw: Callable[[], str] = lambda: ""
    ) -> Event:
        """
        Execute the plan; the footer. `flaw`: why the run proves less than it seems, once it is over.
        """
        cases = list(self.plan.cases)
        if self._settings.seed:
            random.Random(self._settings.seed).shuffle(cases)  # noqa: S311 - an order, no secret
        for number in range(1, self._settings.repeat + 1):
            for case in cases:
                self._queue_of(case).append((case, number))
        for queue, jobs in ((self._queue, self._settings.jobs), (self._alone, 1), (self._last, 1)):
            if not self._interrupted:
                self._together(min(jobs, len(queue)), queue, (server, calls, facts))
        return self.finish(server.gone or flaw())

    def _queue_of(self, case: Case) -> deque[tuple[Case, int]]:
        """
        Side by side with others, by itself, or when nothing else is left that could suffer from it.
        """
        held = self._settings
        if self._expected.hangs(case.name, target=held.target, version=held.version, peers=held.peers):
            return self._last
        return self._alone if case.alone else self._queue

    def _together(self, jobs: int, queue: deque[tuple[Case, int]], shared: Shared) -> None:
        """
        Empty a queue with so many threads.
        """
        threads = [threading.Thread(target=self._work, args=(queue, *shared), daemon=True) for _ in range(jobs)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)
        except KeyboardInterrupt:
            self._interrupted = True
            shared[0].stop.set()
            until = time.monotonic() + LEAVING
            for thread in threads:
                if thread.ident is not None:
                    thread.join(max(0.0, until - time.monotonic()))

    def _forget(self) -> bool:
        """
        Execute nothing more; whether there was anything left.
        """
        queues = (self._queue, self._alone, self._last)
        left = any(queues)
        for queue in queues:
            queue.clear()
        return left

    def finish(self, reason: str = "") -> Event:
        """
        Tell what was not run, and the footer. `reason`: why the run could not go on.
        """
        with self._lock:
            self._forget()
            waiting = [case.name for case in self.plan.cases if case.name not in self.tally.results]
        reason = reason or ("interrupted" if self._interrupted else self._halted)
        for name in waiting:
            self.tally.results[name] = ["not_run"]
            self._case(name, 1, "not_run", Outcome(cause=reason or "not executed"), None)
        attempts = sum(len(results) for name, results in self.tally.results.items())
        planned = len(self.plan.cases) * self._settings.repeat + len(self.plan.unsupported)
        complete = not reason and not waiting and attempts == planned
        stale = self._stale(complete=complete)
        could_not = bool(reason) and reason != self._halted
        footer = self._footer(complete, reason, stale, self.exit(could_not=could_not, stale=bool(stale)))
        self._emit.close(footer)
        return footer

    def exit(self, *, could_not: bool, stale: bool) -> int:
        """
        The exit code.
        """
        counts = self._counts()
        if (
            could_not
            or counts["error"]
            or not counts["pass"] + counts["fail"] + counts["expected_failure"] + counts["unexpected_pass"]
        ):
            return 3
        return 1 if stale or counts["fail"] or counts["unexpected_pass"] or counts["not_run"] else 0

    def _work(self, queue: deque[tuple[Case, int]], server: Server, calls: Mapping[str, Asks], facts: Facts) -> None:
        while not server.stop.is_set():
            with self._lock:
                if not queue:
                    return
                case, number = queue.popleft()
            outcome = attempt(case, number, server, calls[case.surface.name], facts)
            if self._interrupted and outcome.result == "error":
                return  # it was cut off: not_run
            self._judged(case, number, outcome)

    def _judged(self, case: Case, number: int, outcome: Outcome) -> None:
        result, entry = self._expected.judge(
            case.name,
            outcome.result,
            outcome.failing,
            target=self._settings.target,
            version=self._settings.version,
            peers=self._settings.peers,
        )
        if result == "unexpected_pass" and entry:
            outcome.cause = f"it passes, and is expected to fail: {entry.reason} ({entry.file}:{entry.line})"
        with self._lock:
            self.tally.results.setdefault(case.name, []).append(result)
            if outcome.failing and outcome.result == "fail":
                self.tally.failed.setdefault(case.name, []).extend(outcome.failing)
            for rule, found in outcome.rules:
                self.tally.rules.setdefault(rule, []).append(found)
            self.tally.bad += result in BAD
            if self._settings.max_fail and self.tally.bad >= self._settings.max_fail and self._forget():
                self._halted = f"stopped after {self.tally.bad} failure{'s' * (self.tally.bad > 1)}, as asked"
        self._case(case.name, number, result, outcome, entry)

    def _case(self, name: str, number: int, result: str, outcome: Outcome, entry: Entry | None) -> None:
        self._emit(
            {
                "event": "case",
                "case": name,
                "attempt": number,
                "result": result,
                "seconds": outcome.seconds,
                "cause": outcome.cause,
                "rule": outcome.rule,
                "expected": entry.as_event() if entry else None,
            }
        )

    def _stale(self, *, complete: bool) -> list[Entry]:
        failed = {rule for rule, found in self.tally.rules.items() if any(one != "pass" for one in found)}
        return self._expected.stale(
            [*(case.name for case in self.plan.cases), *(name for name, _ in self.plan.unsupported)],
            self.tally.rules.keys(),
            failed,
            target=self._settings.target,
            version=self._settings.version,
            peers=self._settings.peers,
            filtered=self._settings.narrowed or not complete,
        )

    def _counts(self) -> Counter[str]:
        return Counter(self.tally.worst(name) for name in self.tally.results)

    def _footer(self, complete: bool, reason: str, stale: list[Entry], code: int) -> Event:  # noqa: FBT001
        found = [result for results in self.tally.rules.values() for result in results]
        passed = found.count("pass")
        return {
            "event": "footer",
            "complete": complete,
            "reason": reason,
            "counts": dict(self._counts()),
            "checks": {
                "planned": self.plan.count * self._settings.repeat,
                "executed": len(found),
                "passed": passed,
                "failed": len(found) - passed,
            },
            "rules": self._rules(),
            "stale": [entry.as_event() for entry in stale],
            "seconds": round(time.monotonic() - self._began, 3),
            "exit": code,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }

    def _rules(self) -> dict[str, dict[str, int]]:
        """
        Every rule that holds here, by level: kept, broken, or not looked at; those of clients and of workers only where
        they were looked at.
        """
        levels: dict[str, dict[str, int]] = {}
        kinds = {case.surface.kind for case in self.plan.cases}
        for rule in self._spec.rules.values():
            if rule.excluded or (rule.profiles and self._spec.profile.name not in rule.profiles):
                continue
            found = self.tally.rules.get(rule.id)
            if not kinds & {*rule.surfaces} or (rule.role != spec.SERVER and not found):
                continue
            kept = "not_run" if not found else "passed" if all(one == "pass" for one in found) else "failed"
            counts = levels.setdefault(rule.level, {"passed": 0, "failed": 0, "not_run": 0})
            counts[kept] += 1
        return levels


def could_not(error: KitError) -> str:
    """
    The reason of a run that could not begin.
    """
    return " ".join(str(error).split())
