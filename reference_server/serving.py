"""
A built server on its sockets, until it is told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import ASGIApp

_KEEP_ALIVE_SECONDS = 600
_BACKLOG = 2048
_COLLECT_AFTER = 50_000
"""Instances are plain values that make no cycles; looking through them more often finds nothing."""


class Driver(Protocol):
    """
    What drives a server on a loop.
    """

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Drive from now on.
        """

    def stop(self) -> None:
        """
        Drive no more.
        """


class Port(Protocol):
    """
    What listens besides HTTP.
    """

    async def open(self) -> None:
        """
        Answer from now on. Raises CannotListen.
        """

    async def close(self) -> None:
        """
        Answer no more.
        """


class CannotListen(Exception):  # noqa: N818 - says what is the matter
    """
    An address cannot be listened on; the text says why, and what to do.
    """


def listen(addresses: Sequence[str], port: int, flag: str = "--dapr-http-port") -> list[socket.socket]:
    """
    A socket for each address; port 0 picks a free port, the same for all of them. `flag` chooses another port.

    Raises CannotListen.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets.append(_bound(address, port, flag))
            port = sockets[0].getsockname()[1]
    except CannotListen:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def url(bound: socket.socket) -> str:
    """
    Where a socket is reached.
    """
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    app: ASGIApp,
    driver: Driver,
    sockets: list[socket.socket],
    ready: Callable[[], None],
    port: Port | None = None,
) -> None:
    """
    Serve until SIGTERM or SIGINT; `ready` is called once requests are answered.

    Raises CannotListen for a port that cannot be opened.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(app, driver, sockets, ready, port))


async def _serve(
    app: ASGIApp,
    driver: Driver,
    sockets: list[socket.socket],
    ready: Callable[[], None],
    port: Port | None,
) -> None:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    if port is not None:
        await port.open()
    driver.start(asyncio.get_running_loop())
    try:
        await _Uvicorn(config, ready).serve(sockets)
    finally:
        driver.stop()
        if port is not None:
            await port.close()


class _Uvicorn(uvicorn.Server):
    """
    uvicorn that tells when it is ready, and for which a signal is a clean end.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {name: signal.signal(name, self._stop) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def _stop(self, number: int, frame: Any) -> None:  # noqa: ARG002 - a signal handler
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # requests cut short are no news any more
        self.force_exit = self.should_exit
        self.should_exit = True


def _bound(address: str, port: int, flag: str) -> socket.socket:
    host = address.strip().removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        bound.close()
        raise CannotListen(f"cannot listen on {address}:{port}: {_reason(error, flag)}") from None
    bound.setblocking(False)  # noqa: FBT003 - its only argument
    return bound


def _reason(error: Exception, flag: str) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"the port is in use; choose another with {flag} (0 picks a free one)"
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - optional: there is no wheel for some platforms
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
