"""
Engines that treat calls wrongly.

Rule 1: each overrides what it is wrong in and leaves the rest to the engine.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from reference_server.engine import Engine
from reference_server.instance import (
    GET,
    Answer,
    Call,
)

from .mutant import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_server.instance import Instance

SECOND = 1_000_000_000
WINDOW = SECOND // 5
"""What comes within this time of a start is simultaneous with it."""


class Base(Engine):
    """
    What wrong engines have in common: the answer of a cell without its effect.
    """

    def mute(self, call: Call) -> Answer:
        """
        The answer to a call, and nothing else.
        """
        instance = self._instances.get(call.instance)
        cell = self._cell(instance.state if instance else self._absent, call.operation, instance)
        return Answer(cell.acts, self._replies[cell.acts].outcome, instance)

    def put(self, name: str, **fields: Any) -> None:
        """
        Change an instance behind the engine's back.
        """
        instance = self._instances.get(name)
        if instance is not None:
            self._instances[name] = instance._replace(**fields)

    def drop(self, name: str) -> None:
        """
        Forget an instance.
        """
        instance = self._instances.pop(name, None)
        if instance is not None:
            self._release(instance)

    def waits(self, instance: Instance) -> bool:
        """
        Whether an instance has a task open.
        """
        return bool(self._open.get(instance.generation))

    def ended(self, name: str) -> bool:
        """
        Whether there is an instance that has ended.
        """
        instance = self._instances.get(name)
        return instance is not None and instance.state in self._terminal

    def others(self, name: str) -> list[str]:
        """
        Every other instance.
        """
        return [other for other in self._instances if other != name]


class Ignoring(Base):
    """
    One operation in one state is answered, and has no effect.
    """

    def __init__(self, *given: Any, cell: tuple[str, str, str], **named: Any) -> None:
        super().__init__(*given, **named)
        self._ignored = cell

    def handle(self, call: Call, now: int) -> Answer:
        """
        Answer a call.
        """
        state, event, condition = self._ignored
        instance = self._instances.get(call.instance)
        there = instance.state if instance else self._absent
        if (state, event) == (there, call.operation):
            cell = self._machine.table[state][event]
            if self._cell(there, call.operation, instance) is (cell.when[condition] if condition else cell):
                return self.mute(call)
        return super().handle(call, now)


class Changing(Base):
    """
    Reading an instance in one state answers it, and then takes it to another state.
    """

    def __init__(self, *given: Any, before: str, after: str, **named: Any) -> None:
        super().__init__(*given, **named)
        self._from, self._to = before, after

    def handle(self, call: Call, now: int) -> Answer:
        """
        Answer a call.
        """
        answer = super().handle(call, now)
        instance = answer.instance
        if call.operation == GET and instance is not None and instance.state == self._from:
            if self._to == self._absent:
                self.drop(call.instance)
            else:
                self.put(call.instance, state=self._to)
        return answer


class Before(Base):
    """
    Something is done to a call before it is answered: it may be changed, or answered at once.
    """

    def __init__(self, *given: Any, change: Callable[[Before, Call, int], Call | Answer], **named: Any) -> None:
        super().__init__(*given, **named)
        self.change = change
        self.memory: dict[str, Any] = {}
        self.counts: Counter[Any] = Counter()

    def handle(self, call: Call, now: int) -> Answer:
        """
        Answer a call.
        """
        changed = self.change(self, call, now)
        return changed if isinstance(changed, Answer) else super().handle(changed, now)

    def plainly(self, call: Call, now: int) -> Answer:
        """
        Answer a call as an engine does that is not wrong.
        """
        return super().handle(call, now)


def changing(change: Callable[..., Call | Answer], **options: Any) -> Fault:
    """
    The fault of an engine that changes calls.
    """
    return Fault(engine=partial(Before, change=partial(change, **options) if options else change))
