"""
Steps -> requests. What a scenario says in words of the API becomes what goes over the wire.
"""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from . import names
from .contract import encode
from .exchange import Request
from .scenario import payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .contract import Contract
    from .wants import Planned

JSON = (("Content-Type", "application/json"),)


class Asks(Protocol):
    """
    One surface: how an operation becomes a request, which itself knows how its answer is read.
    """

    url: str
    port: str
    """The kind of port, as people call it."""

    def operation(  # noqa: PLR0913 - the arguments of an operation
        self,
        name: str,
        instance: str | None,
        *,
        workflow: str = "",
        event: str = "",
        body: bytes = b"",
        json: bool = False,
    ) -> Request:
        """
        The request of one operation on an instance; None: without an ID.
        """
        ...

    def step(self, planned: Planned, known: Mapping[str, Any]) -> Request:
        """
        The request of a step, with everything that is known by now put in.
        """
        ...


class Calls:
    """
    Builds the requests of one run on one API version.
    """

    port = "HTTP"

    def __init__(
        self,
        contract: Contract,
        url: str,
        version: str,
        *,
        component: str = "dapr",
        workflows: Mapping[str, str] | None = None,
    ) -> None:
        self._contract, self.url, self._version = contract, url, version
        self._component, self._workflows = component, workflows or {}

    def operation(  # noqa: PLR0913 - the arguments of an operation
        self,
        name: str,
        instance: str | None,
        *,
        workflow: str = "",
        event: str = "",
        body: bytes = b"",
        json: bool = False,
        version: str = "",
        headers: tuple[tuple[str, str | None], ...] = (),
    ) -> Request:
        """
        The request of one operation on an instance; None: without an ID.
        """
        operation = self._contract.operation(name)
        values = {
            "workflowComponent": self._component,
            "workflowName": self._workflows.get(workflow, workflow),
            "eventName": event,
        }
        if instance is not None:
            values["instanceID"] = instance
        target = operation.target(version or self._version, values)
        lines = (*(JSON if json else ()), *headers)
        return Request(operation.method, target.encode(), lines, body, operation.method == "GET")

    def step(self, planned: Planned, known: Mapping[str, Any]) -> Request:
        """
        The request of a step, with everything that is known by now put in.
        """
        step = planned.step
        version = step.on.rpartition("/")[2] or self._version
        if step.verb == "request":
            return self._raw(step.call, known, version)
        call = names.fill(dict(step.call), known)
        key = "input" if step.operation == "start" else "data"
        body, is_json = payload(call, key, dump)
        identity: str | None = None if step.operation == "start" and "id" in call else str(known[step.instance])
        return self.operation(
            step.operation,
            identity,
            workflow=call.get("workflow", ""),
            event=call.get("name", ""),
            body=body,
            json=is_json,
            version=version,
            headers=step.headers,
        )

    def _raw(self, call: Mapping[str, Any], known: Mapping[str, Any], version: str) -> Request:
        path = names.fill(
            call["path"].replace("{version}", version), known, spell=lambda value: encode(names.text(value))
        )
        body = call.get("body", "")
        if "body_base64" in call:
            sent = base64.b64decode(call["body_base64"])
        elif isinstance(body, dict):
            sent = _repeated(body["fill"].encode(), body["bytes"])
        else:
            sent = names.text(names.fill(body, known)).encode()
        headers = names.fill(dict(call.get("headers", {})), known)
        return Request(call["method"], path.encode(), tuple(headers.items()), sent, call["method"] == "GET")


def dump(value: Any) -> bytes:
    """
    Compact JSON, text as it stands.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_number).encode()


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)


def _repeated(unit: bytes, size: int) -> bytes:
    return (unit * (size // len(unit) + 1))[:size]
