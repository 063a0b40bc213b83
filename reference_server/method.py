"""
One gRPC method: bytes in, bytes out, by spec/grpc.yaml.

Rule 1: no field or code is named here; forms, places and rows are data.
Rule 2: whatever the bytes are, the call ends with a message or a Refused; the engine only sees calls that are whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from spec.places import reader, writer

from . import views
from .checks import parameters
from .history import carried
from .instance import START, Call
from .times import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from google.protobuf.message import Message

    from spec import Form, Refusal, Spec, Surface
    from spec.wire import Method

    from .engine import Engine
    from .instance import Answer, Instance
    from .ports import Clock, Ids
    from .pump import Pump
    from .statuses import Statuses
    from .waiting import Waiting

    Given = Mapping[str, Any]

MALFORMED = "message.malformed"
CALL = ("instance", "workflow", "event", "data", "at", "recursive")
"""The words that make up a Call."""


class Door:
    """
    What every method of one surface needs.
    """

    __slots__ = ("clock", "engine", "features", "ids", "pump", "spec", "statuses", "surface", "waiting", "words")

    def __init__(  # noqa: PLR0913 - the parts of a server
        self,
        loaded: Spec,
        surface: Surface,
        statuses: Statuses,
        *,
        engine: Engine,
        pump: Pump,
        clock: Clock,
        ids: Ids,
        waiting: Waiting,
    ) -> None:
        self.spec, self.surface, self.statuses, self.features = loaded, surface, statuses, loaded.profile.features
        self.engine, self.pump, self.clock, self.ids, self.waiting = engine, pump, clock, ids, waiting
        states = loaded.machine.states.items()
        self.words = {name: surface.prefix + state.reported.get(surface.name, name) for name, state in states}


class Operation:
    """
    One method that is an operation, or several that a field tells apart.
    """

    def __init__(self, door: Door, forms: Sequence[Form], method: Method) -> None:
        self._door, self._statuses, self._request, self._response = door, door.statuses, method.request, method.response
        self._form = forms[0]
        self._others = [(form, tuple(word for word in form.fixed if word not in forms[0].fixed)) for form in forms[1:]]
        self._refusals = [_check(door.spec, self._form, refusal) for refusal in self._form.refusals]
        words = {*CALL, *self._form.asked, *(one.field for one in self._form.refusals)}
        words.update(word for _, extra in self._others for word in extra)
        fields = {word: place for word, place in self._form.fields.items() if word in words}
        self._reads = [(word, reader(method.request.DESCRIPTOR, place)) for word, place in fields.items()]
        answers = self._form.answers.items()
        self._writes = {word: writer(method.response.DESCRIPTOR, place) for word, place in answers}
        self._part = {word: write for word, write in self._writes.items() if word not in _asked(self._form)}

    async def __call__(self, request: bytes) -> bytes:
        """
        Answer one request.

        Raises Refused.
        """
        given = self._given(request)
        call = self._call(given)
        door, statuses = self._door, self._statuses
        if call.operation in door.features["waits_for_worker"] and not door.pump.connected:
            await door.pump.staffed()
        before = len(door.engine)
        answer = door.engine.handle(call, door.clock.now())
        deleted = before - len(door.engine)
        door.pump.poke()
        if answer.reply not in statuses.fine:
            if answer.reply in statuses.waits:
                answer = await self._waited(call)
            if answer.reply not in statuses.fine:
                statuses.refuse(answer.reply, call)
        if self._form.with_effect and given.get(self._form.unless) is None:
            await self._effect(answer)
        return self._answer(call, answer, given, deleted) if self._writes else b""

    def _given(self, request: bytes) -> dict[str, Any]:
        try:
            message = self._request.FromString(request)
            given = {word: value for word, read in self._reads if (value := read(message)) is not None}
            if self._form.carries:
                given["wire"] = carried(message, self._form.carries)
        except (DecodeError, ValueError) as error:
            self._statuses.refuse(MALFORMED, reason=str(error) or type(error).__name__)
        return {**self._form.defaults, **given} if self._form.defaults else given

    def _call(self, given: dict[str, Any]) -> Call:
        data, at, row = given.get("data"), 0, ""
        if "at" in given:
            given["at"] = nanoseconds(given["at"])
            at = max(given["at"] or 0, 0)
        for check in self._refusals:
            row = row or check(given)
        if isinstance(data, bytes):
            data = _text(data)
            row = row or ("" if data is not None else f"{self._form.operation}.not_utf8")
        instance = given.get("instance", "")
        if not instance and self._form.generates and not row:
            instance = self._door.ids.new()
        workflow, event, alone = given.get("workflow", ""), given.get("event", ""), not given.get("recursive", True)
        call = Call(self._named(given), instance, workflow, event, data, at, alone, given.get("wire", b""))
        if row:
            self._statuses.refuse(row, call)
        return call

    def _named(self, given: Given) -> str:
        for form, words in self._others:
            if all(map(given.get, words)):
                return form.operation
        return self._form.operation

    async def _waited(self, call: Call) -> Answer:
        waits, door = self._statuses.waits, self._door

        def answered() -> bool:
            return door.engine.handle(call, door.clock.now()).reply not in waits

        await door.waiting.until(call.instance, answered)
        return door.engine.handle(call, door.clock.now())

    async def _effect(self, answer: Answer) -> None:
        instance, engine = answer.instance, self._door.engine
        if instance is None or not instance.inbox:
            return
        event, name = instance.inbox[-1], instance.id
        starts = self._form.operation == START  # over once it is no longer pending, also where its turn got stuck

        def taken() -> bool:
            current = engine.instance(name)
            begun = current is None or (starts and current.state != instance.state)
            return begun or not any(one is event for one in (current.inbox if current else ()))

        await self._door.waiting.until(name, taken)

    def _answer(self, call: Call, answer: Answer, given: Given, deleted: int) -> bytes:
        response, writes = self._response(), self._writes
        for word in self._form.asked:
            if not given.get(word):
                writes = self._part
        for word, value in self._values(call, answer, deleted).items():
            if word in writes:
                writes[word](response, value)
        return response.SerializeToString()

    def _values(self, call: Call, answer: Answer, deleted: int) -> Given:
        if answer.reply in self._statuses.empty:
            return {} if "exists" in self._form.answers else {"instanceID": call.instance}
        if "runtimeStatus" in self._form.answers and answer.instance is not None:
            return self._state(answer.instance)
        return {"instanceID": call.instance, "deleted": deleted}

    def _state(self, instance: Instance) -> Given:
        values = views.words(instance, self._door.features)
        values["runtimeStatus"] = self._door.words[instance.state]
        values["exists"] = True
        return values


class Fixed:
    """
    A method that answers the same whatever is asked; its values are looked up anew each time.
    """

    def __init__(self, method: Method, places: Mapping[str, str], values: Callable[[], Given]) -> None:
        self._response, self._values = method.response, values
        self._writes = [(word, writer(method.response.DESCRIPTOR, place)) for word, place in places.items()]

    async def __call__(self, request: bytes) -> bytes:  # noqa: ARG002 - whatever is asked
        """
        Answer one request.
        """
        response: Message = self._response()
        values = self._values()
        for word, write in self._writes:
            write(response, values.get(word))
        return response.SerializeToString()


def _asked(form: Form) -> set[str]:
    return {word for words in form.asked.values() for word in words}


def _check(loaded: Spec, form: Form, refusal: Refusal) -> Callable[[Given], str]:
    name = refusal.field
    if refusal.missing:
        return lambda given: "" if given.get(name) else refusal.missing
    if refusal.given:
        return lambda given: "" if given.get(name) is None else refusal.given
    if refusal.invalid:
        return lambda given: refusal.invalid if name in given and given[name] is None else ""
    operation = next(
        one
        for item in loaded.openapi["paths"].values()
        for one in item.values()
        if isinstance(one, dict) and one.get("x-operation") == form.operation
    )
    held = [one for one in parameters(loaded.openapi, operation, loaded.profile.name) if one.name == refusal.parameter]
    return lambda given: next((row for one in held if given.get(name) and (row := one.refusal(given[name]))), "")


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
