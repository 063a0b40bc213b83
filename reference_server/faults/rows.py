"""
Mutants of the rows of replies.yaml: another status, another code, a body that is none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import spec

from .mutant import Fault, Mutant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spec import Reply, Spec

SURFACE = "http"
OTHER = "ABORTED"
"""A status of gRPC that no row has."""

_REFUSED = (400, 404, 409, 500)
_ACCEPTED = (200, 202)


def mutants(loaded: Spec) -> Iterator[Mutant]:
    """
    Everything that can be wrong with a row that a status names.
    """
    for row in loaded.replies.values():
        column = row.surfaces.get(SURFACE, {})
        if isinstance(column.get("status"), int) and _profile(row):
            yield from _row(row, dict(column))
        for surface in spec.grpc():
            yield from _code(row, surface)


def _code(row: Reply, surface: str) -> Iterator[Mutant]:
    """
    A refusal over gRPC with another status.
    """
    column = row.surfaces.get(surface, {})
    if isinstance(column.get("code"), str) and row.outcome == "refused" and _profile(row):
        code = OTHER if column["code"] != OTHER else "UNKNOWN"
        overlay = _with_row(row.name, {"code": code, "message": column.get("message", "no")}, surface)
        if surface in spec.load().rules[row.rule].surfaces:
            means = f"has the status {code} on {surface}"
            yield Mutant(f"row/{row.name}/code@{surface}", (row.rule,), means, Fault(data=overlay), _profile(row))


def _row(row: Reply, column: dict[str, Any]) -> Iterator[Mutant]:
    def made(kind: str, rules: tuple[str, ...], means: str, **changes: Any) -> Mutant:
        overlay = _with_row(row.name, {**column, **changes})
        return Mutant(f"row/{row.name}/{kind}", rules, means, Fault(data=overlay), _profile(row))

    choice = _ACCEPTED if row.outcome == "accepted" else _REFUSED
    document = spec.carrying("body")
    status = next(one for one in choice if one != column["status"])
    demands = column.get("demands", ("status", "errorCode"))
    yield made("status", (row.rule,), f"has the status {status}", status=status)
    if "message" not in column:
        body = "Empty" if column["body"] != "Empty" else "StartResponse"
        yield made("body", (row.rule, document), f"has the body of {body}", body=body)
        return
    if "errorCode" in column and "errorCode" in demands:
        yield made("code", (row.rule,), "has another error code", errorCode="ERR_OTHER")
    if "errorCode" in column and row.rule in _cellular():
        yield made("no_code", (document,), "has a code that is none", errorCode="other")
        yield made("no_message", (document,), "has an empty message", message="")
        yield made("media", (document,), "comes as plain text", media="text/html")


def _cellular() -> set[str]:
    """
    The rules of rows that a cell of the table answers with: an operation is then known, and what the document says.
    """
    return {
        reply.rule
        for name, reply in spec.load().replies.items()
        if any(cell.acts == name for row in spec.load().machine.table.values() for cell in row.values())
    }


def _profile(row: Reply) -> str:
    """
    The first profile that the rule of a row holds in, empty where nothing can observe it.
    """
    rule = spec.load().rules[row.rule]
    return "" if rule.excluded else next(iter(rule.profiles or spec.profiles()))


def _with_row(name: str, column: dict[str, Any], surface: str = SURFACE) -> Callable[[Spec], Spec]:
    def overlay(loaded: Spec) -> Spec:
        row = loaded.replies[name]
        changed = replace(row, surfaces={**row.surfaces, surface: column})
        return replace(loaded, replies={**loaded.replies, name: changed})

    return overlay
