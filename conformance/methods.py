"""
Steps -> calls of gRPC methods, and their answers -> what they say, by the places that spec/grpc.yaml gives.

Rule 1: pure but for the clock of a start at a time to come and for IDs that the client makes; nothing has a name here.
Rule 2: a call that is asked for twice is two calls.
"""

from __future__ import annotations

import base64
import math
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import spec
from spec import wire
from spec.places import reader, writer

from . import messages, names
from .calls import dump
from .exchange import Request, Said
from .judge import PROPERTIES
from .match import Text
from .report.text import CALL
from .scenario import payload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message

    from spec.places import Read, Write
    from spec.surfaces import Form

    from .scenario import Step
    from .wants import Planned

STATUS = "runtimeStatus"


class Methods:
    """
    Makes the calls of one run on one gRPC surface, in one of its versions.
    """

    port = "gRPC"

    def __init__(
        self,
        kind: str,
        url: str,
        version: str,
        *,
        component: str = "dapr",
        workflows: Mapping[str, str] | None = None,
    ) -> None:
        self._surface, self.url, self._version = spec.grpc()[kind], url, version
        self._component, self._workflows = component, workflows or {}
        service = wire.services()[self._surface.service]
        self._types = {name: service[form.method + version] for name, form in self._surface.forms.items()}
        self._writes = {name: self._writers(form) for name, form in self._surface.forms.items()}
        self._reads = {name: self._reader(form) for name, form in self._surface.forms.items()}

    def operation(  # noqa: PLR0913 - the arguments of an operation
        self,
        name: str,
        instance: str | None,
        *,
        workflow: str = "",
        event: str = "",
        body: bytes = b"",
        json: bool = False,
        headers: tuple[tuple[str, str | None], ...] = (),
        within: float | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Request:
        """
        The call of one operation on an instance; None: without an ID. `more`: words that only this surface has.
        """
        words: dict[str, Any] = {
            "component": self._component,
            "workflow": self._workflows.get(workflow, workflow) or None,
            "event": event or None,
            **({"instance": instance} if instance is not None else {}),
            **({"data": body} if body or json else {}),
            **(more or {}),
        }
        kind = self._types[name]
        message = kind.request()
        given = {**self._surface.forms[name].fixed, **words}
        body = messages.sealed(message, [(write, given.get(word)) for word, write in self._writes[name].items()])
        text, _ = messages.shown(message)
        return Request(CALL, kind.path.encode(), headers, body, False, text, self._reads[name], within)  # noqa: FBT003

    def reads(self, name: str) -> Callable[[bytes], Said]:
        """
        What the answer to an operation says.
        """
        return self._reads[name]

    def words(self, name: str) -> Callable[[bytes], Mapping[str, Any]]:
        """
        What a request of an operation says, in the words of spec/grpc.yaml; nothing where the bytes are no request.
        """
        kind = self._types[name].request
        descriptor: Any = kind.DESCRIPTOR
        fields = self._surface.forms[name].fields.items()
        places = {word: reader(descriptor, place) for word, place in fields if place}

        def read(raw: bytes) -> Mapping[str, Any]:
            message = messages.read(kind, raw)
            if message is None:
                return {}
            said = {word: messages.plain(place(message)) for word, place in places.items()}
            return {word: _held(word, value) for word, value in said.items() if value is not None}

        return read

    def step(self, planned: Planned, known: Mapping[str, Any]) -> Request:
        """
        The call of a step, with everything that is known by now put in.
        """
        step = planned.step
        call = names.fill(dict(step.call), known)
        if step.verb == "call":
            return self._raw(call)
        body, is_json = payload(call, "data" if "data" in call else "input", dump)
        return self.operation(
            step.operation,
            self._identity(step, call, known),
            workflow=call.get("workflow", ""),
            event=call.get("name", ""),
            body=body,
            json=is_json,
            headers=step.headers,
            within=(math.inf if call["within"] is None else call["within"]) if "within" in call else None,
            more=_more(call, known),
        )

    def _identity(self, step: Step, call: Mapping[str, Any], known: Mapping[str, Any]) -> str | None:
        """
        The ID that a step is about. A start without one leaves it to the server, and makes one where that does not.
        """
        if step.operation == "start" and "id" in call:
            return None if self._surface.forms[step.operation].generates else str(uuid.uuid4())
        return str(known[step.instance]) if step.instance else None

    def _raw(self, call: Mapping[str, Any]) -> Request:
        """
        A call with bytes that are given; of a method that may not be there.
        """
        form = self._surface.forms.get(call.get("operation", ""))
        path = f"/{self._surface.service}/{(form.method if form else call['method']) + self._version * bool(form)}"
        body = base64.b64decode(call.get("raw_base64", ""))
        if "fill" in call:
            assert form is not None  # noqa: S101 - the schema has seen to it
            body = self.operation(form.operation, "filled", body=b"x" * call["fill"]["bytes"]).body
        return Request(CALL, path.encode(), (), body, reads=lambda raw: Said(text=repr(raw[:200])))

    def _writers(self, form: Form) -> dict[str, Write]:
        descriptor: Any = self._types[form.operation].request.DESCRIPTOR
        return {word: writer(descriptor, place) for word, place in form.fields.items() if place}

    def _reader(self, form: Form) -> Callable[[bytes], Said]:
        kind = self._types[form.operation].response
        descriptor: Any = kind.DESCRIPTOR
        places = {word: reader(descriptor, place) for word, place in form.answers.items()}
        maps = {place.partition("[")[0] for place in form.answers.values() if "[" in place}

        def reads(raw: bytes) -> Said:
            message = messages.read(kind, raw)
            if message is None:
                why = f"these bytes are no {descriptor.full_name}, or a text in it is not UTF-8"
                return Said(problems=(why,), text=repr(raw[:200]))
            text, problems = messages.shown(message)
            if problems:
                return Said(problems=tuple(problems), text=text)
            fields = self._fields(places, message) | {name: dict(getattr(message, name)) for name in maps}
            absent = STATUS in form.answers and not self._exists(form, fields)
            if not absent:
                problems += [
                    f"{name} is missing" for name in _demanded() if name in form.answers and name not in fields
                ]
            elif fields.keys() - maps - {"exists", "instanceID"}:
                problems.append("it says that there is no instance, and shows one")
            return Said(fields, absent, tuple(problems), text)

        return reads

    def _fields(self, places: Mapping[str, Read], message: Message) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for word, place in places.items():
            value = messages.plain(place(message))
            if value is None:
                continue
            if word == STATUS:
                value = str(value).removeprefix(self._surface.prefix)
            outer, _, inner = word.partition(".")
            if inner:
                fields.setdefault(outer, {})[inner] = value
            else:
                fields[word] = Text(value) if word in PROPERTIES else value
        return fields

    def _exists(self, form: Form, fields: Mapping[str, Any]) -> bool:
        return bool(fields.get("exists")) if "exists" in form.answers else STATUS in fields


def probe(name: str) -> Request:
    """
    The call of a method that is no operation on an instance, by its name in spec/grpc.yaml.
    """
    other = spec.others()[name]
    kind = wire.services()[spec.grpc()[other.surface].service][other.methods[0]]
    descriptor: Any = kind.response.DESCRIPTOR
    places = {word: reader(descriptor, place) for word, place in other.answers.items()}

    def reads(raw: bytes) -> Said:
        message = messages.read(kind.response, raw)
        return Said({word: place(message) for word, place in places.items()} if message is not None else {})

    return Request(CALL, kind.path.encode(), reads=reads)


def _held(word: str, value: Any) -> Any:
    """
    A payload is a text that holds JSON.
    """
    if word != "data":
        return value
    try:
        return Text(value.decode() if isinstance(value, bytes) else value)
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _more(call: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """
    The words of a step that stand in it as the message calls for them.
    """
    words = {word: call[word] for word in WORDS if word in call}
    words["as"] = known.get(call.get("as", ""))
    if "delay" in call:
        moment = datetime.now(UTC) + timedelta(seconds=call["delay"])
        words["at"] = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return words


@cache
def _demanded() -> tuple[str, ...]:
    """
    The fields that every answer which can show them shows, as the document of the HTTP surface says of an instance.
    """
    return tuple(spec.openapi()["components"]["schemas"]["Workflow"]["required"])


WORDS = ("at", "app", "size", "token", "number", "recursive", "overwrite", "payloads", "child")
"""Words of spec/grpc.yaml that a step may say as they are."""
