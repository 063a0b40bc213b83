"""
Reads YAML the strict way and remembers where everything stood.

Rule 1: what looks like text stays text (`0123`, `no`, `12:30`); only JSON's own scalars are anything else.
Rule 2: a key twice, an alias, a tag or a file too large is refused, with line and column.
Rule 3: nothing here knows what a file means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 1 << 20
"""Largest file that is read, in bytes."""

MAX_DEPTH = 64
"""Deepest nesting that is read."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A place in a file; line and column count from 1.
    """

    line: int
    column: int


class BadFile(Exception):
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


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own name and shape


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("tag:yaml.org,2002:int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("tag:yaml.org,2002:float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", "-0123456789"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))

_SCALARS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "bool", "null", "int", "float"))


def read(text: str | bytes, name: str) -> Document:
    """
    Read one YAML document.

    Raises BadFile for anything but one document of plain mappings, sequences and scalars.
    """
    raw = text if isinstance(text, bytes) else text.encode()
    if len(raw) > MAX_BYTES:
        raise BadFile(name, Mark(1, 1), f"the file has {len(raw)} bytes; at most {MAX_BYTES} are read")
    try:
        decoded = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadFile(name, Mark(line, 1), "the file is not UTF-8") from None
    try:
        loader = _Loader(decoded)
        try:
            _refuse_aliases(decoded, name)
            node = loader.get_single_node()
        finally:
            loader.dispose()  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        mark = Mark(where.line + 1, where.column + 1) if where else Mark(1, 1)
        raise BadFile(name, mark, f"not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise BadFile(name, Mark(1, 1), f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise BadFile(name, Mark(1, 1), f"nested deeper than {MAX_DEPTH}") from None
    marks: dict[Path, Mark] = {}
    keys: dict[Path, Mark] = {}
    if node is None:
        raise BadFile(name, Mark(1, 1), "the file is empty")
    data = _build(node, (), name, marks, keys)
    return Document(name, data, marks, keys)


def _refuse_aliases(text: str, name: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        start = event.start_mark
        mark = Mark(start.line + 1, start.column + 1)
        if isinstance(event, yaml.AliasEvent):
            raise BadFile(name, mark, f"aliases are not read (*{event.anchor}); write the value out")
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                raise BadFile(name, mark, f"nested deeper than {MAX_DEPTH}")
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _build(node: yaml.Node, path: Path, name: str, marks: dict[Path, Mark], keys: dict[Path, Mark]) -> Any:
    marks[path] = _mark(node)
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _SCALARS:
                raise BadFile(name, _mark(key_node), "a key must be plain text")
            key = key_node.value
            if key in mapping:
                raise BadFile(name, _mark(key_node), f"the key {key!r} stands twice")
            keys[(*path, key)] = _mark(key_node)
            mapping[key] = _build(value_node, (*path, key), name, marks, keys)
        return mapping
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_build(child, (*path, index), name, marks, keys) for index, child in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
        return _scalar(node, name)
    raise BadFile(name, _mark(node), f"the tag {node.tag} is not read")


def _scalar(node: yaml.ScalarNode, name: str) -> Any:
    kind, text = node.tag.rpartition(":")[2], node.value
    if kind == "bool":
        return text == "true"
    if kind == "null":
        return None
    if kind == "str":
        return text
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        raise BadFile(name, _mark(node), f"{text[:40]!r} is not a number that is read; quote it") from None
