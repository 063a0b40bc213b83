"""
A server that can be watched, and become another one, while it is served.

Rule 1: what is swapped is the whole server behind the sockets; nothing of the old one is left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import spec
from reference_server.assembly import Settings, build
from reference_server.faults.mutant import Fault
from reference_server.ports import WallClock, WoundClock

from .desk import PREFIX, Desk
from .watch import Watch

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

_ROOT, _BELOW = PREFIX.encode(), f"{PREFIX}/".encode()


class Stage:
    """
    An ASGI application, a driver, and who finds the methods of gRPC: one server, watched, with its control.
    """

    def __init__(self, settings: Settings, mutant: str = "") -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self.clock = WoundClock(WallClock())
        self.watch = Watch(self.clock, spec.load(settings.profile).openapi, settings.max_body)
        self._desk = Desk(self)
        self._set(mutant, settings)

    def _set(self, mutant: str, settings: Settings) -> None:
        self.mutant = mutant
        self._server = build(settings, clock=self.clock)
        self._services: Any = None
        self._app = self.watch.http(self._server.app)

    def become(self, mutant: str) -> None:
        """
        Begin anew as a mutant, or as a server without one. Raises SpecError where there is none of this name.
        """
        fault = Fault()
        if mutant:
            from reference_server.faults.catalogue import named  # noqa: PLC0415 - only for those who ask for mutants

            fault = named(mutant).fault
        loop = self._loop
        self.stop()
        self._set(mutant, replace(self._settings, fault=fault))
        if loop is not None:
            self.start(loop)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Drive from now on.
        """
        self._loop = loop
        self._server.pump.start(loop)

    def stop(self) -> None:
        """
        Drive no more.
        """
        self._loop = None
        self._server.pump.stop()

    def poke(self) -> None:
        """
        It may be later than the server thinks.
        """
        pump, loop = self._server.pump, self._loop
        if loop is not None:
            pump.stop()
            pump.start(loop)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Pass a request on, to the control or to the server.
        """
        path = scope["raw_path"]
        app = self._desk if path == _ROOT or path.startswith(_BELOW) else self._app
        await app(scope, receive, send)

    def call(self, details: Any) -> Any:
        """
        The method of a call, watched.
        """
        if self._services is None:
            self._services = self._server.services({})
        return self.watch.call(details, self._services.service(details))
