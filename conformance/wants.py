"""
What a check wants, as frozen values: everything that can be decided before the first request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spec import Reply

    from .scenario import Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    The operation is accepted, or refused, at all. `error`: that there is no instance does not do for a refusal.
    """

    accepted: bool
    error: bool = False


@dataclass(frozen=True, slots=True)
class RowOf:
    """
    The answer is this row of replies.yaml; `code` and `body` are empty where the row demands none. `empty`: an
    answer that went well shows no instance.
    """

    name: str
    status: tuple[int | str, ...]
    code: str
    body: str
    empty: bool = False


def row_of(reply: Reply, surface: str) -> RowOf | None:
    """
    What a row demands on a kind of surface; nothing where it has no column for it.
    """
    column = reply.surfaces.get(surface)
    if column is None:
        return None
    named = column.get("status", column.get("code"))
    status = named if isinstance(named, list) else [named]
    demands = column.get("demands", ("status", "errorCode"))
    code = column.get("errorCode", "") if "errorCode" in demands else ""
    return RowOf(reply.name, tuple(status), code, column.get("body", ""), column.get("empty", False))


@dataclass(frozen=True, slots=True)
class Document:
    """
    The answer is one that the OpenAPI document lists for this operation, or the message of its method.
    """

    operation: str


@dataclass(frozen=True, slots=True)
class Fields:
    """
    Fields of the answer, each by its matcher. `late`: names are put in while the case runs.
    """

    operation: str
    fields: Mapping[str, Any]
    late: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """
    The answer says that there is no such instance; without a row, any refusal says so.
    """

    row: RowOf | None


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Status, body and headers of a raw request, each by its matcher.
    """

    expect: Mapping[str, Any]
    late: bool


@dataclass(frozen=True, slots=True)
class Count:
    """
    So many of the branches are accepted (a number or a matcher), all others refused; each as its row says, where
    there is one.
    """

    accepted: Any
    rows: tuple[tuple[RowOf | None, RowOf | None], ...]


@dataclass(frozen=True, slots=True)
class Wire:
    """
    What a client sends in one step, each part by its matcher; `endpoints` are those that are documented for the
    operation, as people read them; `statuses` the client's own names of statuses, where it has some.
    """

    operation: str
    endpoints: tuple[str, ...]
    expect: Mapping[str, Any]
    statuses: Mapping[str, str] = field(default_factory=dict)


Wants = Outcome | RowOf | Document | Fields | Gone | Answer | Count | Wire


@dataclass(frozen=True, slots=True)
class Check:
    """
    One planned check. `ends`: when it does not pass, the rest of its case has nothing to stand on.
    """

    id: str
    step: int
    line: int
    kind: str
    rule: str
    wants: Wants
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """
    A step with its checks; a parallel step's branches have theirs.

    `awaits` is what a look waits for, also where no check of it is planned.
    """

    step: Step
    checks: tuple[Check, ...]
    branches: tuple[Planned, ...] = ()
    awaits: Wants | None = None

    def every(self) -> tuple[Check, ...]:
        """
        Its checks and those of its branches, in the order they are judged.
        """
        return (*(one for branch in self.branches for one in branch.every()), *self.checks)
