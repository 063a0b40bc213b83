"""
The checks of a request, compiled from the OpenAPI document.

Rule 1: what is checked, in which order, and which row answers stands in the document: `x-refusals`, `x-max-bytes`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_BYTES = "x-max-bytes"
OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter of an operation: where it stands, and what is wrong with a value under which row.
    """

    name: str
    place: str
    refusals: tuple[tuple[Callable[[str], bool], str], ...]

    def refusal(self, value: str) -> str:
        """
        The row that refuses a value, or the empty string.
        """
        return next((reply for holds, reply in self.refusals if not holds(value)), "")


def resolved(document: Mapping[str, Any], node: Any) -> Any:
    """
    A node of the document, its own `$ref` followed.
    """
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def parameters(document: Mapping[str, Any], operation: Mapping[str, Any], profile: str) -> tuple[Parameter, ...]:
    """
    The parameters of an operation that this profile reads, in the order of the document.
    """
    found = (resolved(document, node) for node in operation.get("parameters", ()))
    read = (node for node in found if profile in node.get("x-profiles", (profile,)))
    return tuple(Parameter(node["name"], node["in"], _refusals(node)) for node in read)


def malformed(body: bytes) -> str:
    """
    Why a body is no JSON object, or the empty string. No body at all is fine.
    """
    if not body:
        return ""
    try:
        value = json.loads(body.decode(), parse_int=str, parse_float=str, parse_constant=_refuse)
    except UnicodeDecodeError:
        return "proto: syntax error (line 1:1): invalid UTF-8 in string"
    except RecursionError:
        return "proto: exceeded max recursion depth"
    except json.JSONDecodeError as error:
        return f"proto: syntax error (line {error.lineno}:{error.colno}): {error.msg}"
    except ValueError as error:
        return f"proto: syntax error (line 1:1): {error}"
    return "" if isinstance(value, dict) else "proto: syntax error (line 1:1): an object is expected"


def _refusals(parameter: Mapping[str, Any]) -> tuple[tuple[Callable[[str], bool], str], ...]:
    return tuple((_check(parameter, item["keyword"]), item["reply"]) for item in parameter.get("x-refusals", ()))


def _check(parameter: Mapping[str, Any], keyword: str) -> Callable[[str], bool]:
    if keyword == MAX_BYTES:
        limit = int(parameter[MAX_BYTES])
        return lambda value: len(value) <= limit and len(value.encode("utf-8", "surrogateescape")) <= limit
    validator = jsonschema_rs.validator_for({"type": "string", keyword: parameter["schema"][keyword]})

    def holds(value: str) -> bool:
        try:
            return validator.is_valid(value)
        except (UnicodeError, ValueError):
            return False

    return holds


def _refuse(text: str) -> None:
    raise ValueError(f"invalid value {text}")
