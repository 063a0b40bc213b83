"""
What a turn makes of an instance: pure functions on values.

Rule 1: a history only grows; what a turn adds is its own event, what it took, and what it decided, in this order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .instance import (
    ACTIVITY_SCHEDULED,
    CHILD_CREATED,
    CONTINUE_AS_NEW,
    DETACHED,
    ENDED,
    FAIL,
    RAISE_EVENT,
    SENT,
    STALLED,
    STARTED,
    TERMINATE,
    TIMER_CREATED,
    TURN,
    Activity,
    Cancel,
    Child,
    Detached,
    Ending,
    Event,
    Failure,
    Instance,
    Schedule,
    Timer,
    Turn,
)

if TYPE_CHECKING:
    from .instance import Action, Decision
    from .turns import Course

TIGHT_LOOP_LIMIT = 20
"""Generations in a row that never wait (durabletask-go backend/orchestration.go:38)."""


def turn_of(instance: Instance, now: int) -> Turn:
    """
    The turn that an instance takes now.
    """
    generation, executor = instance.generation, instance.executor
    return Turn(instance.id, instance.history, instance.inbox, now, executor, generation, instance.parent)


def activity_of(instance: Instance, action: Schedule, *, awaited: bool) -> Activity:
    """
    The activity that an action asks for.
    """
    generation, executor = instance.generation, instance.executor
    return Activity(
        instance.id, generation, action.task, action.name, action.data, executor, awaited=awaited, wire=action.wire
    )


def bounded(instance: Instance, ending: Ending | None) -> Ending | None:
    """
    The ending, or a failure in place of one generation too many.
    """
    if ending is None or ending.happening != CONTINUE_AS_NEW or instance.laps < TIGHT_LOOP_LIMIT:
        return ending
    message = f"exceeded tight-loop continue-as-new limit of {TIGHT_LOOP_LIMIT} iterations"
    return Ending(FAIL, failure=Failure("ContinueAsNewLimit", message))


def committed(instance: Instance, turn: Turn, decision: Decision, state: str, now: int) -> Instance:
    """
    The instance after a turn that leads to a state.
    """
    made: tuple[Event, ...] = ()
    if decision.actions:
        made = tuple([event for action in decision.actions if (event := _recorded(instance, action, now)) is not None])
    last = now if made else turn.events[-1].time
    return Instance(
        instance.id,
        instance.workflow,
        state,
        instance.generation,
        instance.input,
        instance.parent,
        (*instance.history, Event(TURN, turn.now, wire=decision.wire), *turn.events, *made),
        instance.inbox[len(turn.events) :],
        turn.events[0].time if instance.created is None else instance.created,
        last if instance.updated is None else max(last, instance.updated),
        status=decision.status,
        children=instance.children,
        executor=instance.executor,
    )


def ended(instance: Instance, ending: Ending | None, way: Course, now: int) -> Instance:
    """
    The instance after its end. A terminate leaves the output that it brings.
    """
    if way.happened and ending is not None:
        output, failure = ending.output, ending.failure
    else:
        brought = last(instance, way.cause)
        output, failure = brought.data if brought else None, None
    event = Event(ENDED, now, name=way.cause, data=output, failure=failure)
    return instance._replace(history=(*instance.history, event), inbox=(), updated=now, output=output, failure=failure)


def stalled(instance: Instance, turn: Turn, wire: bytes, state: str, now: int) -> Instance:
    """
    The instance after a turn that could not be taken: what the turn brought stays in the inbox for the next try.
    """
    event, before = Event(STALLED, now, wire=wire), instance.history[-1:]
    same = bool(before) and before[0].kind == STALLED and before[0].wire == wire
    return instance._replace(
        state=state,
        history=instance.history if same else (*instance.history, event),
        created=turn.events[0].time if instance.created is None else instance.created,
        updated=instance.updated if same else now,
    )


def renewed(  # noqa: PLR0913 - all that differs from a generation to the next
    instance: Instance, ending: Ending, rest: tuple[Event, ...], *, state: str, generation: int, now: int
) -> Instance:
    """
    The next generation. What else came in the turn of the old one is lost with it, as on the real runtime.
    """
    old = next((event for event in (*instance.history, *instance.inbox) if event.kind == STARTED), None)
    started = Event(STARTED, now, old.task + 1 if old else 1, instance.workflow, ending.input)
    return Instance(
        instance.id,
        instance.workflow,
        state,
        generation,
        ending.input,
        instance.parent,
        inbox=(started, *ending.kept, *rest),
        created=now,
        updated=now,
        laps=instance.laps + 1,
        executor=instance.executor,
    )


def again(instance: Instance, history: tuple[Event, ...], actions: tuple[Action, ...], now: int) -> Instance:
    """
    The instance of a rerun: it has this history, and does these things again.
    """
    made = tuple([event for action in actions if (event := _recorded(instance, action, now)) is not None])
    return Instance(
        instance.id,
        instance.workflow,
        instance.state,
        instance.generation,
        instance.input,
        history=(*history, *made),
        created=instance.created,
        updated=now,
        children=tuple(event.instance for event in history if event.kind == CHILD_CREATED),
        executor=instance.executor,
    )


def last(instance: Instance, kind: str) -> Event | None:
    """
    The last event of a kind in a history.
    """
    return next((event for event in reversed(instance.history) if event.kind == kind), None)


def terminated_alone(instance: Instance) -> bool:
    """
    Whether the terminate that ended an instance leaves its children as they are.
    """
    event = last(instance, TERMINATE)
    return event is not None and event.alone


def due(instance: Instance, task: int) -> int:
    """
    When a timer of an instance was to fire.
    """
    for event in reversed(instance.history):
        if event.kind == TIMER_CREATED and event.task == task:
            return event.due
    return 0


def child_id(parent: Instance, action: Child) -> str:
    """
    The ID of a child; the one that has none is named after its parent.
    """
    return action.instance or f"{parent.id}:{action.task:04x}"


def _recorded(instance: Instance, action: Action, now: int) -> Event | None:
    if isinstance(action, Timer):
        return Event(TIMER_CREATED, now, action.task, due=action.due, wire=action.wire)
    if isinstance(action, Schedule):
        return Event(ACTIVITY_SCHEDULED, now, action.task, action.name, action.data, wire=action.wire)
    if isinstance(action, Child):
        name = child_id(instance, action)
        return Event(CHILD_CREATED, now, action.task, action.workflow, action.data, instance=name, wire=action.wire)
    if isinstance(action, Detached):
        return Event(DETACHED, now, action.task, instance=action.call.instance, wire=action.wire)
    if isinstance(action, Cancel) or action.call.operation != RAISE_EVENT:
        return None
    call = action.call
    return Event(SENT, now, action.task, call.event, call.data, instance=call.instance)
