"""
A new instance from the history of an ended one: what came before an event stays, what was under way then is done again.

Rule 1: nothing changes the source; the new instance shares its events.
Rule 2: a task counts as under way until its result came, whatever else came in between (dapr fork.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .instance import (
    ACTIVITY_COMPLETED,
    ACTIVITY_FAILED,
    ACTIVITY_SCHEDULED,
    CHILD_COMPLETED,
    CHILD_CREATED,
    CHILD_FAILED,
    DETACHED,
    TIMER_CREATED,
    TIMER_FIRED,
    Child,
    Schedule,
    Timer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .instance import Action, Event, Instance

_AGAIN: Mapping[str, Callable[[Event], Action]] = {
    ACTIVITY_SCHEDULED: lambda event: Schedule(event.task, event.name, event.data, event.wire),
    TIMER_CREATED: lambda event: Timer(event.task, event.due, event.wire),
    CHILD_CREATED: lambda event: Child(event.task, event.name, "", event.data, event.wire),
}
_RESULTS = frozenset({ACTIVITY_COMPLETED, ACTIVITY_FAILED, CHILD_COMPLETED, CHILD_FAILED, TIMER_FIRED})


class Changes(NamedTuple):
    """
    What a rerun does otherwise than its source: another input of the task, if `overwrite`; another ID of the child.
    """

    overwrite: bool = False
    data: str | None = None
    child: str | None = None


class Fork(NamedTuple):
    """
    How the new instance begins: its history, and what it does again.
    """

    history: tuple[Event, ...]
    actions: tuple[Action, ...]


def refusal(source: Instance, number: int, changes: Changes) -> str:
    """
    The row that refuses a rerun from an event, or the empty string.
    """
    event = next((event for event in source.history if _is(event, number)), None)
    if event is None:
        return "rerun.no_event"
    no_input = changes.overwrite and event.kind == TIMER_CREATED
    no_child = changes.child is not None and event.kind != CHILD_CREATED
    return "rerun.impossible" if no_input or no_child or event.kind == DETACHED else ""


def fork(source: Instance, number: int, changes: Changes) -> Fork:
    """
    The beginning of a rerun that `refusal` does not refuse.
    """
    events = source.history
    place = next(index for index, event in enumerate(events) if _is(event, number))
    before, again = events[:place], events[place]
    done = {event.task for event in before if event.kind in _RESULTS}
    open_tasks = [event for event in before if event.kind in _AGAIN and event.task not in done]
    if changes.overwrite:
        again = again._replace(data=changes.data)
    action = _AGAIN[again.kind](again)
    if changes.child is not None and isinstance(action, Child):
        action = action._replace(instance=changes.child)
    history = tuple(event for event in before if event not in open_tasks)
    return Fork(history, (*(_AGAIN[event.kind](event) for event in open_tasks), action))


def _is(event: Event, number: int) -> bool:
    return event.task == number and (event.kind in _AGAIN or event.kind == DETACHED)
