"""
Mutants of what is answered: each field of an instance, of the answer to start, and of an error.

Rule 1: the fields are those of the document and of the properties; mutants.yaml says which rules each kind breaks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import spec
from reference_server.instance import GET, START

from .mutant import Mutant
from .wire import answered, json_of, with_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .wire import Asked, Memory, Said

PROPERTIES = "properties"
ZERO = "0001-01-01T00:00:00Z"

Holder = dict[str, Any]


def _missing(holder: Holder, name: str, *_: Any) -> None:
    holder.pop(name, None)


def _set(value: Any, holder: Holder, name: str, *_: Any) -> None:
    if name in holder:
        holder[name] = value


def _changed(change: Callable[[Any], Any], holder: Holder, name: str, *_: Any) -> None:
    if name in holder:
        holder[name] = change(holder[name])


def _stale(holder: Holder, name: str, asked: Asked, memory: Memory) -> None:
    """
    What was answered about this instance first.
    """
    if name in holder:
        holder[name] = memory.values.setdefault(asked.instance, holder[name])


def _other(holder: Holder, name: str, asked: Asked, memory: Memory) -> None:
    """
    What was answered about another instance last.
    """
    if name in holder:
        own = holder[name]
        others = [value for key, value in memory.values.items() if key != asked.instance]
        memory.values[asked.instance] = own
        holder[name] = others[-1] if others else own


def _moving(holder: Holder, name: str, asked: Asked, memory: Memory) -> None:
    memory.counts[asked.instance] += 1
    if name in holder and holder[name] != ZERO:
        holder[name] = f"2099-01-01T00:00:00.{memory.counts[asked.instance] % 1000:03}Z"


def _added(value: str, holder: Holder, name: str, *_: Any) -> None:
    holder.setdefault(name, value)


KINDS: dict[str, Callable[..., None]] = {
    "missing": _missing,
    "null": partial(_set, None),
    "number": partial(_set, 7),
    "empty": partial(_set, ""),
    "wrong": partial(_changed, lambda value: f"{value}x"),
    "spaced": partial(_changed, lambda value: f" {value}"),
    "text": partial(_set, "yesterday"),
    "zero": partial(_set, ZERO),
    "stale": _stale,
    "other": _other,
    "moving": _moving,
    "added": partial(_added, "1"),
}
"""What can be wrong with a field."""

MEANS = {
    "missing": "is left out",
    "null": "is null",
    "number": "is a number",
    "empty": "is empty",
    "wrong": "has a character too many",
    "spaced": "has a space before it",
    "text": "is some other text",
    "zero": "is the zero time",
    "stale": "is what it was at the first look",
    "other": "is that of another instance",
    "moving": "is another one at each look",
    "added": "is there where it should not be",
}


def mutants() -> Iterator[Mutant]:
    """
    Everything that can be wrong with a field.
    """
    data = spec.document("mutants.yaml").data
    for place, fields in data["fields"].items():
        for name, kinds in fields.items():
            for kind, rules in kinds.items():
                change = partial(_apply, place, name, kind)
                label = f"{place}/{name}/{kind}" if place != "get" else f"field/{name}/{kind}"
                yield Mutant(label, tuple(rules), f"{name} {MEANS[kind]}", answered(change))


def _apply(  # noqa: PLR0913, PLR0917 - which field, what is wrong with it, and the exchange
    place: str, name: str, kind: str, asked: Asked, said: Said, memory: Memory
) -> Said:
    body = json_of(said)
    if not isinstance(body, dict) or not _meant(place, asked, body):
        return said
    holder = body
    if "." in name:
        holder = body.setdefault(PROPERTIES, {}) if kind == "added" else body.get(PROPERTIES, {})
    KINDS[kind](holder, name, asked, memory)
    return with_json(said, body)


def _meant(place: str, asked: Asked, body: Holder) -> bool:
    failed = "errorCode" in body
    if place == "error":
        return failed and bool(asked.operation)
    return not failed and asked.operation == {"get": GET, "start": START}[place]
