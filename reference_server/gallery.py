"""
Every mutant in one process, each below its own prefix: `/NAME/HOLD/v1.0/workflows/...`; a call of gRPC has the prefix
in its metadata: `mutant: NAME/HOLD`.

Rule 1: a mutant is built when it is first asked for, and dropped when it is told to be forgotten.
Rule 2: what stands behind the prefix is passed on byte for byte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .answers import response
from .assembly import Settings, build
from .faults.catalogue import catalogue

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

    from .assembly import Server
    from .faults.mutant import Mutant
    from .over_grpc import Services

PLAIN, TOKEN, RIGHT = "plain", "token", "right"
PREFIX = "mutant"
SECRET = "gallery-token"  # noqa: S105 - of servers that last as long as one run
_FOUND, _NOBODY = 204, 404

Key = tuple[str, str]


class Gallery:
    """
    An ASGI application that is all mutants, and the pump of them all.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._servers: dict[Key, Server] = {}
        self._services: dict[Key, Services] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Drive what is built from now on.
        """
        self._loop = loop

    def stop(self) -> None:
        """
        Drive no more.
        """
        for key in list(self._servers):
            self._forget(key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Pass a request on to its mutant; DELETE forgets one, PUT restarts it.
        """
        parts: list[str] = [*scope["raw_path"].decode("latin-1").split("/", 3), "", ""]
        name, hold, rest = parts[1:4]
        key = unquote(name), hold
        mutant = catalogue().get(key[0])
        if mutant is None and key[0] != RIGHT:
            await response(_NOBODY, b"").send(send)
        elif scope["method"] in ("DELETE", "PUT") and not rest:
            if scope["method"] == "DELETE" or (mutant and mutant.fault.forgets):
                self._forget(key)
            await response(_FOUND, b"").send(send)
        else:
            inner = {**scope, "raw_path": b"/" + rest.encode("latin-1"), "path": "/" + unquote(rest)}
            await self._server(key, mutant).app(inner, receive, send)

    def call(self, details: Any) -> Any:
        """
        The method of a call, of the mutant that its metadata names.
        """
        named = next((value for name, value in details.invocation_metadata if name == PREFIX), "")
        name, _, hold = named.rpartition("/")
        key = unquote(name), hold
        mutant = catalogue().get(key[0])
        if mutant is None and key[0] != RIGHT:
            return None
        server = self._server(key, mutant)
        if key not in self._services:
            self._services[key] = server.services({})
        return self._services[key].service(details)

    def _server(self, key: Key, mutant: Mutant | None) -> Server:
        if key not in self._servers:
            changes: dict[str, Any] = {"fault": mutant.fault, "profile": mutant.profile} if mutant else {}
            changes |= {"token": SECRET} if key[1] == TOKEN else {"hold": "" if key[1] == PLAIN else key[1]}
            server = self._servers[key] = build(replace(self._settings, **changes))
            if self._loop is not None:
                server.pump.start(self._loop)
        return self._servers[key]

    def _forget(self, key: Key) -> None:
        self._services.pop(key, None)
        server = self._servers.pop(key, None)
        if server is not None:
            server.pump.stop()
