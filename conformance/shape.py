"""
Files against their JSON Schema, with errors that a person can act on.

    file:line:column: offending text: what was expected; did you mean "purge"?
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs

import spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(dict(spec.schema(name)))


def problem(
    document: spec.Document, path: tuple[str | int, ...], offending: Any, expected: str, *, key: bool = False
) -> str:
    """
    One line about a value (or a key) of a file.
    """
    shown = offending if isinstance(offending, str) else json.dumps(offending, ensure_ascii=False, default=str)
    shown = " ".join(shown.split()) or '""'
    return str(document.bad(path, f"{shown[:120]}: {expected}", key=key))


def meant(word: str, known: Sequence[str]) -> str:
    """
    `; did you mean "x"?` where a known word is near.
    """
    near = spec.nearest(word, list(known))
    return f'; did you mean "{near}"?' if near else ""


def problems(document: spec.Document, data: Any, name: str) -> list[str]:
    """
    Everything in which data from a file is not as the schema of this name says.
    """
    errors = list(_validator(name).iter_errors(data))
    unknown = {tuple(one.instance_path) for one in errors if one.kind.name == "additionalProperties"}
    found: list[str] = []
    for error in errors:
        path = tuple(error.instance_path)
        if error.kind.name == "oneOf" and path in unknown:
            continue  # the misspelt key says it better
        found += _lines(document, error, path, spec.schema(name))
    return found


def _lines(
    document: spec.Document, error: Any, path: tuple[str | int, ...], schema: Mapping[str, Any]
) -> Iterator[str]:
    kind = error.kind
    if kind.name == "additionalProperties":
        known = list(_parent(schema, error.schema_path).get("properties", {}))
        for key in kind.unexpected:
            expected = (
                f"unknown key; known are {', '.join(known)}{meant(key, known)}" if known else "no key is known here"
            )
            yield problem(document, (*path, key), key, expected, key=True)
    elif kind.name == "required":
        yield problem(document, path, kind.property, "this key is missing")
    elif kind.name == "oneOf":
        verbs = [one["required"][0] for one in _parent(schema, error.schema_path)["oneOf"]]
        yield problem(document, path, list(error.instance), f"exactly one verb is expected: {', '.join(verbs)}")
    elif kind.name == "enum":
        options = [str(option) for option in kind.options]
        word = str(error.instance)
        yield problem(document, path, error.instance, f"one of {', '.join(options)} is expected{meant(word, options)}")
    elif kind.name == "type":
        types = kind.types if isinstance(kind.types, list) else [kind.types]
        yield problem(document, path, error.instance, f"{' or '.join(map(str, types))} is expected")
    elif kind.name == "const":
        yield problem(document, path, error.instance, f"{json.dumps(kind.expected_value)} is expected")
    elif kind.name == "falseSchema":
        yield problem(document, path, error.instance, "this key does not belong here; put it one level deeper")
    else:
        reason = error.message.removeprefix(
            json.dumps(error.instance, ensure_ascii=False, separators=(",", ":"))
        ).strip()
        yield problem(document, path, error.instance, reason[:200])


def _parent(schema: Mapping[str, Any], path: Sequence[str | int]) -> Mapping[str, Any]:
    """
    The part of a schema that holds the keyword an error is about.
    """
    node: Any = schema
    for part in path[:-1]:
        node = node[part]
    return dict(node)
