"""
Every single-cell fault behind a socket, each below a prefix: `/NUMBER/v1.0/workflows/...`.

    python benchmarks/served.py     prints its address, and serves until its input ends

Rule 1: a server is built when it is first asked for; DELETE of its prefix drops it.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from faulty import faults, settings

import spec
from reference_server import assembly
from reference_server.answers import response
from reference_server.serving import listen, serve, url

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

GONE = 204


class Row:
    """
    An ASGI application that is all of them, and what drives them.
    """

    def __init__(self) -> None:
        self._held = spec.load()
        self._faults = list(faults(self._held))
        self._servers: dict[int, Any] = {}
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
        for number in list(self._servers):
            self._servers.pop(number).pump.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Pass a request on to the server it is for.
        """
        _, number, rest, *_ = [*scope["raw_path"].decode("latin-1").split("/", 2), ""]
        if scope["method"] == "DELETE" and not rest:
            self._servers.pop(int(number)).pump.stop()
            await response(GONE, b"").send(send)
            return
        inner = {**scope, "raw_path": b"/" + rest.encode("latin-1"), "path": "/" + rest}
        await self._server(int(number)).app(inner, receive, send)

    def _server(self, number: int) -> Any:
        if number not in self._servers:
            fault = self._faults[number]
            settle, hold = settings(self._held, fault)
            built = assembly.build(assembly.Settings(profile=self._held.profile.name, settle=settle, hold=hold))
            built.engine._machine = fault.machine(self._held.machine)  # noqa: SLF001 - the fault goes in
            if self._loop is not None:
                built.pump.start(self._loop)
            self._servers[number] = built
        return self._servers[number]


def main() -> int:
    """
    Serve on a free port.
    """
    row, sockets = Row(), listen(["127.0.0.1"], 0)

    def ready() -> None:
        sys.stdout.write(f"{url(sockets[0])}\n")
        sys.stdout.flush()
        threading.Thread(target=_until_the_end, daemon=True).start()

    serve(row, row, sockets, ready)
    return 0


def _until_the_end() -> None:
    """
    Stop when whoever started this has ended.
    """
    sys.stdin.read()
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
