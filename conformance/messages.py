"""
Messages by paths: what stands in a message, put in and read out by the names that spec/grpc.yaml gives.

A path is `field`, `field.inner` or `map[key]`.
Rule 1: pure, and no message has a name here.
Rule 2: bytes that are no message, texts that are no UTF-8 and times that are none are problems, never exceptions.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

if TYPE_CHECKING:
    from google.protobuf.message import Message

MISSING = object()
"""What stands at a path where nothing stands."""

_STEP = re.compile(r"([^.\[\]]+)(?:\[([^\]]+)\])?(?:\.|$)")
TIMESTAMP = "google.protobuf.Timestamp"


def put(message: Message, path: str, value: Any) -> bytes:
    """
    Put a value at a path. A text that is not UTF-8 is stood in for by one of the same length, which is returned: see
    `sealed`.
    """
    *outer, (name, key) = _STEP.findall(path)
    for inner, _ in outer:
        message = getattr(message, inner)
    field = message.DESCRIPTOR.fields_by_name[name]
    if key:
        getattr(message, name)[key] = stamp(value) if isinstance(value, datetime) else value
    elif field.message_type is not None:
        _moment(getattr(message, name), value)
    elif field.type == field.TYPE_BYTES:
        setattr(message, name, value)
    elif isinstance(value, bytes):
        return _text(message, name, value)
    else:
        setattr(message, name, value)
    return b""


def sealed(message: Message, standing_in: bytes, raw: bytes) -> bytes:
    """
    The bytes of a message, with what stands for a text that is no UTF-8 replaced by that text.
    """
    body = message.SerializeToString(deterministic=True)
    return body.replace(standing_in, raw) if standing_in else body


def take(message: Message, path: str) -> Any:
    """
    What stands at a path: a time as RFC 3339, an enumeration by its name, or MISSING.
    """
    *outer, (name, key) = _STEP.findall(path)
    for inner, _ in outer:
        if not message.HasField(inner):
            return MISSING
        message = getattr(message, inner)
    field, value = message.DESCRIPTOR.fields_by_name[name], getattr(message, name)
    if key:
        return value.get(key, MISSING)
    if field.has_presence and not message.HasField(name):
        return MISSING
    if field.message_type is not None and field.message_type.full_name == TIMESTAMP:
        return value.ToJsonString()
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    return value


def read(kind: type[Message], raw: bytes) -> Message | None:
    """
    A message from its bytes, None where they are none, also for a text that is not UTF-8.
    """
    try:
        return kind.FromString(raw)
    except DecodeError:
        return None


def shown(message: Message) -> tuple[str, list[str]]:
    """
    A message as one line of JSON, as protobuf maps it, and in what it is not as it must be: one without fields has
    none, a field has its own type, and times are times.
    """
    name, known = message.DESCRIPTOR.full_name, message.DESCRIPTOR.fields_by_number
    strange = [one.field_number for one in UnknownFieldSet(message) if not known or one.field_number in known]
    found = [f"{name}: field {number} is none of it, or of another type" for number in strange[:3]]
    try:
        text = str(json_format.MessageToJson(message, indent=None, ensure_ascii=False))
    except (json_format.SerializeToJsonError, ValueError, OverflowError) as error:
        return str(message), [*found, f"{name} cannot be read: {error}"]
    return text, found


def _text(message: Message, name: str, raw: bytes) -> bytes:
    try:
        setattr(message, name, raw.decode())
    except UnicodeDecodeError:
        standing_in = b"\x01" * len(raw)
        setattr(message, name, standing_in.decode())
        return standing_in
    return b""


def _moment(message: Any, value: datetime) -> None:
    message.FromDatetime(value.astimezone(UTC))


def stamp(value: datetime) -> str:
    """
    A moment as RFC 3339, for a field that holds it as text.
    """
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
