"""
Mutants of the gRPC surfaces: words that are not said or not heard, answers that come too soon, messages that are none,
and a surface that has instances of its own.

Rule 1: the words are those of spec/grpc.yaml; mutants.yaml says which rules each breaks.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import spec
from spec import wire
from spec.places import reader, writer

from .mutant import Fault, Mutant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from spec import Form, Surface

    Surfaces = Mapping[str, Surface]
    Unary = Callable[[bytes], Awaitable[bytes]]

HASTE = 400
"""Milliseconds that an effect takes where an answer should wait for it."""

SHORT = 0.1
"""Seconds that an impatient wait lasts."""

APART = "apart-"
INSTANCE, ANSWERED = "instance", "instanceID"


def _unsaid(form: Form, word: str) -> Form:
    return replace(form, answers={name: place for name, place in form.answers.items() if name != word})


def _unheard(form: Form, word: str) -> Form:
    kept = {name: place for name, place in form.fields.items() if name != word}
    asked = {name: words for name, words in form.asked.items() if name != word}
    return replace(form, fields=kept, asked=asked, refusals=tuple(one for one in form.refusals if one.field != word))


def _unrefused(form: Form, word: str) -> Form:
    return replace(form, refusals=tuple(one for one in form.refusals if one.field != word))


def _hasty(form: Form, _: str) -> Form:
    return replace(form, with_effect=False)


def _checked(form: Form, word: str) -> Form:
    return replace(form, refusals=(*form.refusals, spec.Refusal(word, parameter=ANSWERED)))


def _unserved(form: Form, _: str) -> Form:
    return replace(form, method="")


KINDS: Mapping[str, tuple[Callable[[Form, str], Form], str, int]] = {
    "unsaid": (_unsaid, "is not said", 0),
    "unheard": (_unheard, "is not heard", 0),
    "unrefused": (_unrefused, "is taken whatever it is", 0),
    "checked": (_checked, "is held to the rules of HTTP", 0),
    "unserved": (_unserved, "is not there", 0),
    "hasty": (_hasty, "is answered before it has an effect", HASTE),
}
"""What can be wrong with a form, in words, and by how many milliseconds effects are late then."""


def mutants() -> Iterator[Mutant]:
    """
    Everything that can be wrong with a form, and with the messages of a service.
    """
    document = spec.document("mutants.yaml")
    forms, messages = document.data["forms"], document.data["messages"]
    for name in messages.keys() ^ MESSAGES.keys():
        raise document.bad(("messages", *({name} & messages.keys())), f"{name}: there are {', '.join(MESSAGES)}")
    for kind, operations in forms.items():
        for operation, words in operations.items():
            for word, rules in words.items():
                yield from _of(kind, operation, word, tuple(rules))
    for surface in spec.grpc().values():
        for name, data in messages.items():
            held = tuple(rule for rule in data["rules"] if surface.name in spec.load().rules[rule].surfaces)
            if held:
                fault = Fault(calls=partial(_each, surface, MESSAGES[name]))
                yield Mutant(f"message/{name}@{surface.name}", held, f"{data['means']} on {surface.name}", fault)


def _of(kind: str, operation: str, word: str, rules: tuple[str, ...]) -> Iterator[Mutant]:
    change, means, delay = KINDS[kind]
    for surface in spec.grpc().values():
        form = surface.forms.get(operation)
        if form is None or change(form, word) == form:
            continue
        held = tuple(rule for rule in rules if surface.name in spec.load().rules[rule].surfaces)
        fault = Fault(forms=partial(_changed, surface.name, operation, word, change), delay=delay)
        if held:
            name = f"form/{operation}/{word}/{kind}@{surface.name}"
            yield Mutant(name, held, f"{word} of {operation} {means} on {surface.name}", fault)


def _changed(name: str, operation: str, word: str, change: Callable[[Form, str], Form], surfaces: Surfaces) -> Surfaces:
    surface = surfaces[name]
    forms = {**surface.forms, operation: change(surface.forms[operation], word)}
    served = {key: form for key, form in forms.items() if form.method}
    return {**surfaces, name: replace(surface, forms=served)}


def _each(
    surface: Surface, change: Callable[[Form, wire.Method, Unary], Unary], handlers: Mapping[str, Any]
) -> Mapping[str, Any]:
    """
    Every operation of a surface with its messages changed.
    """
    found = dict(handlers)
    for form in surface.forms.values():
        for version in surface.versions:
            method = wire.services()[surface.service][form.method + version]
            if method.path in found:
                found[method.path] = change(form, method, found[method.path])
    return found


def _after(change: Callable[[bytes], bytes], reading: bool) -> Callable[[Form, wire.Method, Unary], Unary]:  # noqa: FBT001
    """
    Answers that are changed: those that show an instance, or those that show nothing.
    """

    def changed(form: Form, method: wire.Method, handle: Unary) -> Unary:
        del method
        if ("runtimeStatus" in form.answers) is not reading or (form.answers and not reading):
            return handle

        async def answered(request: bytes) -> bytes:
            return change(await handle(request))

        return answered

    return changed


def _apart(form: Form, method: wire.Method, handle: Unary) -> Unary:
    """
    Instances of another name than the one that was given: nobody else sees them.
    """
    place, said = form.fields.get(INSTANCE), form.answers.get(ANSWERED)
    if not place:
        return handle
    asked: Any = method.request.DESCRIPTOR
    told: Any = method.response.DESCRIPTOR
    read, write = reader(asked, place), writer(asked, place)
    shown = (reader(told, said), writer(told, said)) if said else None

    async def answered(request: bytes) -> bytes:
        message = method.request.FromString(request)
        name = read(message)
        if name:
            write(message, APART + name)
        response = method.response.FromString(await handle(message.SerializeToString()))
        if shown and (given := shown[0](response)):
            shown[1](response, given.removeprefix(APART))
        return response.SerializeToString()

    return answered


def _impatient(form: Form, method: wire.Method, handle: Unary) -> Unary:
    """
    A wait that gives up by itself.
    """
    del method
    if "runtimeStatus" not in form.answers:
        return handle

    async def answered(request: bytes) -> bytes:
        return await asyncio.wait_for(handle(request), SHORT)

    return answered


MESSAGES: Mapping[str, Callable[[Form, wire.Method, Unary], Unary]] = {
    "undecodable": _after(lambda raw: raw + b"\xff", reading=True),
    "not_utf8": _after(lambda raw: raw + b"\x0a\x02\xff\xfe", reading=True),
    "more": _after(lambda raw: raw + b"\x0a\x01a", reading=False),
    "impatient": _impatient,
    "apart": _apart,
}
"""What can be wrong with the messages of a surface, by its name in mutants.yaml."""
