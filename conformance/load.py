"""
Folders of scenario files -> Scenarios.

Rule 1: all problems of all files are told at once; one wrong file hides no other.
Rule 2: a file is wrong or read whole; nothing of it is ever skipped.
"""

from __future__ import annotations

import itertools
from importlib import resources
from typing import TYPE_CHECKING, Any

import spec

from . import lint, names, shape
from .errors import BadFiles, UsageError
from .lint import Vocabulary
from .scenario import Row, Scenario, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path


def scenarios(folder: Path | None = None, *, heads: bool = False) -> tuple[Scenario, ...]:
    """
    The scenarios of a folder, or those that ship with the kit, in the order of their ids.

    `heads`: only what stands before the steps, which is enough for a list and takes half the time.
    Raises BadFiles with every problem of every file.
    """
    root: Traversable = folder if folder is not None else resources.files("scenarios")
    if not root.is_dir():
        raise UsageError(f"{folder}: no such folder of scenarios")
    shown = f"{folder}/" if folder is not None else "scenarios/"
    words = vocabulary()
    found: list[Scenario] = []
    wrong: list[str] = []
    for path, entry in sorted(_files(root, "")):
        try:
            document = spec.read(_bytes(entry), f"{shown}{path}")
            found.append(read(document, path, words, heads=heads))
        except spec.BadFile as error:
            wrong.append(str(error))
        except BadFiles as error:
            wrong += error.problems
        except OSError as error:
            wrong.append(f"{shown}{path}:1:1: the file cannot be read: {error.strerror or error}")
    if wrong:
        raise BadFiles(wrong)
    return tuple(found)


def vocabulary() -> Vocabulary:
    """
    The words that scenarios may use.
    """
    base = spec.load()
    schemas = base.openapi["components"]["schemas"]
    states = [name for name, state in base.machine.states.items() if state.reported]
    return Vocabulary(
        rules=tuple(base.rules),
        refusing=frozenset(name for name, rule in base.rules.items() if rule.reply),
        rows=tuple(base.replies),
        profiles=spec.profiles(),
        surfaces=(*versions(base.openapi), *(name for name, _, _ in surfaces(base.openapi))),
        words=(*states, *schemas["Workflow"]["properties"]["runtimeStatus"]["enum"]),
    )


def versions(openapi: Mapping[str, Any]) -> tuple[str, ...]:
    """
    The API versions of the HTTP surface, in the order of the document.
    """
    return tuple(openapi["servers"][0]["variables"]["version"]["enum"])


def surfaces(openapi: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """
    Every surface there is: its name, its kind and its version.
    """
    found = [(f"http/{version}", "http", version) for version in versions(openapi)]
    for kind, one in spec.grpc().items():
        short = kind.removeprefix("dapr_")
        found += [(f"{short}/{version.lower()}" if version else short, kind, version) for version in one.versions]
    return tuple(found)


def read(document: spec.Document, path: str, words: Vocabulary, *, heads: bool = False) -> Scenario:
    """
    One scenario. Raises BadFiles with everything that is wrong with it.
    """
    data = document.data
    wrong = shape.problems(document, data, "scenario")
    if wrong:
        raise BadFiles(wrong)
    try:
        matrix = [] if heads else _matrix(data.get("matrix", {}))
        rows = [_expanded(data, label, values) for label, values in matrix]
    except _RepeatError as error:
        raise BadFiles([f"{document.name}:1:1: {error}"]) from None
    if "matrix" in data:
        wrong += [one for _, row in rows for one in shape.problems(document, row, "scenario")]
    if not wrong:
        found = [*lint.head(data, words)]
        for _, row in rows:
            found += lint.row(row.get("instances", {}), row["steps"], words)
        wrong += [one.line(document) for one in found]
    if wrong:
        raise BadFiles(wrong)
    lines = {place: mark.line for place, mark in document.marks.items()}
    return Scenario(
        id=path.removesuffix(".yaml"),
        file=path,
        place=document.name,
        title=data["title"],
        rules=tuple(data["rules"]),
        tags=tuple(data.get("tags", ())),
        requires=tuple(data.get("requires", ())),
        surfaces=tuple(data.get("surfaces", ())),
        profiles=tuple(data.get("profiles", ())),
        rows=tuple(_row(label, row, lines) for label, row in rows),
        keep=data.get("keep", ""),
    )


def _row(label: str, data: Mapping[str, Any], lines: Mapping[tuple[str | int, ...], int]) -> Row:
    steps = tuple(step(one, str(index + 1), ("steps", index), lines) for index, one in enumerate(data["steps"]))
    return Row(label, data.get("instances", {}), steps)


def _expanded(data: Mapping[str, Any], label: str, values: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    filled = {key: _repeated(names.fill(data[key], values)) for key in ("instances", "steps") if key in data}
    return label, {**data, **filled}


class _RepeatError(Exception):
    """
    A repetition that nobody wants, or that is not well formed.
    """


def _repeated(value: Any) -> Any:
    """
    A value with each `{$repeat: {text, times}}` written out as text, and each `{$repeat: {items, times}}` as a list.
    """
    if isinstance(value, dict):
        if value.keys() == {"$nest"}:
            return _nested(value["$nest"])
        if value.keys() != {"$repeat"}:
            return {key: _repeated(inner) for key, inner in value.items()}
        match value["$repeat"]:
            case {"text": str(text), "times": int(times), **rest} if not rest and 0 <= len(text) * times <= REPEATED:
                return text * times
            case {"items": list(items), "times": int(times), **rest} if not rest and 0 <= len(items) * times <= LISTED:
                return [_repeated(item) for item in items] * times
        raise _RepeatError(
            f"$repeat: {{text: ..., times: ...}} of at most {REPEATED} characters is expected,"
            f" or {{items: [...], times: ...}} of at most {LISTED}"
        )
    return [_repeated(inner) for inner in value] if isinstance(value, list) else value


def _nested(nest: Any) -> Any:
    """
    A value with another around it, so many times: each `$inner` of the outer stands for what it is put around,
    each `$number` for how deep that is.
    """
    match nest:
        case {"outer": outer, "inner": inner, "times": int(times), **rest} if not rest and 0 <= times <= NESTED:
            for number in range(1, times + 1):
                inner = _put(outer, {"$inner": inner, "$number": number})
            return inner
    raise _RepeatError(f"$nest: {{outer: ..., inner: ..., times: ...}} of at most {NESTED} times is expected")


def _put(outer: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(outer, dict):
        return {key: _put(value, given) for key, value in outer.items()}
    if isinstance(outer, list):
        return [_put(value, given) for value in outer]
    return given.get(outer, outer) if isinstance(outer, str) else outer


def _matrix(matrix: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """
    Each row of the product, with its label.
    """
    columns = [
        [
            (key, names.text(label), value)
            for label, value in (axis.items() if isinstance(axis, dict) else ((v, v) for v in axis))
        ]
        for key, axis in matrix.items()
    ]
    for chosen in itertools.product(*columns):
        yield ",".join(label for _, label, _ in chosen), {key: value for key, _, value in chosen}


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".yaml", ".yml")):
            yield f"{prefix}{entry.name}", entry


def _bytes(entry: Traversable) -> bytes:
    with entry.open("rb") as file:
        return bytes(file.read(MAX_READ))


REPEATED = 16 << 20
"""Characters that a repetition may come to."""

LISTED = 10_000
"""Items that a repetition may come to."""

NESTED = 100
"""How deep a value may be put into itself."""

MAX_READ = (1 << 20) + 1
"""Bytes of a file that are looked at: one more than is allowed."""
