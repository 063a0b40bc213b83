"""
`${name}` in the strings of a scenario.

Rule 1: a string that is nothing but `${name}` becomes the value, with its type; inside a longer string it becomes text.
Rule 2: `${name.key}` is a field of a value that is a mapping.
Rule 3: what a name stands for is decided by the caller: matrix values while a file is read, IDs and bound values later.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

UNKNOWN = object()
"""What a name stands for that nobody knows."""

TEMPLATE = re.compile(r"\$\{([^{}]*)\}")


def used(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """
    Each `${name}` below a value: where it stands and the name.
    """
    if isinstance(value, str):
        if "${" in value:
            for found in TEMPLATE.finditer(value):
                yield path, found[1]
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from used(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from used(inner, (*path, index))


def dynamic(value: Any) -> bool:
    """
    Whether any `${name}` stands below a value.
    """
    return next(used(value), None) is not None


def text(value: Any) -> str:
    """
    A value inside a longer string, or as a label.
    """
    return (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    )


def fill(value: Any, names: Mapping[str, Any], spell: Callable[[Any], str] = text) -> Any:
    """
    The value with every known name put in; unknown ones stay as they stand. `spell` writes a value inside a string.
    """
    if isinstance(value, str):
        if "${" not in value:
            return value
        whole = TEMPLATE.fullmatch(value)
        if whole and spell is text:
            found = look(whole[1], names)
            return value if found is UNKNOWN else found
        return TEMPLATE.sub(lambda one: _spelt(one, names, spell), value)
    if isinstance(value, dict):
        return {key: fill(inner, names, spell) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, names, spell) for inner in value]
    return value


def look(name: str, names: Mapping[str, Any]) -> Any:
    """
    What a name stands for, or UNKNOWN.
    """
    if name in names:
        return names[name]
    first, *fields = name.split(".")
    found = names.get(first, UNKNOWN) if fields else UNKNOWN
    for field in fields:
        found = found.get(field, UNKNOWN) if isinstance(found, dict) else UNKNOWN
    return found


def _spelt(found: re.Match[str], names: Mapping[str, Any], spell: Callable[[Any], str]) -> str:
    value = look(found[1], names)
    return found[0] if value is UNKNOWN else spell(value)
