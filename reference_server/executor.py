"""
The built-in executor: runs the kit workflows by replay.

Rule 1: a decision depends on the turn alone; the history is replayed, only what is new leads to actions.
Rule 2: while suspended, whatever arrives is held back, in order.
Rule 3: an event is taken by the first wait for its name, case aside.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .instance import (
    ACTIVITY_COMPLETED,
    ACTIVITY_FAILED,
    CHILD_COMPLETED,
    CHILD_FAILED,
    COMPLETE,
    CONTINUE_AS_NEW,
    FAIL,
    PAUSE,
    RAISE_EVENT,
    RESUME,
    STARTED,
    TERMINATE,
    TIMER_FIRED,
    TURN,
    Action,
    Cancel,
    Child,
    Decision,
    Ending,
    Event,
    Failure,
    Result,
    Schedule,
    Timer,
)
from .literals import dumps, loads
from .script import DO, Grammar, Instruction, ScriptError, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from .instance import Activity, Turn

ECHO = "ConformanceEcho"
SCRIPT = "ConformanceScript"
ACTIVITY = "ConformanceEchoActivity"

_CACHED_BYTES = 4096
"""Longest script that is kept parsed."""

_RESULTS = frozenset({TIMER_FIRED, ACTIVITY_COMPLETED, ACTIVITY_FAILED, CHILD_COMPLETED, CHILD_FAILED})


class Wait:
    """
    What a script waits for: a task, an event, or either.
    """

    __slots__ = ("name", "task")

    def __init__(self, *, task: int = 0, name: str = "") -> None:
        self.task, self.name = task, name


class BuiltIn:
    """
    Runs ConformanceEcho, ConformanceScript, and scripts under names of the user's own.
    """

    workers = 1

    def __init__(self, instructions: Mapping[str, Mapping[str, Any]], named: Mapping[str, Any] | None = None) -> None:
        self.grammar = Grammar(instructions)
        self._named = {name: self.grammar.read(script) for name, script in (named or {}).items()}
        self._cached = lru_cache(maxsize=256)(self._parse)

    def turn(self, turn: Turn) -> Decision:
        """
        What the workflow does next.
        """
        try:
            return Replay(self, turn).run()
        except RecursionError:
            failure = Failure("ScriptError", "the script or a payload is nested too deep")
            return Decision(ending=Ending(FAIL, failure=failure))

    def activity(self, activity: Activity) -> Result:
        """
        What the activity comes to.
        """
        if activity.name == ACTIVITY:
            return Result(activity.data)
        return Result(failure=Failure("ActivityNotRegistered", f"no activity '{activity.name}' is registered"))

    def knows(self, workflow: str) -> bool:
        """
        Whether a script runs under this name.
        """
        return workflow == SCRIPT or workflow in self._named

    def script(self, started: Event) -> tuple[Instruction, ...]:
        """
        The instructions of a generation; a named workflow has its own until it continues as new.

        Raises ScriptError when the input is no script.
        """
        if started.name in self._named and not started.task:
            return self._named[started.name]
        text = started.data or ""
        return self._cached(text) if len(text) <= _CACHED_BYTES else self._parse(text)

    def _parse(self, text: str) -> tuple[Instruction, ...]:
        try:
            script = loads(text)
        except ValueError as error:
            raise ScriptError(f"the input is no JSON: {error}") from None
        return self.grammar.read(script)


class Replay:
    """
    One turn of one workflow.
    """

    __slots__ = (
        "_actions",
        "_ending",
        "_executor",
        "_held",
        "_keep",
        "_now",
        "_routine",
        "_status",
        "_stopped",
        "_suspended",
        "_task",
        "_turn",
        "_unread",
        "_wait",
    )

    def __init__(self, executor: BuiltIn, turn: Turn) -> None:
        self._executor, self._turn, self._now = executor, turn, turn.now
        self._actions: list[Action] = []
        self._ending: Ending | None = None
        self._held: list[Event] = []
        self._unread: list[Event] = []
        self._routine: Generator[Wait, Any, Ending] | None = None
        self._wait: Wait | None = None
        self._status = ""
        self._task = 0
        self._keep = self._stopped = self._suspended = False

    def run(self) -> Decision:
        """
        Replay the history, then take what is new.
        """
        for event in self._turn.history:
            if event.kind != TURN:
                self._feed(event)
        self._actions.clear()
        for event in self._turn.events:
            self._feed(event)
        self._routine = None  # it holds this object: a cycle that only the collector would find
        ending = self._ending
        if ending is not None and self._keep:
            ending = Ending(ending.happening, input=ending.input, kept=tuple(self._unread))
        return Decision(tuple(self._actions), self._status, ending)

    def _feed(self, event: Event) -> None:
        if self._stopped:
            return
        if self._ending is not None:
            if event.kind == RAISE_EVENT:
                self._unread.append(event)
        elif event.kind == TERMINATE:
            self._stopped = True
        elif event.kind == PAUSE:
            self._suspended = True
        elif event.kind == RESUME:
            self._suspended = False
            held, self._held = self._held, []
            for earlier in held:
                self._feed(earlier)
        elif self._suspended and event.kind != STARTED:
            self._held.append(event)
        else:
            self._react(event)

    def _react(self, event: Event) -> None:
        wait = self._wait
        if event.kind == STARTED:
            self._begin(event)
        elif event.kind == RAISE_EVENT:
            if wait is None or not wait.name or wait.name != event.name.casefold():
                self._unread.append(event)
                return
            if wait.task:
                self._actions.append(Cancel(wait.task))
            self._go_on(_payload(event.data))
        elif event.kind in _RESULTS and wait is not None and wait.task == event.task:
            if event.failure is not None:
                self._ending = Ending(FAIL, failure=event.failure)
            elif event.kind == TIMER_FIRED:
                self._go_on({"timed_out": True})
            else:
                self._go_on(_payload(event.data))

    def _begin(self, started: Event) -> None:
        if started.name == ECHO:
            self._ending = Ending(COMPLETE, output=started.data)
        elif not self._executor.knows(started.name):
            message = f"workflow '{started.name}' is not registered"
            self._ending = Ending(FAIL, failure=Failure("WorkflowNotRegistered", message))
        else:
            self._routine = self._perform(started)
            self._go_on(None)

    def _go_on(self, value: Any) -> None:
        if self._routine is None:
            return
        self._wait = None
        try:
            self._wait = self._routine.send(value)
        except StopIteration as done:
            self._ending = done.value
        except ScriptError as error:
            self._ending = Ending(FAIL, failure=Failure("ScriptError", str(error)))

    def _perform(self, started: Event) -> Generator[Wait, Any, Ending]:
        values: list[Any] = []
        for instruction in self._executor.script(started):
            outcome = yield from INSTRUCTIONS[instruction.name](self, instruction)
            if isinstance(outcome, Ending):
                return outcome
            if self._executor.grammar.has_value(instruction.name):
                values.append(outcome)
        return Ending(COMPLETE, output=dumps(values))

    def _number(self) -> int:
        self._task += 1
        return self._task

    def _set_timer(self, seconds: Any) -> int:
        task = self._number()
        self._actions.append(Timer(task, self._now + nanoseconds(seconds)))
        return task

    def _set_status(self, step: Instruction) -> Generator[Wait, Any, None]:
        self._status = dumps(step.argument)
        yield from ()

    def _wait_event(self, step: Instruction) -> Generator[Wait, Any, Any]:
        name = step.argument.casefold()
        for index, event in enumerate(self._unread):
            if event.name.casefold() == name:
                del self._unread[index]
                return _payload(event.data)
        task = self._set_timer(step.options["timeout"]) if "timeout" in step.options else 0
        return (yield Wait(task=task, name=name))

    def _sleep(self, step: Instruction) -> Generator[Wait, Any, None]:
        yield Wait(task=self._set_timer(step.argument))

    def _call_activity(self, step: Instruction) -> Generator[Wait, Any, Any]:
        task = self._number()
        self._actions.append(Schedule(task, ACTIVITY, dumps(step.argument)))
        return (yield Wait(task=task))

    def _call_child(self, step: Instruction) -> Generator[Wait, Any, Any]:
        task = self._number()
        text = dumps({DO: step.argument[DO]})
        self._actions.append(Child(task, SCRIPT, step.argument.get("id", ""), text))
        return (yield Wait(task=task))

    def _continue_as_new(self, step: Instruction) -> Generator[Wait, Any, Ending]:
        self._keep = step.options.get("keep_events", False)
        yield from ()
        return Ending(CONTINUE_AS_NEW, input=dumps(step.argument))

    def _fail(self, step: Instruction) -> Generator[Wait, Any, Ending]:
        yield from ()
        return Ending(FAIL, failure=Failure("ConformanceFailure", step.argument))

    def _return(self, step: Instruction) -> Generator[Wait, Any, Ending]:
        yield from ()
        return Ending(COMPLETE, output=dumps(step.argument))


INSTRUCTIONS = {
    "set_status": Replay._set_status,  # noqa: SLF001 - the table of its own methods
    "wait_event": Replay._wait_event,  # noqa: SLF001
    "sleep": Replay._sleep,  # noqa: SLF001
    "call_activity": Replay._call_activity,  # noqa: SLF001
    "call_child": Replay._call_child,  # noqa: SLF001
    "continue_as_new": Replay._continue_as_new,  # noqa: SLF001
    "fail": Replay._fail,  # noqa: SLF001
    "return": Replay._return,  # noqa: SLF001
}


class Closing:
    """
    Ends every turn with one happening and runs nothing: it brings about states that are hard to reach.
    """

    workers = 1

    def __init__(self, happening: str) -> None:
        self._decision = Decision(ending=Ending(happening))

    def turn(self, turn: Turn) -> Decision:  # noqa: ARG002 - the same whatever the turn
        """
        The happening.
        """
        return self._decision

    def activity(self, activity: Activity) -> Result:
        """
        The activity's input: nothing schedules one.
        """
        return Result(activity.data)


def _payload(text: str | None) -> Any:
    if not text:
        return None
    try:
        return loads(text)
    except ValueError:
        return text
