"""
The HTTP surface: routes, parameters and bodies as the OpenAPI document says.

Rule 1: no operation is named here; the routes are paths x versions of the document, and one endpoint serves them all.
Rule 2: what is no operation of the document is answered by the row `route.unknown`, whatever its method.
Rule 3: an error inside is one line in the log and a valid body, never a traceback.
"""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.routing import Router

from .answers import encoded, response
from .bodies import Gone, TooLarge, linger, present, read
from .checks import OPAQUE, malformed, parameters
from .instance import Call
from .paths import decoded, is_text, queried
from .routes import Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from spec import Spec

    from .answers import Answers, Response
    from .engine import Engine
    from .ports import Clock, Ids
    from .pump import Pump

FIELDS = ("workflowName", "instanceID", "eventName")
"""The parameters of the document that make up a Call; others are at most checked."""

UNKNOWN_ROUTE = "route.unknown"
BROKEN_PATH = "path.malformed"
BROKEN_BODY = "body.malformed"
LARGE_BODY = "body.too_large"
BUG = "internal"
NO_TOKEN = "token.missing"  # noqa: S105 - the name of a row

_log = logging.getLogger("reference_server")
_NOBODY = Call("", "")


@dataclass(frozen=True, slots=True)
class Surface:
    """
    What every endpoint needs.
    """

    engine: Engine
    pump: Pump
    clock: Clock
    ids: Ids
    answers: Answers
    metadata: Callable[[], Mapping[str, Any]]
    token: str = ""
    max_body: int = 4 << 20


def application(surface: Surface, loaded: Spec) -> ASGIApp:
    """
    The ASGI application of the whole surface.
    """
    document = loaded.openapi
    resources: dict[str, dict[str, ASGIApp]] = {}
    header = document["components"]["securitySchemes"]["apiToken"]["name"].encode()
    for path, method, operation in templates(document):
        endpoint = _guarded(_endpoint(surface, loaded, operation), surface, header, operation)
        resources.setdefault(path, {})[method] = endpoint
    unknown = _guarded(_constant(surface.answers.refusal(UNKNOWN_ROUTE, _NOBODY)), surface, header, {})
    return Router([Routes(resources, unknown, partial(_broken, surface.answers))])


def templates(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """
    Each path of the document below each of its prefixes, with a method and its operation.
    """
    for path, item in document["paths"].items():
        for prefix in _prefixes(item.get("servers", document["servers"])):
            for method, operation in item.items():
                if isinstance(operation, dict) and "operationId" in operation:
                    yield prefix + path, method.upper(), operation


def _broken(answers: Answers, escape: str) -> ASGIApp:
    return _constant(answers.refusal(BROKEN_PATH, _NOBODY, f'invalid URL escape "{escape}"'))


def _prefixes(servers: list[Mapping[str, Any]]) -> Iterator[str]:
    for server in servers:
        variables = server.get("variables", {})
        for values in product(*(variable["enum"] for variable in variables.values())):
            path = urlsplit(server["url"]).path
            for name, value in zip(variables, values, strict=True):
                path = path.replace(f"{{{name}}}", value)
            yield path


def _endpoint(surface: Surface, loaded: Spec, operation: Mapping[str, Any]) -> ASGIApp:
    if "x-operation" in operation:
        return _Operation(surface, loaded, operation)
    status, media = next((int(code), answer.get("content")) for code, answer in operation["responses"].items())
    return _Made(lambda: response(status, encoded(surface.metadata()) if media else b""))


def _guarded(app: ASGIApp, surface: Surface, header: bytes, operation: Mapping[str, Any]) -> ASGIApp:
    """
    The application behind the API token, if there is one and the document does not say that this operation is open.
    """
    if not surface.token or operation.get("security") == [{}]:
        return app
    refusal, token = surface.answers.refusal(NO_TOKEN, _NOBODY), surface.token.encode()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        given = next((value for name, value in scope["headers"] if name == header), b"")
        if hmac.compare_digest(given, token):
            await app(scope, receive, send)
        else:
            await refusal.send(send)

    return guarded


class _Made:
    """
    An answer that does not depend on the request.
    """

    def __init__(self, make: Callable[[], Response]) -> None:
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await self._make().send(send)


def _constant(constant: Response) -> _Made:
    return _Made(lambda: constant)


class _Operation:
    """
    One operation of the document.
    """

    def __init__(self, surface: Surface, loaded: Spec, operation: Mapping[str, Any]) -> None:
        self._surface = surface
        self._name: str = operation["x-operation"]
        self._waits = self._name in loaded.profile.features["waits_for_worker"]
        self._opaque = operation["x-body"] == OPAQUE
        self._not_text = f"{self._name}.not_utf8"
        found = parameters(loaded.openapi, operation, loaded.profile.name)
        self._checked = tuple(item for item in found if item.refusals)
        read = {item.name: item.place for item in found if item.refusals or item.name in FIELDS}
        self._path = tuple(name for name, place in read.items() if place == "path")
        self._query = frozenset(name for name, place in read.items() if place == "query")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        surface = self._surface
        try:
            body = await read(receive, surface.max_body)
            if self._waits and not surface.pump.connected:
                await present(receive, surface.pump.staffed())
            answer = self._answer(scope, body)
        except Gone:
            return
        except TooLarge:
            await linger(surface.answers.refusal(LARGE_BODY, _NOBODY), receive, send)
            return
        except Exception as error:  # noqa: BLE001 - the wall: whatever it is, the client gets an answer
            _log.error("%s %s: %s: %s", scope["method"], scope["path"], type(error).__name__, error)
            answer = surface.answers.refusal(BUG, _NOBODY, type(error).__name__)
        await answer.send(send)

    def _answer(self, scope: Scope, body: bytes) -> Response:
        surface = self._surface
        given = self._given(scope)
        workflow, instance, event = [given.get(name, "") for name in FIELDS]
        row, reason, data = self._refused(given), "", None
        if self._opaque:
            data = _text(body) if body else ""
            if not row and (data is None or not (is_text(workflow) and is_text(event))):
                row = self._not_text
        elif body:
            reason = malformed(body)
            row = BROKEN_BODY if reason else row
        if row:
            return surface.answers.refusal(row, Call(self._name, instance, workflow, event), reason)
        call = Call(self._name, instance or surface.ids.new(), workflow, event, data)
        answer = surface.engine.handle(call, surface.clock.now())
        surface.pump.poke()
        return surface.answers.answer(call, answer)

    def _refused(self, given: dict[str, str]) -> str:
        for parameter in self._checked:
            value = given.get(parameter.name)
            row = parameter.refusal(value) if value else ""
            if row:
                return row
        return ""

    def _given(self, scope: Scope) -> dict[str, str]:
        path = scope["path_params"]
        given = {name: decoded(path[name]) for name in self._path}
        if self._query and scope["query_string"]:
            given.update(queried(scope["query_string"], self._query))
        return given


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
