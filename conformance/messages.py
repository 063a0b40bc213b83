"""
Messages as bytes and as text for people.

Rule 1: pure, and no message has a name here.
Rule 2: bytes that are no message, texts that are no UTF-8 and times that are none are problems, never exceptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_STANDS_IN = b"\x01"


def sealed(message: Message, parts: Iterable[tuple[Callable[[Message, Any], None], Any]]) -> bytes:
    """
    A message with values written to their places, as bytes; a text that is not UTF-8 goes out as it is all the same.
    """
    standing, odd = b"", b""
    for write, value in parts:
        try:
            write(message, value)
        except UnicodeDecodeError:
            standing, odd = _STANDS_IN * len(value), value
            write(message, standing)
    body = message.SerializeToString(deterministic=True)
    return body.replace(standing, odd) if standing else body


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
    unknown: Any = UnknownFieldSet(message)
    strange = [one.field_number for one in unknown if not known or one.field_number in known]
    found = [f"{name}: field {number} is none of it, or of another type" for number in strange[:3]]
    try:
        text = str(json_format.MessageToJson(message, indent=None, ensure_ascii=False))
    except (json_format.SerializeToJsonError, ValueError, OverflowError) as error:
        return str(message), [*found, f"{name} cannot be read: {error}"]
    return text, found


def _whole(message: Message) -> Any:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def plain(value: Any) -> Any:
    """
    What stands at a place, as JSON has it.
    """
    if isinstance(value, list):
        return [_whole(one) if isinstance(one, Message) else one for one in value]
    return value
