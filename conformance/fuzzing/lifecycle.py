"""
The state table as a check of Schemathesis. Schemathesis loads this file as its hooks; nothing else imports it.

Rule 1: an instance is in one of a set of states; an answer that the table gives in none of them is a failure.
Rule 2: effects come late. What an accepted call leads to must show within a time; only then is the set narrowed.
Rule 3: an ID that this run has not started may be in any state.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import schemathesis

import spec
from conformance.calls import Calls
from conformance.connection import Http
from conformance.contract import Contract
from conformance.judge import accepts
from conformance.match import parse

from .document import operations
from .model import Model
from .negatives import refusal

WITHIN = 5.0
"""Seconds until an effect must show."""

WAITS = {"do": [{"wait_event": "go"}]}
"""The script of the instances that the stateful phase plays with: they wait, and nothing else moves them."""

_HELD = spec.load(os.environ.get("WORKFLOW_CONFORMANCE_PROFILE", spec.DEFAULT_PROFILE))
_CONTRACT = Contract(_HELD.openapi)
_NAMES = {one.id: one.operation for one in _CONTRACT.operations if one.operation}
_FORMS = {
    fields["x-operation"]: [
        one for one in fields.get("parameters", ()) if one.get("name") == "instanceID" and "x-refusals" in one
    ]
    for _, _, fields in operations(_HELD.openapi)
    if "x-operation" in fields
}
_ELSEWHERE = {one["name"] for one in _HELD.openapi["components"]["parameters"].values() if "x-profiles" in one}
"""Parameters by which another application is asked, which has instances of its own."""

_HEADERS = json.loads(os.environ.get("WORKFLOW_CONFORMANCE_HEADERS", "{}"))
_TOKEN = os.environ.get("WORKFLOW_CONFORMANCE_TOKEN", "fuzz")
_SHORTEST = len(_TOKEN) + 6
_REUSED = 4
"""Every so many starts of the stateful phase take an ID that is there already."""


class _Wall:
    """
    The way to the server for the looks of the model, and the IDs of this process.
    """

    def __init__(self) -> None:
        self.model = Model(_HELD.machine, _HELD.replies)
        self.number = 0
        self._calls: Calls | None = None
        self._http: Http | None = None

    def look(self, instance: str) -> Any:
        if self._calls is None or self._http is None:
            self._http = Http(os.environ["WORKFLOW_CONFORMANCE_SERVER"], headers=_HEADERS)
            self._calls = Calls(_CONTRACT, self._http.url, _CONTRACT.versions[0])
        return self._http.ask(self._calls.operation("get", instance), WITHIN)

    def settle(self, instance: str) -> None:
        """
        Look until one of the states shows that the last call may have led to.
        """
        until, pause = time.monotonic() + WITHIN, 0.002
        while not self.model.shows(instance, _word(self.look(instance))):
            if time.monotonic() > until:
                raise AssertionError(self.model.unsettled(instance))
            time.sleep(pause)
            pause = min(pause * 2, 0.1)


_WALL = _Wall()


class Lifecycle:
    """
    Every answer is one that the state table gives in a state the instance may be in.
    """

    def after_response(self, ctx: Any, response: Any, case: Any) -> None:
        """
        Judge one answer; raises AssertionError.
        """
        del ctx
        operation = _NAMES.get(case.operation.definition.raw.get("operationId", ""), "")
        if not operation or case.method.upper() != case.operation.method.upper():
            return
        body = _object(response.content)
        instance = _instance(case, body, operation)
        if not isinstance(instance, str) or not instance or _malformed(operation, instance):
            return
        if _negative(case) or any((case.query or {}).get(name) for name in _ELSEWHERE):
            if response.status_code < 300:  # noqa: PLR2004
                _WALL.model.forget(instance)
            return
        code = str(body.get("errorCode", ""))
        wrong = _WALL.model.answered(
            instance, operation, response.status_code, code, str(body.get("runtimeStatus", ""))
        )
        if wrong:
            raise AssertionError(wrong)
        if response.status_code < 300 and operation != "get" and _WALL.model.knows(instance):  # noqa: PLR2004
            _WALL.settle(instance)


def before_call(ctx: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """
    Send the headers of the user, and start under IDs that no other run has had.
    """
    del ctx, kwargs
    for name, value in _HEADERS.items():
        case.headers[name] = value
    if _negative(case):
        return
    stateful = "stateful" in str(getattr(getattr(case.meta, "phase", None), "name", "")).lower()
    if stateful:
        case.query = {name: value for name, value in (case.query or {}).items() if name not in _ELSEWHERE}
    if _NAMES.get(case.operation.definition.raw.get("operationId", "")) == "start":
        _start(case, stateful=stateful)


def _start(case: Any, *, stateful: bool) -> None:
    """
    Put an ID into a start that no other run has had, and in the stateful phase a workflow that waits.
    """
    query = dict(case.query or {})
    _WALL.number += 1
    if stateful:
        case.path_parameters["workflowName"] = "ConformanceScript"
        case.body, case.media_type = WAITS, "application/json"
        reused = _WALL.number % _REUSED == 0 and _WALL.model.latest
        query["instanceID"] = reused or f"{_TOKEN}-{_WALL.number:05d}"
    elif len(str(query.get("instanceID", ""))) >= _SHORTEST:
        query["instanceID"] = str(query["instanceID"])[_SHORTEST:] + f"{_TOKEN}-{_WALL.number:05d}"
    case.query = query
    if str(query.get("instanceID", "")).endswith(f"{_TOKEN}-{_WALL.number:05d}"):
        _WALL.model.fresh(query["instanceID"], quiet=stateful)


def _negative(case: Any) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_negative


def _instance(case: Any, body: dict[str, Any], operation: str) -> Any:
    if operation == "start":
        return (case.query or {}).get("instanceID") or body.get("instanceID", "")
    return (case.path_parameters or {}).get("instanceID", "")


def _malformed(operation: str, instance: str) -> bool:
    """
    Whether an ID is refused for its form; that is no matter of states.
    """
    return any(refusal(one, instance) is not None for one in _FORMS.get(operation, ()))


def _word(saw: Any) -> str | None:
    """
    The status that a look shows, empty where there is no such instance; nothing where there was no answer.
    """
    if saw.status is None:
        return None
    return str(_object(saw.body).get("runtimeStatus", "")) if accepts(saw) else ""


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = parse(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


schemathesis.check(Lifecycle)
schemathesis.hook(before_call)
