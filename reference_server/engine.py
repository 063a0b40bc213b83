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
from .fork import fork
from .instance import (
    ACTIVITY_COMPLETED,
    ACTIVITY_FAILED,
    CHILD_COMPLETED,
    CHILD_FAILED,
    CONTINUE_AS_NEW,
    DELIVERED,
    RECOVER,
    STALL,
    START,
    STARTED,
    TERMINATE,
    TIMER_FIRED,
    Activity,
    Answer,
    Call,
    Cancel,
    Child,
    Detached,
    Event,
    Failure,
    Instance,
    Parent,
    Schedule,
    Send,
    Timer,
    Turn,
)
from .life import (
    activity_of,
    again,
    bounded,
    child_id,
    committed,
    due,
    ended,
    renewed,
    stalled,
    terminated_alone,
    turn_of,
)
from .turns import course

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spec import Cell, Machine, Reply

    from .fork import Changes
    from .instance import Action, Decision, Ending, Result
    from .turns import Course

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
        self._stalled: dict[str, str] = {}
        self._names: list[str] | None = None
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

    def names(self) -> list[str]:
        """
        The IDs of all instances, sorted; put together once, until an instance comes or goes.
        """
        if self._names is None:
            self._names = sorted(self._instances)
        return self._names

    def rerun(self, source: Instance, name: str, number: int, changes: Changes, now: int) -> None:
        """
        Start an instance from an event of an ended one, at which `fork.refusal` has looked.
        """
        history, actions = fork(source, number, changes)
        first = self._machine.table[self._absent][START].settles[0]
        state = course(self._machine.table, first, history, "").state
        instance = source._replace(id=name, state=state, generation=next(self._generations), parent=None)
        self._names = None
        self._proceed(again(instance, history, actions, now), actions, now)

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

    def take(self, now: int, limit: int = BATCH, executor: str = "") -> list[Turn | Activity]:
        """
        The work that is due, at most `limit` items; instances that took no turn yet get this executor. Each turn must
        come back to `complete_turn` or `put_back`, whenever that may be.
        """
        work: list[Turn | Activity] = []
        while self._activities and len(work) < limit:
            activity = self._activities.popleft()
            if self.awaits(activity):
                work.append(activity)
        while len(work) < limit and (key := self._agenda.pop(now)) is not None:
            if isinstance(key, tuple):
                self._fire(*key, now)
                continue
            instance = self._instances[key]
            if instance.created is None and instance.executor != executor:
                instance = self._instances[key] = instance._replace(executor=executor)
            turn = self._turns[key] = turn_of(instance, now)
            work.append(turn)
        return work

    def awaits(self, work: Turn | Activity) -> bool:
        """
        Whether a turn or an activity that was handed out is still to be done.
        """
        if isinstance(work, Turn):
            return self._turns.get(work.instance) is work
        return not work.awaited or work.task in self._open.get(work.generation, ())

    def put_back(self, turn: Turn) -> None:
        """
        Undo the taking of a turn: what it brought waits in the inbox until something else comes.
        """
        if self.awaits(turn):
            del self._turns[turn.instance]

    def revive(self, now: int) -> None:
        """
        Give every stalled instance another try: somebody with other code may have come.
        """
        for name in self._stalled:
            if name not in self._turns:
                self._agenda.add(name, now)

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
        ending = bounded(instance, decision.ending)
        happening = ending.happening if ending else ""
        before = self._stalled.pop(turn.instance, instance.state)
        way = course(self._machine.table, before, turn.events, happening)
        if way.state == self._absent:
            self._erase(instance.id)
        elif way.happened and ending is not None and happening == STALL:
            self._stalled[turn.instance] = before
            self._instances[turn.instance] = stalled(instance, turn, ending.wire, way.state, now)
        elif way.state in self._terminal:
            self._finish(committed(instance, turn, decision, way.state, now), ending, way, now)
            self._leave(instance, decision.actions if way.happened else (), now)
        elif way.happened and ending is not None and happening == CONTINUE_AS_NEW:
            self._renew(instance, ending, way, instance.inbox[len(turn.events) :], now)
        else:
            self._proceed(committed(instance, turn, decision, way.state, now), decision.actions, now)
        self.listener(turn.instance)

    def complete_activity(self, activity: Activity, result: Result, now: int) -> None:
        """
        Deliver what an activity came to. A result that nobody waits for is dropped.
        """
        if self._close(activity.generation, activity.task) is not None:
            kind = ACTIVITY_FAILED if result.failure else ACTIVITY_COMPLETED
            event = Event(
                kind, now, activity.task, activity.name, result.data, failure=result.failure, wire=result.wire
            )
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
            event = Event(call.operation, now, name=call.event, data=call.data, alone=call.alone, wire=call.wire)
            self._deliver(instance, event, now)
        elif target != instance.state:
            self._instances[instance.id] = instance._replace(state=target)

    def _create(self, call: Call, state: str, now: int, parent: Parent | None = None) -> None:
        old = self._instances.get(call.instance)
        if old is not None:
            self._release(old)
        inbox = (Event(STARTED, now, name=call.workflow, data=call.data, wire=call.wire),)
        generation = next(self._generations)
        instance = Instance(call.instance, call.workflow, state, generation, call.data, parent, inbox=inbox)
        self._instances[call.instance] = instance
        self._names = None
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
        if name is not None:
            instance = self._instances[name]
            self._deliver(instance, Event(TIMER_FIRED, now, task, due=due(instance, task)), now)

    def _close(self, generation: int, task: int) -> str | None:
        """
        Take a task off the open ones; the ID of the instance that waits for it, if one does.
        """
        tasks = self._open.get(generation, {})
        name = tasks.pop(task, None)
        if not tasks:
            self._open.pop(generation, None)
        return name

    def _release(self, instance: Instance) -> None:
        self._agenda.cancel(instance.id)
        self._turns.pop(instance.id, None)
        self._stalled.pop(instance.id, None)
        for task in self._open.pop(instance.generation, ()):
            self._agenda.cancel((instance.generation, task))

    def _erase(self, name: str, *, alone: bool = False) -> None:
        names = [name]
        while names:
            instance = self._instances.pop(names.pop(), None)
            if instance is not None:
                self._release(instance)
                self._names = None
                names.extend(() if alone else instance.children)
                self.listener(instance.id)

    def _renew(self, instance: Instance, ending: Ending, way: Course, rest: tuple[Event, ...], now: int) -> None:
        self._release(instance)
        instance = renewed(instance, ending, rest, state=way.state, generation=next(self._generations), now=now)
        self._instances[instance.id] = instance
        self._wake(instance, now)

    def _finish(self, instance: Instance, ending: Ending | None, way: Course, now: int) -> None:
        self._release(instance)
        instance = self._instances[instance.id] = ended(instance, ending, way, now)
        if way.cause == TERMINATE and not terminated_alone(instance):
            for name in instance.children:
                self.handle(Call(TERMINATE, name), now)
        if instance.parent is not None:
            self._report(instance, instance.parent, way, now)

    def _report(self, child: Instance, parent: Parent, way: Course, now: int) -> None:
        if self._close(parent.generation, parent.task) is None:
            return
        failure = child.failure
        if failure is None and not way.happened:
            failure = Failure("ChildTerminated", f"child workflow '{child.id}' was terminated")
        kind = CHILD_FAILED if failure else CHILD_COMPLETED
        event = Event(kind, now, parent.task, data=child.output, instance=child.id, failure=failure)
        self._deliver(self._instances[parent.instance], event, now)

    def _proceed(self, instance: Instance, actions: tuple[Action, ...], now: int) -> None:
        self._instances[instance.id] = instance
        if instance.inbox:
            self._wake(instance, instance.inbox[0].time + self._settle)
        for action in actions:
            self._act(instance, action, now)

    def _act(self, instance: Instance, action: Action, now: int) -> None:
        if isinstance(action, Cancel):
            self._agenda.cancel((instance.generation, action.task))
            self._close(instance.generation, action.task)
        elif isinstance(action, (Detached, Send)):
            self.handle(action.call, now)
        else:
            self._open.setdefault(instance.generation, {})[action.task] = instance.id
            if isinstance(action, Timer):
                self._agenda.add((instance.generation, action.task), action.due)
            elif isinstance(action, Schedule):
                self._schedule(instance, action, awaited=True)
            else:
                self._spawn(instance, action, now)

    def _leave(self, instance: Instance, actions: tuple[Action, ...], now: int) -> None:
        """
        Act for an instance that has ended: what it set going runs on, and nobody waits for it.
        """
        for action in actions:
            if isinstance(action, Schedule):
                self._schedule(instance, action, awaited=False)
            elif isinstance(action, Child):
                self._spawn(instance, action, now)
            elif isinstance(action, (Detached, Send)):
                self.handle(action.call, now)

    def _schedule(self, instance: Instance, action: Schedule, *, awaited: bool) -> None:
        self._activities.append(activity_of(instance, action, awaited=awaited))

    def _spawn(self, parent: Instance, action: Child, now: int) -> None:
        name = child_id(parent, action)
        old = self._instances.get(name)
        cell = self._cell(self._absent if old is None else old.state, START, old)
        if self._replies[cell.acts].outcome == "accepted":
            link = Parent(parent.id, parent.generation, action.task, parent.workflow)
            call = Call(START, name, action.workflow, data=action.data)
            self._create(call, cell.settles[0], now, link)
            waiting = self._instances[parent.id]
            self._instances[parent.id] = waiting._replace(children=(*waiting.children, name))
        elif self._close(parent.generation, action.task) is not None:
            failure = Failure("ChildNotStarted", f"child workflow '{name}' was not started: the ID is in use")
            event = Event(CHILD_FAILED, now, action.task, instance=name, failure=failure)
            self._deliver(self._instances[parent.id], event, now)


def _nobody(_instance: str) -> None:
    """
    Listens to nothing.
    """
