"""
Executors that are wrong: in what a workflow makes of its events, and in what was decided.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from reference_server.executor import Replay
from reference_server.instance import (
    COMPLETE,
    FAIL,
    PAUSE,
    RAISE_EVENT,
    RESUME,
    TIMER_FIRED,
    Cancel,
    Decision,
    Ending,
    Event,
    Failure,
    Result,
    Timer,
)

from .engines import SECOND
from .mutant import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_server.executor import BuiltIn
    from reference_server.instance import Activity, Turn

YEAR = 366 * 86400 * SECOND
FAR = 3600 * SECOND


class Rogue:
    """
    An executor that replays wrongly, or changes what was decided.
    """

    workers = 1

    def __init__(
        self,
        built: BuiltIn,
        replay: type[Replay] = Replay,
        decide: Callable[[Turn, Decision], Decision] | None = None,
        result: Callable[[Result], Result] | None = None,
    ) -> None:
        self._built, self._replay, self._decide, self._result = built, replay, decide, result

    def turn(self, turn: Turn) -> Decision:
        """
        What the workflow does next.
        """
        decision = self._replay(self._built, turn).run()
        return self._decide(turn, decision) if self._decide else decision

    def activity(self, activity: Activity) -> Result:
        """
        What the activity comes to.
        """
        result = self._built.activity(activity)
        return self._result(result) if self._result else result


class Backwards(Replay):
    """
    Events that wait are taken last in, first out.
    """

    __slots__ = ()

    def _react(self, event: Event) -> None:
        before = len(self._unread)
        super()._react(event)
        if len(self._unread) > before:
            self._unread.insert(0, self._unread.pop())


class AnyName(Replay):
    """
    Any event ends a wait.
    """

    __slots__ = ()

    def _react(self, event: Event) -> None:
        if event.kind == RAISE_EVENT and self._wait is not None and self._wait.name:
            event = event._replace(name=self._wait.name)
        super()._react(event)


class CaseMatters(Replay):
    """
    An event whose name has a capital does not end a wait.
    """

    __slots__ = ()

    def _react(self, event: Event) -> None:
        if event.kind == RAISE_EVENT and event.name != event.name.casefold():
            event = event._replace(name=event.name + "\0")
        super()._react(event)


class Unready(Replay):
    """
    An event that nobody waits for yet is dropped.
    """

    __slots__ = ()

    def _react(self, event: Event) -> None:
        before = len(self._unread)
        super()._react(event)
        if event.kind == RAISE_EVENT:
            del self._unread[before:]


class Deaf(Replay):
    """
    Events, or timers, that come while suspended are dropped.
    """

    __slots__ = ()
    drops = RAISE_EVENT

    def _feed(self, event: Event) -> None:
        if not (self._suspended and event.kind == self.drops):
            super()._feed(event)


class DeafToTimers(Deaf):
    """
    Timers that fire while suspended are dropped.
    """

    __slots__ = ()
    drops = TIMER_FIRED


class HeldBackwards(Replay):
    """
    What came while suspended is taken last in, first out.
    """

    __slots__ = ()

    def _feed(self, event: Event) -> None:
        if event.kind == RESUME:
            self._held.reverse()
        super()._feed(event)


class Amnesiac(Replay):
    """
    A pause makes the workflow forget the events it was given before.
    """

    __slots__ = ()

    def _feed(self, event: Event) -> None:
        if event.kind == PAUSE:
            self._unread.clear()
        super()._feed(event)


class Stuck(Replay):
    """
    A workflow that was resumed never goes on.
    """

    __slots__ = ()

    def _feed(self, event: Event) -> None:
        super()._feed(event)
        if event.kind == RESUME:
            self._stopped = True


class NoRace(Replay):
    """
    A wait with a timeout hears no event.
    """

    __slots__ = ()

    def _react(self, event: Event) -> None:
        if event.kind == RAISE_EVENT and self._wait is not None and self._wait.task:
            self._unread.append(event)
        else:
            super()._react(event)


def _timers(change: Callable[[Timer, Turn], Timer | None]) -> Callable[[Turn, Decision], Decision]:
    def decide(turn: Turn, decision: Decision) -> Decision:
        actions = [change(one, turn) if isinstance(one, Timer) else one for one in decision.actions]
        kept = tuple(one for one in actions if one is not None)
        lost = {one.task for one in decision.actions} - {one.task for one in kept}
        return decision._replace(actions=tuple(o for o in kept if not (isinstance(o, Cancel) and o.task in lost)))

    return decide


def _ended(change: Callable[[Ending], Ending]) -> Callable[[Turn, Decision], Decision]:
    def decide(turn: Turn, decision: Decision) -> Decision:
        del turn
        return decision._replace(ending=change(decision.ending)) if decision.ending else decision

    return decide


def _unknown_completes(ending: Ending) -> Ending:
    unknown = ending.failure is not None and ending.failure.type == "WorkflowNotRegistered"
    return Ending(COMPLETE, output="null") if unknown else ending


def _last_value(ending: Ending) -> Ending:
    values = json.loads(ending.output) if ending.happening == COMPLETE and ending.output else None
    return ending._replace(output=json.dumps(values[-1])) if isinstance(values, list) and values else ending


def _bare_failure(ending: Ending) -> Ending:
    return ending._replace(failure=Failure("Error", "failed")) if ending.happening == FAIL else ending


def running(**parts: Any) -> Fault:
    """
    The fault of an executor.
    """
    return Fault(executor=partial(Rogue, **parts))


RUNS = {
    "timer/early": running(decide=_timers(lambda timer, turn: timer._replace(due=turn.now))),
    "timer/late": running(decide=_timers(lambda timer, _: timer._replace(due=timer.due + FAR))),
    "timer/never": running(decide=_timers(lambda _timer, _turn: None)),
    "timer/far_is_now": running(
        decide=_timers(lambda timer, turn: timer._replace(due=turn.now) if timer.due - turn.now > YEAR else timer)
    ),
    "timer/hears_no_event": running(replay=NoRace),
    "timer/lost_while_suspended": running(replay=DeafToTimers),
    "event/last_in_first_out": running(replay=Backwards),
    "event/any_name": running(replay=AnyName),
    "event/case_matters": running(replay=CaseMatters),
    "event/before_the_wait_lost": running(replay=Unready),
    "suspended/events_lost": running(replay=Deaf),
    "suspended/events_reversed": running(replay=HeldBackwards),
    "suspended/forgets": running(replay=Amnesiac),
    "resumed/stuck": running(replay=Stuck),
    "activity/result_lost": running(result=lambda _: Result()),
    "script/last_value": running(decide=_ended(_last_value)),
    "script/status_lost": running(decide=lambda _, decision: decision._replace(status="")),
    "start/unknown_completes": running(decide=_ended(_unknown_completes)),
    "failure/message_lost": running(decide=_ended(_bare_failure)),
}
"""The faults of executors, by name."""
