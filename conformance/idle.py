"""
Drivers that do nothing, each in its own way: none may pass a single case.

Rule 1: each says a good hello, so that everything is planned; what it answers then is well formed, or nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import spec

from .client import anyone
from .clients import Drives, Spoken
from .nulls import none_of
from .plan import Surface
from .process import Answer, BrokenError, checked
from .target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .plan import Case

KINDS = ("unsupported", "empty", "nothing", "missing", "failing", "gone")
"""Answers: that it knows no op; an empty object; what is least; that nothing is there; an error; nobody is left."""


def surfaces() -> tuple[Surface, ...]:
    """
    A client of each kind that claims everything.
    """
    return tuple(Surface(one.name, kind, "", one) for kind in spec.SURFACES for one in [anyone(f"idle-{kind}", kind)])


def passed(kind: str, cases: Sequence[Case], jobs: int = 8) -> list[str]:
    """
    The cases that an idle driver passes.
    """
    clients = {one.surface.name: one.surface.client for one in cases}
    makers = {name: Drives(one, {}) for name, one in clients.items() if one}
    spoken = {name: Spoken(_Idle(kind)) for name in clients}
    return none_of(Target("idle", server="http://127.0.0.1:9"), cases, jobs, clients=spoken, makers=makers)


class _Idle:
    name = "idle"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def ask(self, op: str, words: Mapping[str, Any], seconds: float) -> Answer:
        """
        The same to everything. Raises BrokenError or WrongError.
        """
        del seconds
        if self._kind == "gone":
            raise BrokenError("it ended with exit code 0")
        classes = {"unsupported": "unsupported", "missing": "not_found", "failing": "other"}
        if self._kind in classes:
            return Answer(None, {"class": classes[self._kind], "type": "", "message": ""})
        least: dict[str, Any] = {}
        if self._kind == "nothing" and op == "start":
            least["instance"] = words.get("instance", "made-up")
        if self._kind == "nothing" and op in ("get", "wait_start", "wait_completion"):
            least["state"] = None
        return checked(Answer(least, None, json.dumps({"id": 1, "ok": least})), op)
