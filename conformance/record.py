"""
The record of a run: events in, JSON lines out, and back.

Rule 1: an event is on the file before the next one is accepted, so that a killed run leaves what it saw.
Rule 2: no secret reaches the file, in whichever of its usual spellings it comes.
Rule 3: what an event means stands in `spec/schemas/run.json`.
"""

from __future__ import annotations

import base64
import json
import math
import re
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, quote_plus

import jsonschema_rs

import spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

Event = dict[str, Any]

MASK = "***"
"""What stands where a secret was."""

SENSITIVE = ("auth", "token", "key", "secret", "cookie", "password")
LONG_ENOUGH = 8
"""From this length on, the value of a header the user gives is kept out of the record, whatever its name."""

_NESTED = 2
"""So deep in JSON within JSON a secret is found."""


class RecordError(Exception):
    """
    A file is no record of a run; its text is `file:line: what is wrong`.
    """


class Record:
    """
    Writes events to a file, one compact JSON line each, flushed as it happens.

    A context manager: entering creates the folder and empties the file. `write` may be called from any
    thread; after leaving, it does nothing, so that a straggling thread cannot spoil the end of a run.
    """

    def __init__(self, path: Path, secrets: Iterable[str]) -> None:
        self.path = path
        self._redact = Redactor(secrets)
        self._lock = Lock()
        self._file: Any = None

    def __enter__(self) -> Self:
        """
        Open the file.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """
        Close the file, also when the run ends badly.
        """
        with self._lock:
            self._file.close()
            self._file = None

    def write(self, event: Mapping[str, Any]) -> None:
        """
        Write one event, every secret in its strings replaced by `***`.
        """
        line = self._redact.line(event).encode("ascii") + b"\n"
        with self._lock:
            if self._file is not None:
                self._file.write(line)
                self._file.flush()


class Redactor:
    """
    Takes secrets out of values, in plain, percent-encoded, JSON-escaped and base64 form.

    The words of the format itself (`event`, `result`, `pass`, ...) stay, even if a secret is spelt like one.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = dict(form for secret in sorted({*secrets} - {""}, key=len, reverse=True) for form in _forms(secret))
        ordered = sorted(forms, key=len, reverse=True)
        self._hints = tuple(dict.fromkeys(_dumps(form)[1:-1] for form in ordered))
        self._pattern = re.compile("|".join(forms[form] for form in ordered)) if forms else None

    def line(self, event: Mapping[str, Any]) -> str:
        """
        The event as compact ASCII JSON, without secrets.
        """
        text = _dumps(event)
        if any(hint in text for hint in self._hints):
            return _dumps(self.value(event))
        return text

    def text(self, text: str) -> str:
        """
        A text without secrets.
        """
        return self._pattern.sub(MASK, text) if self._pattern else text

    def value(self, value: Any, words: frozenset[str] = frozenset()) -> Any:
        """
        A value without secrets in any string, key or value.
        """
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return value if value in words else self.text(value)
        if isinstance(value, dict):
            keys, enums = _vocabulary()
            return {
                (key if key in keys else self.text(str(key))): self.value(inner, enums.get(key, frozenset()))
                for key, inner in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.value(inner) for inner in value]
        return value


def hidden(headers: Mapping[str, str]) -> list[str]:
    """
    The values of headers that no record may hold.
    """
    return [
        value
        for name, value in headers.items()
        if len(value) >= LONG_ENOUGH or any(word in name.lower() for word in SENSITIVE)
    ]


def read(path: Path) -> list[Event]:
    """
    The events of a file, each as `spec/schemas/run.json` demands, the first one a header.

    A last line that was cut off in the middle (the run was killed) is left out.
    Raises RecordError, with the line, for anything else.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from None
    lines = raw.split(b"\n")
    cut = lines.pop()
    events = [_event(path, number, line) for number, line in enumerate(lines, 1)]
    if cut.strip():
        try:
            events.append(_event(path, len(lines) + 1, cut))
        except RecordError:
            if not events:
                raise
    if not events:
        raise RecordError(f"{path}:1: the file is empty; a record starts with a header line")
    return events


def stream(path: Path) -> Iterator[Event]:
    """
    The events of a record that this process has just written, one at a time and taken as they are.
    """
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def complete(events: Sequence[Mapping[str, Any]]) -> bool:
    """
    Whether the run went to its end: the last event is a footer that says so.
    """
    return bool(events) and events[-1].get("event") == "footer" and events[-1].get("complete") is True


def _event(path: Path, number: int, line: bytes) -> Event:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}:{number}: not JSON: {error}") from None
    name = str(event.get("event")) if isinstance(event, dict) else ""
    if number == 1 and name != "header":
        raise RecordError(f"{path}:1: not the record of a run: the first line is no header")
    validators = _validators()
    if name not in validators:
        raise RecordError(f"{path}:{number}: no event; 'event' is one of {', '.join(validators)}")
    for problem in validators[name].iter_errors(event):
        where = ".".join(str(part) for part in problem.instance_path) or name
        raise RecordError(f"{path}:{number}: {where}: {problem.message[:300]}")
    return dict(event)


_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _dumps(value: Any) -> str:
    try:
        return _encoder.encode(value)
    except ValueError:
        return _encoder.encode(_finite(value))


def _finite(value: Any) -> Any:
    """
    The value with text in place of the numbers that JSON cannot write.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value


def _forms(secret: str) -> Iterator[tuple[str, str]]:
    """
    Each spelling of a secret, with the pattern that takes it out.
    """
    spelt = (secret, quote(secret, safe=""), quote(secret), quote_plus(secret))
    for text in dict.fromkeys((*spelt, *(_lower_hex(text) for text in spelt))):
        yield text, re.escape(text)
    texts = [secret]
    for _ in range(_NESTED):
        texts = [json.dumps(text, ensure_ascii=plain)[1:-1] for text in texts for plain in (True, False)]
        for escaped in dict.fromkeys(texts):
            yield escaped, re.escape(escaped)
    yield from _base64_forms(secret.encode("utf-8", "surrogatepass"))


def _lower_hex(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def _base64_forms(secret: bytes) -> Iterator[tuple[str, str]]:
    """
    The secret as it looks inside base64, at each of the three places where a group may begin.

    The characters at its edges, which it shares with its neighbours, go too.
    """
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + secret)
        core = whole[(0, 2, 3)[offset] : (offset + len(secret)) * 8 // 6].decode()
        if len(core) < (6 if offset else 2):
            continue  # so short that it stands in any text
        before = "[A-Za-z0-9+/_-]?" if offset else ""
        after = "[A-Za-z0-9+/_-]?=*" if (offset + len(secret)) % 3 else ""
        for text in dict.fromkeys((core, core.replace("+", "-").replace("/", "_"))):
            yield text, before + re.escape(text) + after


@cache
def _validators() -> Mapping[str, jsonschema_rs.Draft202012Validator]:
    schema = spec.schema("run")
    names = [one["$ref"].rpartition("/")[2] for one in schema["oneOf"]]
    return {
        name: jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})
        for name in names
    }


@cache
def _vocabulary() -> tuple[frozenset[str], Mapping[str, frozenset[str]]]:
    """
    The keys of the format, and for each key with fixed values those values.
    """
    keys: set[str] = set()
    enums: dict[str, frozenset[str]] = {}
    nodes: list[Any] = [spec.schema("run")]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            nodes += node
        elif isinstance(node, dict):
            nodes += node.values()
            properties = node.get("properties", {})
            keys |= properties.keys() | set(node.get("propertyNames", {}).get("enum", ()))
            for key, value in properties.items():
                fixed = _fixed(value)
                if fixed:
                    enums[key] = enums.get(key, frozenset()) | fixed
    return frozenset(keys), enums


def _fixed(schema: Any) -> frozenset[str]:
    """
    The texts that a schema allows, if it names them.
    """
    if not isinstance(schema, dict):
        return frozenset()
    words = [schema.get("const"), *schema.get("enum", ())]
    return frozenset(word for word in words if isinstance(word, str))
