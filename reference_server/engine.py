"""
The engine: calls and decisions go in, answers and work come out.

Rule 1: no clock, no chance, no I/O; the time comes in as an argument.
Rule 2: no state is named here; every step is a cell of the table, every answer a row of the replies.
Rule 3: at most one turn of an instance is out at a time; what arrives meanwhile waits in its inbox.
Rule 4: no call looks at all instances.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from .agenda import Agenda
from .instance import (
    ACTIVITY_COMPLETED,
    ACTIVITY_FAILED,
    ACTIVITY_SCHEDULED,
    CHILD_COMPLETED,
    CHILD_CREATED,
    CHILD_FAILED,
    CONTINUE_AS_NEW,
    DELIVERED,
    ENDED,
    FAIL,
    RECOVER,
    START,
    STARTED,
    TERMINATE,
    TIMER_CREATED,
    TIMER_FIRED,
    Activity,
    Answer,
    Call,
    Cancel,
    Child,
    Ending,
    Event,
    Failure,
    Instance,
    Parent,
    Schedule,
    Timer,
    Turn,
)
from .turns import course

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spec import Cell, Machine, Reply

    from .instance import Action, Decision, Result
    from .turns import Course

TIGHT_LOOP_LIMIT = 20
"""Generations in a row that never wait (durabletask-go backend/orchestration.go:38)."""

BATCH = 64
"""Most work items that are handed out at once."""


class Engine:
    """
    All instances, and what is due. `listener` is told the ID of each instance that a turn or a purge has changed.

    `settle` is the time between an event and the turn it causes. An instance created in the state `hold` takes no turn
    until an operation brings an event.
    """

    def __init__(self, machine: Machine, replies: Mapping[str, Reply], *, settle: int = 0, hold: str = "") -> None:
        self._machine, self._replies, self._settle, self._hold = machine, replies, settle, hold
        self._terminal = frozenset(name for name, state in machine.states.items() if state.terminal)
        self._absent = next(name for name, state in machine.states.items() if not state.exists)
        self._moving = frozenset(
            name
            for name, state in machine.states.items()
            if state.exists and not state.terminal and not machine.table[name][RECOVER].settles
        )
        self._conditions = {"child_active": self._child_active}
        self._instances: dict[str, Instance] = {}
        self._agenda: Agenda[str | tuple[int, int]] = Agenda()
        self._turns: dict[str, Turn] = {}
        self._activities: deque[Activity] = deque()
        self._open: dict[int, dict[int, str]] = {}
        self._generations = count(1)
        self.listener: Callable[[str], None] = _nobody

    def __len__(self) -> int:
        """
        How many instances there are.
        """
        return len(self._instances)

    def instance(self, name: str) -> Instance | None:
        """
        The instance with this ID.
        """
        return self._instances.get(name)

    def handle(self, call: Call, now: int) -> Answer:
        """
        Answer a call; its effect is there now (start, purge) or comes with a turn.
        """
        instance = self._instances.get(call.instance)
        state = self._absent if instance is None else instance.state
        cell = self._cell(state, call.operation, instance, alone=call.alone)
        reply = self._replies[cell.acts]
        target = cell.settles[0]
        if target != state or reply.outcome == "accepted":
            self._effect(call, instance, target, now)
            instance = self._instances.get(call.instance)
        return Answer(cell.acts, reply.outcome, instance)

    def take(self, now: int, limit: int = BATCH) -> list[Turn | Activity]:
        """
        The work that is due, at most `limit` items. Each turn must come back to `complete_turn`.
        """
        work: list[Turn | Activity] = []
        while self._activities and len(work) < limit:
            activity = self._activities.popleft()
            if activity.task in self._open.get(activity.generation, ()):
                work.append(activity)
        while len(work) < limit:
            key = self._agenda.pop(now)
            if key is None:
                break
            if isinstance(key, str):
                instance = self._instances[key]
                turn = self._turns[key] = Turn(key, instance.history, instance.inbox, now)
                work.append(turn)
            else:
                self._fire(*key, now)
        return work

    def next_due(self) -> int | None:
        """
        When there is work next; in the past if there is some now.
        """
        return 0 if self._activities else self._agenda.next_due()

    def complete_turn(self, turn: Turn, decision: Decision, now: int) -> None:
        """
        Commit what an executor made of a turn. A turn that is not out any more is dropped.
        """
        if self._turns.get(turn.instance) is not turn:
            return
        del self._turns[turn.instance]
        instance = self._instances[turn.instance]
        ending = _bounded(instance, decision.ending)
        way = course(self._machine.table, instance.state, turn.events, ending.happening if ending else "")
        rest = instance.inbox[len(turn.events) :]
        if way.state == self._absent:
            self._erase(instance.id)
        elif way.state in self._terminal:
            self._finish(_committed(instance, turn, decision, way, rest), ending, way, now)
        elif way.happened and ending is not None and ending.happening == CONTINUE_AS_NEW:
            self._renew(instance, ending, way, rest, now)
        else:
            self._proceed(_committed(instance, turn, decision, way, rest), decision.actions, now)
        self.listener(turn.instance)

    def complete_activity(self, activity: Activity, result: Result, now: int) -> None:
        """
        Deliver what an activity came to. A result that nobody waits for is dropped.
        """
        if self._close(activity.generation, activity.task):
            kind = ACTIVITY_FAILED if result.failure else ACTIVITY_COMPLETED
            event = Event(kind, now, activity.task, activity.name, result.data, failure=result.failure)
            self._deliver(self._instances[activity.instance], event, now)

    def _cell(self, state: str, operation: str, instance: Instance | None, *, alone: bool = False) -> Cell:
        cell = self._machine.table[state][operation]
        if cell.when and instance is not None and not alone:
            holds = tuple(name for name in cell.when if self._conditions[name](instance))
            return self._machine.cell(state, operation, holds)
        return cell

    def _child_active(self, instance: Instance) -> bool:
        names, seen = list(instance.children), {instance.id}
        while names:
            name = names.pop()
            child = None if name in seen else self._instances.get(name)
            seen.add(name)
            if child is None:
                continue
            if child.state not in self._terminal:
                return True
            names.extend(child.children)
        return False

    def _effect(self, call: Call, instance: Instance | None, target: str, now: int) -> None:
        if target == self._absent:
            self._erase(call.instance, alone=call.alone)
        elif instance is None or call.operation == START:
            self._create(call, target, now)
        elif call.operation in DELIVERED and instance.state in self._moving:
            event = Event(call.operation, now, name=call.event, data=call.data, alone=call.alone)
            self._deliver(instance, event, now)
        elif target != instance.state:
            self._instances[instance.id] = instance._replace(state=target)

    def _create(self, call: Call, state: str, now: int, parent: Parent | None = None) -> None:
        old = self._instances.get(call.instance)
        if old is not None:
            self._release(old)
        inbox = (Event(STARTED, now, name=call.workflow, data=call.data),)
        generation = next(self._generations)
        instance = Instance(call.instance, call.workflow, state, generation, call.data, parent, inbox=inbox)
        self._instances[call.instance] = instance
        if state != self._hold:
            self._wake(instance, max(now + self._settle, call.at))

    def _deliver(self, instance: Instance, event: Event, now: int) -> None:
        instance = instance.receiving(event)
        self._instances[instance.id] = instance
        self._wake(instance, now + self._settle)

    def _wake(self, instance: Instance, due: int) -> None:
        if instance.inbox and instance.id not in self._turns and instance.state in self._moving:
            self._agenda.add(instance.id, due)

    def _fire(self, generation: int, task: int, now: int) -> None:
        name = self._close(generation, task)
        self._deliver(self._instances[name], Event(TIMER_FIRED, now, task), now)

    def _close(self, generation: int, task: int) -> str:
        """
        Take a task off the open ones; the ID of the instance that waits for it, or the empty string.
        """
        tasks = self._open.get(generation, {})
        name = tasks.pop(task, "")
        if not tasks:
            self._open.pop(generation, None)
        return name

    def _release(self, instance: Instance) -> None:
        self._agenda.cancel(instance.id)
        self._turns.pop(instance.id, None)
        for task in self._open.pop(instance.generation, ()):
            self._agenda.cancel((instance.generation, task))

    def _erase(self, name: str, *, alone: bool = False) -> None:
        names = [name]
        while names:
            instance = self._instances.pop(names.pop(), None)
            if instance is not None:
                self._release(instance)
                names.extend(() if alone else instance.children)
                self.listener(instance.id)

    def _renew(self, instance: Instance, ending: Ending, way: Course, rest: tuple[Event, ...], now: int) -> None:
        """
        Start the next generation. What else came in the turn of the old one is lost with it, as on the real runtime.
        """
        self._release(instance)
        lap = next((event.task for event in (*instance.history, *instance.inbox) if event.kind == STARTED), 0) + 1
        started = Event(STARTED, now, lap, instance.workflow, ending.input)
        renewed = Instance(
            instance.id,
            instance.workflow,
            way.state,
            next(self._generations),
            ending.input,
            instance.parent,
            inbox=(started, *ending.kept, *rest),
            created=now,
            updated=now,
            laps=instance.laps + 1,
        )
        self._instances[instance.id] = renewed
        self._wake(renewed, now)

    def _finish(self, instance: Instance, ending: Ending | None, way: Course, now: int) -> None:
        self._release(instance)
        ended = Event(ENDED, now, name=way.cause, data=ending.output if ending else None)
        last = None if way.happened else _last(instance, way.cause)
        instance = instance._replace(
            history=(*instance.history, ended),
            inbox=(),
            updated=now,
            output=ending.output if way.happened and ending else last and last.data,
            failure=ending.failure if way.happened and ending else None,
        )
        self._instances[instance.id] = instance
        if way.cause == TERMINATE and not (last and last.alone):
            for name in instance.children:
                self.handle(Call(TERMINATE, name), now)
        if instance.parent is not None:
            self._report(instance, instance.parent, way, now)

    def _report(self, child: Instance, parent: Parent, way: Course, now: int) -> None:
        if not self._close(parent.generation, parent.task):
            return
        failure = child.failure
        if failure is None and not way.happened:
            failure = Failure("ChildTerminated", f"child workflow '{child.id}' was terminated")
        kind = CHILD_FAILED if failure else CHILD_COMPLETED
        event = Event(kind, now, parent.task, data=child.output, instance=child.id, failure=failure)
        self._deliver(self._instances[parent.instance], event, now)

    def _proceed(self, instance: Instance, actions: tuple[Action, ...], now: int) -> None:
        events = tuple(_recorded(instance, action, now) for action in actions if not isinstance(action, Cancel))
        if events:
            instance = instance._replace(history=instance.history + events, updated=now)
        self._instances[instance.id] = instance
        if instance.inbox:
            self._wake(instance, instance.inbox[0].time + self._settle)
        for action in actions:
            self._act(instance, action, now)

    def _act(self, instance: Instance, action: Action, now: int) -> None:
        generation, key = instance.generation, (instance.generation, action.task)
        if isinstance(action, Cancel):
            self._agenda.cancel(key)
            self._close(*key)
            return
        self._open.setdefault(generation, {})[action.task] = instance.id
        if isinstance(action, Timer):
            self._agenda.add(key, action.due)
        elif isinstance(action, Schedule):
            self._activities.append(Activity(instance.id, generation, action.task, action.name, action.data))
        else:
            self._spawn(instance, action, now)

    def _spawn(self, parent: Instance, action: Child, now: int) -> None:
        name = _child_id(parent, action)
        old = self._instances.get(name)
        cell = self._cell(self._absent if old is None else old.state, START, old)
        if self._replies[cell.acts].outcome == "accepted":
            link = Parent(parent.id, parent.generation, action.task)
            call = Call(START, name, action.workflow, data=action.data)
            self._create(call, cell.settles[0], now, link)
            waiting = self._instances[parent.id]
            self._instances[parent.id] = waiting._replace(children=(*waiting.children, name))
            return
        self._close(parent.generation, action.task)
        failure = Failure("ChildNotStarted", f"child workflow '{name}' was not started: the ID is in use")
        event = Event(CHILD_FAILED, now, action.task, instance=name, failure=failure)
        self._deliver(self._instances[parent.id], event, now)


def _bounded(instance: Instance, ending: Ending | None) -> Ending | None:
    if ending is None or ending.happening != CONTINUE_AS_NEW or instance.laps < TIGHT_LOOP_LIMIT:
        return ending
    message = f"exceeded tight-loop continue-as-new limit of {TIGHT_LOOP_LIMIT} iterations"
    return Ending(FAIL, failure=Failure("ContinueAsNewLimit", message))


def _committed(instance: Instance, turn: Turn, decision: Decision, way: Course, rest: tuple[Event, ...]) -> Instance:
    last = turn.events[-1].time
    return Instance(
        instance.id,
        instance.workflow,
        way.state,
        instance.generation,
        instance.input,
        instance.parent,
        history=instance.history + turn.events,
        inbox=rest,
        created=turn.events[0].time if instance.created is None else instance.created,
        updated=last if instance.updated is None else max(last, instance.updated),
        status=decision.status,
        children=instance.children,
    )


def _last(instance: Instance, kind: str) -> Event | None:
    """
    The last event of a kind in a history: its data is the output that a terminate brings.
    """
    return next((event for event in reversed(instance.history) if event.kind == kind), None)


def _nobody(_instance: str) -> None:
    """
    Listens to nothing.
    """


def _child_id(parent: Instance, action: Child) -> str:
    return action.instance or f"{parent.id}:{action.task:04x}"


def _recorded(instance: Instance, action: Timer | Schedule | Child, now: int) -> Event:
    if isinstance(action, Timer):
        return Event(TIMER_CREATED, now, action.task, due=action.due)
    if isinstance(action, Schedule):
        return Event(ACTIVITY_SCHEDULED, now, action.task, action.name, action.data)
    return Event(CHILD_CREATED, now, action.task, action.workflow, action.data, instance=_child_id(instance, action))
