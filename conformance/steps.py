"""
Steps, executed: ask, look again, judge, and say what was found.

Rule 1: a check that was planned is judged once, here and nowhere else.
Rule 2: what a passing check captured is known to everything after it.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from . import names, sent
from .judge import Verdict, accepts, count, judge, shown
from .scenario import FAULT, WITHIN
from .wants import Count, Document, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping, Sequence

    from .exchange import Observation
    from .sent import Sent
    from .talk import Talk
    from .wants import Check, Planned

Found = tuple["Check", Verdict, int | None]
"""A check, its verdict, and the number of the exchange that was judged."""

FIRST, SLOWER, LONGEST = 0.005, 1.6, 0.25
"""The pause after a first look, its growth, and its longest."""

CALM = 0.03
"""The pause after a first look at what is not to change: nobody waits for it to be over."""


class Steps:
    """
    Executes the steps of one attempt at one case. `known` holds IDs and bound values; `late` says that the last step
    waited for something until its time was over.
    """

    def __init__(self, talk: Talk, known: MutableMapping[str, Any]) -> None:
        self._talk, self.known = talk, known
        self._contract = talk.server.contract
        self._scale = talk.server.scale
        self.started: set[str] = set()
        self.late = False

    def run(self, planned: Planned) -> Iterator[Found]:
        """
        Every check of a step with its verdict.
        """
        self._talk.check_time()
        self.late = False
        verb = planned.step.verb
        if verb == "restart":
            self._restart()
        elif verb == FAULT:
            self._talk.trouble(names.fill(dict(planned.step.call), self.known))
        elif verb == "parallel":
            yield from self._parallel(planned)
        elif planned.awaits is not None:
            yield from self._looks(planned)
        else:
            yield from self._once(planned)

    def _once(self, planned: Planned) -> Iterator[Found]:
        lacking = self._lacking(planned)
        if lacking:
            yield from ((check, lacking, None) for check in planned.checks)
            return
        watched = any(isinstance(check.wants, Wire) for check in planned.checks)
        before = self._talk.mark() if watched else ""
        saw, number = self._talk.ask(self._request(planned), planned.step.index)
        self._bound(planned, saw)
        every = self._talk.sent(before, planned.step.index) if watched else ()
        yield from self._judged(planned, saw, number, every)

    def _judged(self, planned: Planned, saw: Observation, number: int, every: Sequence[Sent] = ()) -> Iterator[Found]:
        for check in planned.checks:
            if isinstance(check.wants, Wire):
                verdict = sent.judge(check.wants, saw, every, self.known)
            else:
                verdict = judge(check.wants, saw, self.known, self._contract)
            self.known.update(verdict.binds)
            yield check, verdict, number

    def _parallel(self, planned: Planned) -> Iterator[Found]:
        branches = planned.branches
        lacking = next((found for one in branches if (found := self._lacking(one))), None)
        if lacking:
            yield from ((check, lacking, None) for check in planned.every())
            return
        requests = [self._request(one) for one in branches]
        barrier = threading.Barrier(len(branches))
        with ThreadPoolExecutor(len(branches)) as pool:
            asked = [pool.submit(self._talk.ask, one, planned.step.index, barrier) for one in requests]
            answers = [one.result() for one in asked]
        for branch, (saw, number) in zip(branches, answers, strict=True):
            self._bound(branch, saw)
            yield from self._judged(branch, saw, number)
        for check in planned.checks:
            if isinstance(check.wants, Count):
                yield check, count(check.wants, [saw for saw, _ in answers], self._contract), None

    def _looks(self, planned: Planned) -> Iterator[Found]:
        """
        Look until it is so (`eventually`), or as long as it must be so (`stays`).
        """
        lacking = self._lacking(planned)
        if lacking:
            yield from ((check, lacking, None) for check in planned.checks)
            return
        stays = planned.step.verb == "stays"
        found: dict[str, Found] = {}
        for saw, number, last in self._polls(planned, stays=stays):
            settled = self._look(planned, saw, number, found, every=stays)
            if settled is not stays or last:
                break
        if not stays:
            self.late = not settled
            self._finish(planned, saw, number, found)
        yield from found.values()

    def _look(self, planned: Planned, saw: Observation, number: int, found: dict[str, Found], *, every: bool) -> bool:
        """
        Judge one look; whether it shows what is awaited.
        """
        assert planned.awaits is not None  # noqa: S101 - only looks come here
        verdict = judge(planned.awaits, saw, self.known, self._contract)
        good = verdict.passed
        for check in planned.checks:
            if check.wants is planned.awaits:
                found[check.id] = (check, verdict, number)
            elif isinstance(check.wants, Document) or every:
                before = found.get(check.id)
                if before is None or before[1].passed:
                    found[check.id] = (check, judge(check.wants, saw, self.known, self._contract), number)
        if every:
            good = good and all(one.passed for _, one, _ in found.values())
        if good:
            for _, one, _ in list(found.values()):
                self.known.update(one.binds)
            self.known.update(verdict.binds)
        return good or (saw.status is None and not every)

    def _finish(self, planned: Planned, saw: Observation, number: int, found: dict[str, Found]) -> None:
        """
        The further checks, on the final answer.
        """
        for check in planned.checks:
            if check.id not in found:
                verdict = judge(check.wants, saw, self.known, self._contract)
                self.known.update(verdict.binds)
                found[check.id] = (check, verdict, number)

    def _polls(self, planned: Planned, *, stays: bool) -> Iterator[tuple[Observation, int, bool]]:
        """
        Looks, each with whether it is the last one; the last comes when the time is over, never before.

        A slow machine gets more time to settle, not a longer absence: that could outlast a timer of the scenario.
        """
        call = planned.step.call
        lasts = float(call["for"]) if stays else float(call.get("within", WITHIN)) * self._scale
        until, pause = time.monotonic() + lasts, CALM if stays else FIRST
        request = self._request(planned)
        while True:
            last = time.monotonic() >= until
            saw, number = self._talk.ask(request, planned.step.index)
            yield saw, number, last
            self._talk.pause(min(float(call.get("every", pause)), max(0.0, until - time.monotonic())))
            pause = min(pause * SLOWER, LONGEST)

    def _restart(self) -> None:
        if self._talk.server.restart is not None:
            self._talk.server.restart()

    def _request(self, planned: Planned) -> Any:
        if planned.step.operation == "start":
            self.started.add(planned.step.instance)
        elif not planned.step.operation and planned.step.call:
            self.started.update(name for _, name in names.used(planned.step.call.get("path", "")))
        asks = self._talk.server.asks.get(planned.step.on, self._talk.calls)
        return asks.step(planned, self.known)

    def _lacking(self, planned: Planned) -> Verdict | None:
        """
        A verdict on every check of a step that needs what nothing has bound.
        """
        step = planned.step
        wanted = [name for _, name in names.used(dict(step.call))]
        if step.instance and not (step.operation == "start" and "id" in step.call):
            wanted.append(step.instance)
        if step.verb in ("eventually", "stays"):
            wanted = [step.instance]
        lacking = [name for name in wanted if name not in self.known]
        return Verdict("fail", f"nothing has bound {lacking[0]} yet") if lacking else None

    def _bound(self, planned: Planned, saw: Observation) -> None:
        """
        The ID that the server made, for a start without one or for another run of an instance.
        """
        step = planned.step
        nameless = step.operation == "start" and "id" in step.call
        if not (nameless or step.operation == "rerun") or not accepts(saw):
            return
        made, name = shown(saw).get("instanceID"), step.instance if nameless else f"step {step.number}"
        if isinstance(made, str) and made:
            self.known[name] = made
            self.started.add(name)
