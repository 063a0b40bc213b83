"""
The API document as one profile has it, in words that any reader of OpenAPI understands.

Rule 1: pure; what is said here in standard keywords follows from the document's own `x-` fields.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import spec

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
STANDARD = {"x-max-bytes": "maxLength"}
"""The standard keyword that stands beside one of our own."""


def document(held: spec.Spec, *, breaking: bool) -> dict[str, Any]:
    """
    The operations of the workflow API with the parameters that this profile reads and what it refuses of them.

    `breaking`: made to be broken. Also what is `x-body: json-object` takes an object then, so that other bodies are
    made, and no query parameter is empty, because an empty one is one that was not given.
    """
    made: dict[str, Any] = copy.deepcopy(dict(held.openapi))
    made["paths"] = {
        path: {key: inner for key, inner in item.items() if key not in METHODS or "x-operation" in inner}
        for path, item in made["paths"].items()
        if any("x-operation" in item.get(method, {}) for method in METHODS)
    }
    for _, _, fields in operations(made):
        parameters = [_resolved(made, one) for one in fields.get("parameters", ())]
        fields["parameters"] = [_spelt(one, held, breaking=breaking) for one in parameters if _read(one, held)]
        if breaking and fields.get("x-body") == "json-object":
            fields["requestBody"] = {"required": False, "content": {"application/json": {"schema": {"type": "object"}}}}
    return made


def operations(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """
    Path, method and fields of every operation.
    """
    for path, item in openapi["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def rejected(held: spec.Spec) -> list[int]:
    """
    The statuses that refuse a request for its form, in this profile.
    """
    rows = [held.replies[rule.reply] for rule in held.rules.values() if rule.reply and holds(rule, held)]
    refusing = [row for row in rows if row.outcome == "refused" and "http" in row.surfaces]
    return sorted({status for row in (*refusing, held.replies["refused.any"]) for status in _statuses(row)})


def holds(rule: spec.Rule, held: spec.Spec) -> bool:
    """
    Whether a rule is one of HTTP in this profile.
    """
    return not rule.excluded and "http" in rule.surfaces and (not rule.profiles or held.profile.name in rule.profiles)


def _statuses(row: spec.Reply) -> list[int]:
    status = row.surfaces["http"]["status"]
    return status if isinstance(status, list) else [status]


def _resolved(openapi: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    found: Any = node
    while "$ref" in found:
        where, found = found["$ref"], openapi
        for part in where.removeprefix("#/").split("/"):
            found = found[part]
    return copy.deepcopy(dict(found))


def _read(parameter: Mapping[str, Any], held: spec.Spec) -> bool:
    return "x-profiles" not in parameter or held.profile.name in parameter["x-profiles"]


def _spelt(parameter: dict[str, Any], held: spec.Spec, *, breaking: bool) -> dict[str, Any]:
    """
    A parameter with what this profile refuses of it, in standard keywords.
    """
    schema = parameter["schema"]
    answered = {rule.reply for rule in held.rules.values() if rule.reply and holds(rule, held)}
    refusals = parameter.get("x-refusals", [])
    for refusal in refusals:
        if refusal["reply"] not in answered:
            parameter.pop(refusal["keyword"], None)
            schema.pop(STANDARD.get(refusal["keyword"], refusal["keyword"]), None)
    if refusals:
        parameter["x-refusals"] = [one for one in refusals if one["reply"] in answered]
    if parameter["in"] == "query" and "pattern" in schema:
        if breaking:
            schema.setdefault("minLength", 1)
        else:
            schema["pattern"] = re.sub(r"\+\$$", "*$", schema["pattern"])
    return parameter
