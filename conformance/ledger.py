"""
Writes an expected-failures file anew and leaves alone what stays.

Rule 1: an entry that stays keeps its own text, comments included.
Rule 2: nothing here decides which entries stay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spec import Document

Line = int | dict[str, Any]
"""An entry that stays, by its place in the file, or the fields of a new one."""

FRESH = """\
# What is known to fail, and why. An entry that is no longer needed fails the run.
version: 1
"""


def rewrite(text: str, document: Document | None, wanted: Sequence[Line]) -> str:
    """
    The text of the file with exactly these entries.
    """
    if document is None:
        return _joined(FRESH, [_entry(line, "  ") for line in wanted if isinstance(line, dict)])
    blocks = _blocks(text, document)
    if blocks is None:
        entries = document.data["failures"]
        fields = [entries[line] if isinstance(line, int) else line for line in wanted]
        return _joined(FRESH, [_entry(one, "  ") for one in fields])
    head, own, indent = blocks
    return _joined(head, [own[line] if isinstance(line, int) else _entry(line, indent) for line in wanted])


def _joined(head: str, blocks: Sequence[str]) -> str:
    if not blocks:
        return f"{head}failures: []\n"
    return f"{head}failures:\n{''.join(blocks)}"


def _entry(fields: Mapping[str, Any], indent: str) -> str:
    lines = [f"{key}: {_scalar(value)}\n" for key, value in fields.items()]
    return "".join(f"{indent}{'  ' if number else '- '}{line}" for number, line in enumerate(lines))


def _scalar(value: str) -> str:
    if re.fullmatch(r"[A-Z]+(-[A-Z0-9]+)+", value):
        return value
    return yaml.dump(value, default_style='"', allow_unicode=True, width=10**6, Dumper=yaml.SafeDumper).strip()


def _blocks(text: str, document: Document) -> tuple[str, list[str], str] | None:
    """
    The text before `failures:`, the text of each entry, and how deep they stand.

    None if the file is written in another way than one entry below the other, at its end.
    """
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    key = document.keys[("failures",)]
    marks = [document.marks[("failures", index)] for index in range(len(document.data["failures"]))]
    last = max(document.keys[(name,)].line for name in document.data)
    opening = "".join(lines[key.line - 1].split("#")[0].split())
    if opening != ("failures:" if marks else "failures:[]") or last != key.line or key.column != 1:
        return None
    if not marks:
        return "".join(lines[: key.line - 1]), [], "  "
    opened = [lines[mark.line - 1][: mark.column - 1] for mark in marks]
    if any(not re.fullmatch(r" *-[ ]+", before) for before in opened):
        return None
    starts = [_with_comments(lines, mark.line - 1, key.line) for mark in marks]
    ends = [*starts[1:], len(lines)]
    own = ["".join(lines[start:end]) for start, end in zip(starts, ends, strict=True)]
    return "".join(lines[: key.line - 1]), own, opened[0].split("-")[0]


def _with_comments(lines: Sequence[str], start: int, floor: int) -> int:
    """
    Where an entry starts, the comments and empty lines above it included.
    """
    while start > floor and re.match(r"\s*(#|$)", lines[start - 1]):
        start -= 1
    return start
