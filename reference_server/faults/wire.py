"""
Faults between the socket and the application: requests and answers that are not what they were.

Rule 1: an exchange is changed as bytes and JSON; nothing here reaches the engine but by a request.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import spec

from .mutant import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST = 60.0
"""Seconds that an answer waits which comes too late for any deadline."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request, and which operation of the document it is; empty where it is none.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    operation: str = ""
    version: str = ""
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """
    An answer.
    """

    status: int
    body: bytes
    media: str = "application/json"


@dataclass(slots=True)
class Memory:
    """
    What a fault remembers from one exchange to the next.
    """

    counts: Counter[Any] = field(default_factory=Counter)
    values: dict[Any, Any] = field(default_factory=dict)
    busy: Counter[Any] = field(default_factory=Counter)


class Wire:
    """
    An application behind an exchange that is changed.
    """

    def __init__(self, app: ASGIApp, change: Callable[[Asked, Any, Memory], Awaitable[Said]]) -> None:
        self._app, self._change, self._memory = app, change, Memory()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        One exchange.
        """
        body = await _body(receive)
        if body is None:
            return
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        asked = _known(Asked(scope["method"], path, query, tuple(scope["headers"]), body))
        said = await self._change(asked, partial(self._ask, scope), self._memory)
        headers = [(b"content-type", said.media.encode())] if said.media else []
        headers += [(b"content-length", b"%d" % len(said.body))] if said.body else []
        await send({"type": "http.response.start", "status": said.status, "headers": headers})
        await send({"type": "http.response.body", "body": said.body})

    async def _ask(self, scope: Scope, asked: Asked) -> Said:
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": asked.body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        inner = {
            **scope,
            "method": asked.method,
            "raw_path": asked.path.encode("latin-1"),
            "query_string": asked.query.encode("latin-1"),
            "headers": list(asked.headers),
        }
        await self._app(inner, receive, send)
        headers = dict(messages[0]["headers"])
        body = b"".join(one.get("body", b"") for one in messages[1:])
        return Said(messages[0]["status"], body, headers.get(b"content-type", b"").decode())


async def _body(receive: Receive) -> bytes | None:
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        more = bool(message.get("more_body"))
    return b"".join(parts)


@cache
def _templates() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    found = []
    for path, item in spec.openapi()["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "x-operation" in operation:
                pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
                found.append((method.upper(), re.compile(f"/(?P<version>[^/]+){pattern}"), operation["x-operation"]))
    return tuple(found)


def _known(asked: Asked) -> Asked:
    for method, pattern, operation in _templates():
        found = pattern.fullmatch(asked.path)
        if found and method == asked.method:
            named = found.groupdict()
            name = named.get("instanceID") or next(iter(parse_qs(asked.query).get("instanceID", ())), "")
            return replace(asked, operation=operation, version=named["version"], instance=unquote(name))
    return asked


def refusal(status: int = 400) -> Said:
    """
    An answer that refuses as the document allows.
    """
    return Said(status, b'{"errorCode":"ERR_REFUSED","message":"refused"}')


ACCEPTED = Said(202, b"{}")


def answered(change: Callable[[Asked, Said, Memory], Said]) -> Fault:
    """
    The fault of an application whose answers are changed.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        return change(asked, await ask(asked), memory)

    return exchanged(exchange)


def asking(change: Callable[[Asked, Memory], Asked | Said]) -> Fault:
    """
    The fault of an application that hears other requests than are made, or answers at once.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        changed = change(asked, memory)
        if isinstance(changed, Said):
            return changed
        said: Said = await ask(changed)
        return said

    return exchanged(exchange)


def exchanged(exchange: Callable[[Asked, Any, Memory], Awaitable[Said]]) -> Fault:
    """
    The fault of an application whose exchanges are changed as a whole.
    """
    return Fault(wire=partial(Wire, change=exchange))


def refused(when: Callable[[Asked], bool], status: int = 400) -> Fault:
    """
    Some requests are refused before anything looks at them.
    """
    return asking(lambda asked, _: refusal(status) if when(asked) else asked)


def json_of(said: Said) -> Any:
    """
    The body as JSON, None where it is none.
    """
    try:
        return json.loads(said.body)
    except ValueError:
        return None


def with_json(said: Said, value: Any) -> Said:
    """
    The answer with another body.
    """
    return replace(said, body=json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def slow(operation: str, seconds: float) -> Fault:
    """
    The answers to an operation, or to every one, come late.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        del memory
        said: Said = await ask(asked)
        if operation in ("", asked.operation):
            await asyncio.sleep(seconds)
        return said

    return exchanged(exchange)
