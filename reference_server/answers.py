"""
Rows of replies.yaml as HTTP responses.

Rule 1: status, code and message come from the row; whatever does not change is encoded once.
Rule 2: every body is UTF-8, whatever came in.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, NamedTuple

from . import views
from .instance import Instance
from .wording import FIELD, worded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Send

    from spec import Reply, Spec

    from .instance import Answer, Call

SURFACE = "http"
JSON = "application/json"
TEXT = "text/plain"


class Response(NamedTuple):
    """
    One response, ready to be sent.
    """

    start: dict[str, Any]
    body: dict[str, Any]

    async def send(self, send: Send) -> None:
        """
        Send it.
        """
        await send(self.start)
        await send(self.body)


def encoded(fields: Mapping[str, Any]) -> bytes:
    """
    An object as compact JSON in UTF-8; what is no character becomes U+FFFD.
    """
    text = _object(fields)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def response(status: int, body: bytes, media: str = JSON) -> Response:
    """
    A response with this body; one without says nothing of its length, as 204 must not.
    """
    headers = [(b"content-type", media.encode()), (b"content-length", b"%d" % len(body))] if body else []
    return Response(
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


class Answers:
    """
    The responses of all rows that HTTP has.
    """

    def __init__(self, loaded: Spec) -> None:
        self._words = {name: state.reported.get(SURFACE, name) for name, state in loaded.machine.states.items()}
        self._absent = next(name for name, state in loaded.machine.states.items() if not state.exists)
        self._features = loaded.profile.features
        self._bodies: dict[str, Callable[[Call, Instance | None], Any]] = {
            "StartResponse": lambda call, _: {"instanceID": call.instance},
            "Workflow": self._workflow,
        }
        self._rows = {
            name: self._row(row) for name, row in loaded.replies.items() if "message" in _column(row) or _body(row)
        }

    def answer(self, call: Call, answer: Answer) -> Response:
        """
        The response to a call.
        """
        return self._rows[answer.reply](call, answer.instance, "")

    def refusal(self, row: str, call: Call, reason: str = "") -> Response:
        """
        The response of a row that refuses a call before it reaches the engine.
        """
        return self._rows[row](call, None, reason)

    def _row(self, row: Reply) -> Callable[[Call, Instance | None, str], Response]:
        column = _column(row)
        status = column["status"]
        if "message" in column:
            return self._message(column)
        body = self._bodies.get(column["body"])
        if body is None:
            constant = response(status, b"{}")
            return lambda _call, _instance, _reason: constant
        return lambda call, instance, _reason: response(status, encoded(body(call, instance)))

    def _message(self, column: Mapping[str, Any]) -> Callable[[Call, Instance | None, str], Response]:
        status, template, media = column["status"], column["message"], column.get("media", JSON)

        def wrapped(message: str) -> Response:
            if media != JSON:
                return response(status, f"{message}\n".encode("utf-8", "replace"), media)
            return response(status, encoded({"errorCode": column["errorCode"], "message": message}))

        if FIELD.search(template) is None:
            constant = wrapped(template)
            return lambda _call, _instance, _reason: constant

        def filled(call: Call, _instance: Instance | None, reason: str) -> Response:
            return wrapped(worded(template, call, reason))

        return filled

    def _workflow(self, call: Call, instance: Instance | None) -> Any:
        shown = instance or Instance(call.instance, "", self._absent, 0)
        return views.workflow(shown, self._words[shown.state], self._features)


def _object(fields: Mapping[str, Any]) -> str:
    """
    Nearly every value is a string; this is three times as fast as an encoder for any.
    """
    parts = [f"{encode_basestring(name)}:{_value(value)}" for name, value in fields.items()]
    return "{" + ",".join(parts) + "}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    return _object(value) if isinstance(value, dict) else json.dumps(value)


def _column(row: Reply) -> Mapping[str, Any]:
    return row.surfaces.get(SURFACE, {})


def _body(row: Reply) -> str:
    return str(_column(row).get("body", ""))
