"""
Reads YAML the strict way and remembers where everything stood.

Rule 1: what looks like text stays text (`0123`, `no`, `12:30`); only JSON's own scalars are anything else.
Rule 2: a key twice, an alias, a tag, a file too deep or too large is refused, with line and column.
Rule 3: nothing here knows what a file means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_BYTES = 1 << 20
"""Largest file that is read, in bytes."""

MAX_DEPTH = 64
"""Deepest nesting that is read."""

_TOO_DEEP = f"nested deeper than {MAX_DEPTH}"

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """
    A place in a file; line and column count from 1.
    """

    line: int
    column: int


class BadFile(Exception):  # noqa: N818 - it names what is wrong, as the messages do
    """
    A file cannot be read; its text is `file:line:column: what is wrong`.
    """

    def __init__(self, name: str, mark: Mark, problem: str) -> None:
        self.name, self.mark, self.problem = name, mark, problem
        super().__init__(f"{name}:{mark.line}:{mark.column}: {problem}")


@dataclass(frozen=True, slots=True)
class Document:
    """
    The data of one file and the mark of each value (and of each key, under the path ending in `key`).
    """

    name: str
    data: Any
    marks: Mapping[Path, Mark]
    keys: Mapping[Path, Mark]

    def mark(self, path: Path) -> Mark:
        """
        The place of a value, or of the nearest one around it.
        """
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, Mark(1, 1))

    def bad(self, path: Path, problem: str, *, key: bool = False) -> BadFile:
        """
        An error about the value (or the key) at this path.
        """
        mark = self.keys.get(path) if key else None
        return BadFile(self.name, mark or self.mark(path), problem)


_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"[.eE]")


def read(text: str | bytes, name: str) -> Document:
    """
    Read one YAML document.

    Raises BadFile for anything but one document of plain mappings, sequences and scalars.
    """
    decoded = _decoded(text if isinstance(text, bytes) else text.encode(), name)
    parser = yaml.CSafeLoader(decoded)
    try:
        return _Reader(name, parser.get_event).document()
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        mark = Mark(where.line + 1, where.column + 1) if where else Mark(1, 1)
        problem = error.problem or error.context or ""
        deep = "nesting depth" in problem  # PyYAML 6.0.4 looks ahead and has a bound of its own, which is wider
        raise BadFile(name, mark, _TOO_DEEP if deep else f"not YAML: {problem}") from None
    except yaml.YAMLError as error:
        raise BadFile(name, Mark(1, 1), f"not YAML: {' '.join(str(error).split())}") from None
    finally:
        parser.dispose()


def _decoded(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise BadFile(name, Mark(1, 1), f"the file has {len(raw)} bytes; at most {MAX_BYTES} are read")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadFile(name, Mark(line, 1), "the file is not UTF-8") from None


class _Reader:
    """
    Builds one document straight from the parser's events: aliases never resolve, depth never runs away.
    """

    def __init__(self, name: str, event: Callable[[], Any]) -> None:
        self.name = name
        self.event = event
        self.marks: dict[Path, Mark] = {}
        self.keys: dict[Path, Mark] = {}

    def document(self) -> Document:
        self.event()  # the start of the stream
        if not isinstance(self.event(), yaml.DocumentStartEvent):
            raise BadFile(self.name, Mark(1, 1), "the file is empty")
        data = self.value(self.event(), ())
        self.event()  # the end of the document
        after = self.event()
        if not isinstance(after, yaml.StreamEndEvent):
            raise BadFile(self.name, _mark(after), "a second document begins; one file holds one")
        return Document(self.name, data, self.marks, self.keys)

    def value(self, event: Any, path: Path) -> Any:
        """
        The value that begins with this event.
        """
        mark = self.marks[path] = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            raise BadFile(self.name, mark, f"aliases are not read (*{event.anchor}); write the value out")
        if event.tag is not None:
            raise BadFile(self.name, mark, f"the tag {event.tag} is not read")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, mark)
        if len(path) >= MAX_DEPTH:
            raise BadFile(self.name, mark, _TOO_DEEP)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path)
        return self.sequence(path)

    def mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := self.event(), yaml.MappingEndEvent):
            mark = _mark(event)
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
                raise BadFile(self.name, mark, "a key must be plain text")
            key = event.value
            if key in mapping:
                raise BadFile(self.name, mark, f"the key {key!r} stands twice")
            inner = (*path, key)
            self.keys[inner] = mark
            mapping[key] = self.value(self.event(), inner)
        return mapping

    def sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self.event(), yaml.SequenceEndEvent):
            items.append(self.value(event, (*path, len(items))))
        return items

    def scalar(self, event: yaml.ScalarEvent, mark: Mark) -> Any:
        text: str = event.value
        if not event.implicit[0]:  # quoted, or a block
            return text
        if text in _WORDS:
            return _WORDS[text]
        if not _NUMBER.fullmatch(text):
            return text
        try:
            number: int | float = float(text) if _FRACTION.search(text) else int(text)
        except ValueError:  # more digits than Python converts
            number = inf
        if number in (inf, -inf):
            raise BadFile(self.name, mark, f"{text[:40]!r} is not a number that is read; quote it")
        return number


def _mark(event: Any) -> Mark:
    start = event.start_mark
    return Mark(start.line + 1, start.column + 1)
