"""
Engines and executors that are wrong in what becomes of an instance: timers, children, generations, what is left behind.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from reference_server.instance import (
    GET,
    RAISE_EVENT,
    RESUME,
    TIMER_FIRED,
    Child,
    Ending,
    Event,
)

from .engines import Base
from .mutant import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_server.instance import Answer, Call, Instance, Parent
    from reference_server.turns import Course
    from spec import Spec


class Leaving(Base):
    """
    A new run shows or gets something of the run before, whether that was purged or replaced.
    """

    def __init__(self, *given: Any, field: str, **named: Any) -> None:
        super().__init__(*given, **named)
        self._field = field
        self._before: dict[str, Instance] = {}
        self._gone: dict[str, Instance] = {}

    def _release(self, instance: Instance) -> None:
        super()._release(instance)
        self._gone[instance.id] = instance

    def _create(self, call: Call, state: str, now: int, parent: Parent | None = None) -> None:
        super()._create(call, state, now, parent)
        old = self._gone.get(call.instance)
        if old is not None:
            self._before[call.instance] = old
            if not self._field:
                kept = [one for one in (*old.history, *old.inbox) if one.kind == RAISE_EVENT]
                new = self._instances[call.instance]
                self._instances[call.instance] = new._replace(inbox=(*new.inbox, *kept))

    def handle(self, call: Call, now: int) -> Answer:
        """
        Answer a call.
        """
        answer = super().handle(call, now)
        old = self._before.get(call.instance)
        if call.operation == GET and old is not None and answer.instance is not None and self._field:
            value = getattr(old, self._field)
            if value:
                return answer._replace(instance=answer.instance._replace(**{self._field: value}))
        return answer


class Surviving(Base):
    """
    The timers of a run that is over still fire.
    """

    def _release(self, instance: Instance) -> None:
        self._agenda.cancel(instance.id)
        self._turns.pop(instance.id, None)

    def _fire(self, generation: int, task: int, now: int) -> None:
        name = self._close(generation, task)
        if name in self._instances:
            self._deliver(self._instances[name], Event(TIMER_FIRED, now, task), now)


class Waking(Base):
    """
    A timer that fires resumes its instance.
    """

    def _fire(self, generation: int, task: int, now: int) -> None:
        name = self._open.get(generation, {}).get(task, "")
        self._deliver(self._instances[name], Event(RESUME, now), now)
        super()._fire(generation, task, now)


class Sparing(Base):
    """
    Terminating does not reach the children, or not beyond the first.
    """

    def __init__(self, *given: Any, deep: bool, **named: Any) -> None:
        super().__init__(*given, **named)
        self._deep = deep

    def _finish(self, instance: Instance, ending: Ending | None, way: Course, now: int) -> None:
        if not self._deep or instance.parent is not None:
            instance = instance._replace(children=())
        super()._finish(instance, ending, way, now)


class Keeping(Base):
    """
    Purging does not reach the children, or not beyond the first.
    """

    def __init__(self, *given: Any, depth: int, **named: Any) -> None:
        super().__init__(*given, **named)
        self._depth = depth

    def _erase(self, name: str, *, alone: bool = False) -> None:
        names = [name]
        for _ in range(0 if alone else self._depth):
            names += [child for one in names for child in self._kin(one)]
        for one in dict.fromkeys(names):
            self.drop(one)

    def _kin(self, name: str) -> tuple[str, ...]:
        instance = self._instances.get(name)
        return instance.children if instance else ()


class Reporting(Base):
    """
    What a child comes to reaches its parent changed.
    """

    def __init__(self, *given: Any, change: Callable[[Instance], Instance], **named: Any) -> None:
        super().__init__(*given, **named)
        self._changed = change

    def _report(self, child: Instance, parent: Parent, way: Course, now: int) -> None:
        super()._report(self._changed(child), parent, way._replace(happened=True), now)


class Renaming(Base):
    """
    The ID that a parent gives its child is made to fit the rules of start.
    """

    def _spawn(self, parent: Instance, action: Child, now: int) -> None:
        fitting = re.sub(r"[^A-Za-z0-9_-]", "-", action.instance)[:64]
        super()._spawn(parent, action._replace(instance=fitting), now)


class Renewing(Base):
    """
    Continue-as-new keeps what it should not, or loses what it should keep.
    """

    def __init__(self, *given: Any, change: Callable[[Instance, Instance], Instance], **named: Any) -> None:
        super().__init__(*given, **named)
        self._changed = change

    def _renew(self, instance: Instance, ending: Ending, way: Course, rest: tuple[Event, ...], now: int) -> None:
        super()._renew(instance, ending, way, rest, now)
        self._instances[instance.id] = self._changed(instance, self._instances[instance.id])


class Starting(Base):
    """
    The workflow receives another input than the one that was given.
    """

    def __init__(self, *given: Any, change: Callable[[str], str], shown: bool = False, **named: Any) -> None:
        super().__init__(*given, **named)
        self._changed, self._shown = change, shown

    def _create(self, call: Call, state: str, now: int, parent: Parent | None = None) -> None:
        super()._create(call, state, now, parent)
        instance = self._instances[call.instance]
        data = self._changed(call.data or "")
        inbox = (instance.inbox[0]._replace(data=data), *instance.inbox[1:])
        shown = data if self._shown else instance.input
        self._instances[call.instance] = instance._replace(inbox=inbox, input=shown)


def _floats(text: str) -> str:
    try:
        return json.dumps(json.loads(text, parse_int=float))
    except ValueError:
        return text


def _none_if_empty(text: str) -> str:
    return '"none"' if text in ("null", "false", "0", '""', "[]", "{}") else text


def living(engine: type[Base], **options: Any) -> Fault:
    """
    The fault of an engine.
    """
    return Fault(engine=partial(engine, **options))


def _own_words(loaded: Spec) -> Spec:
    """
    Every state is reported by its own name.
    """
    states = {
        name: replace(state, reported=dict.fromkeys(state.reported, name))
        for name, state in loaded.machine.states.items()
    }
    return replace(loaded, machine=replace(loaded.machine, states=states))


LIVES = {
    "states/own_words": Fault(data=_own_words),
    **{f"again/keeps_{name}": living(Leaving, field=name) for name in ("input", "output", "status", "failure")},
    "again/keeps_events": living(Leaving, field=""),
    "timer/survives": living(Surviving),
    "timer/wakes": living(Waking),
    "child/not_terminated": living(Sparing, deep=False),
    "child/grandchild_not_terminated": living(Sparing, deep=True),
    "child/not_purged": living(Keeping, depth=0),
    "child/grandchild_not_purged": living(Keeping, depth=1),
    "child/output_lost": living(Reporting, change=lambda child: child._replace(output=None)),
    "child/failure_swallowed": living(Reporting, change=lambda child: child._replace(failure=None)),
    "child/id_rules": living(Renaming),
    "continue/keeps_input": living(Renewing, change=lambda old, new: new._replace(input=old.input)),
    "continue/keeps_created": living(Renewing, change=lambda old, new: new._replace(created=old.created)),
    "continue/loses_events": living(Renewing, change=lambda _, new: new._replace(inbox=new.inbox[:1])),
    "input/another": living(Starting, change=lambda text: text and f"[{text}]"),
    "input/falsy_is_none": living(Starting, change=_none_if_empty, shown=True),
    "input/numbers_are_floats": living(Starting, change=_floats, shown=True),
    "input/cut": living(Starting, change=lambda text: text[:65536], shown=True),
}
"""The faults in what becomes of an instance, by name."""
