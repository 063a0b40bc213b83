"""
Places of grpc.yaml as functions that read a message, and that write one.

Rule 1: the type comes from the descriptor. A time is read as RFC 3339 text, and written from that or from nanoseconds.
Rule 2: what says nothing is None: a message on the way that is not set, empty text or bytes without presence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    Read = Callable[[Message], Any]
    Write = Callable[[Message, Any], None]

TIMESTAMP = "google.protobuf.Timestamp"
WRAPPERS = frozenset({"google.protobuf.StringValue", "google.protobuf.BytesValue"})
"""Messages that are there to tell empty from absent."""

_SECOND = 1_000_000_000


def reader(descriptor: Any, place: str) -> Read:
    """
    Reads a place of a message.
    """
    names, key, field = _resolved(descriptor, place)
    way, last = names[:-1], names[-1]
    value = _value(field, last, key)

    def read(message: Message) -> Any:
        for name in way:
            if not message.HasField(name):
                return None
            message = getattr(message, name)
        return value(message)

    return read if way else value


def writer(descriptor: Any, place: str) -> Write:
    """
    Writes a place of a message; None leaves it as it is.
    """
    names, key, field = _resolved(descriptor, place)
    way, last = names[:-1], names[-1]
    put = _put(field, last, key)

    def write(message: Message, value: Any) -> None:
        if value is not None:
            for name in way:
                message = getattr(message, name)
            put(message, value)

    return write


def _resolved(descriptor: Any, place: str) -> tuple[list[str], str, FieldDescriptor]:
    path, _, rest = place.partition("[")
    names = path.split(".")
    for name in names[:-1]:
        descriptor = descriptor.fields_by_name[name].message_type
    return names, rest.removesuffix("]"), descriptor.fields_by_name[names[-1]]


def _value(field: FieldDescriptor, name: str, key: str) -> Read:
    if key:
        return lambda message: getattr(message, name).get(key)
    if field.is_repeated:
        return lambda message: list(getattr(message, name))
    if field.enum_type is not None:
        words = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda message: words.get(number := getattr(message, name), str(number))
    if field.has_presence:
        show = _rfc3339 if _is_time(field) else _same
        return lambda message: show(getattr(message, name)) if message.HasField(name) else None
    kept = not isinstance(field.default_value, (str, bytes)) or _wrapped(field)
    return lambda message: value if (value := getattr(message, name)) or kept else None


def _put(field: FieldDescriptor, name: str, key: str) -> Write:
    if key:
        return lambda message, value: getattr(message, name).__setitem__(key, value)
    if field.is_repeated:
        return lambda message, value: getattr(message, name).extend(value)
    if field.enum_type is not None:
        numbers = {word: value.number for word, value in field.enum_type.values_by_name.items()}
        return lambda message, value: setattr(message, name, numbers[value])
    if field.message_type is not None:
        return _timed(name) if _is_time(field) else _copied(name)
    if isinstance(field.default_value, bytes):
        return lambda message, value: setattr(message, name, value.encode() if isinstance(value, str) else value)
    return lambda message, value: setattr(message, name, value)


def _is_time(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == TIMESTAMP


def _wrapped(field: FieldDescriptor) -> bool:
    return field.containing_type is not None and field.containing_type.full_name in WRAPPERS


def _same(value: Any) -> Any:
    return value


def _rfc3339(stamp: Any) -> Any:
    return stamp.ToJsonString()


def _timed(name: str) -> Write:
    def put(message: Message, value: Any) -> None:
        stamp = getattr(message, name)
        if isinstance(value, int):
            stamp.seconds, stamp.nanos = divmod(value, _SECOND)
        else:
            stamp.FromJsonString(value)

    return put


def _copied(name: str) -> Write:
    return lambda message, value: getattr(message, name).CopyFrom(value)
