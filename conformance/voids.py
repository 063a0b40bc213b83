"""
gRPC servers that do nothing, each in its own way: the twins of those in `nulls`.

Rule 1: they know no method and no message; what they answer is well formed all the same.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY, ECHOES, REPEATS, CLOSES = "empty", "echoes", "repeats", "closes"
CODES = ("NOT_FOUND", "INTERNAL", "UNIMPLEMENTED", "UNKNOWN", "UNAVAILABLE")
"""The statuses that a server of its own gives to every call."""

KINDS = (EMPTY, ECHOES, REPEATS, CLOSES, *CODES)
_THREADS = 8


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._first: bytes | None = None

    def service(self, handler_call_details: Any) -> Any:
        """
        Every method is answered alike.
        """
        del handler_call_details
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, request: bytes, context: Any) -> bytes:
        if self._kind in CODES:
            context.abort(grpc.StatusCode[self._kind], "it failed")
        if self._kind == REPEATS:
            self._first = request if self._first is None else self._first
            return self._first
        return request if self._kind == ECHOES else b""


@contextmanager
def serving(kind: str) -> Iterator[str]:
    """
    A server that does nothing, for as long as the context lasts; its address.
    """
    if kind == CLOSES:
        with _closing() as address:
            yield address
        return
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((_Handler(kind),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@contextmanager
def _closing() -> Iterator[str]:
    """
    A socket that closes every connection.
    """
    listening = socket.create_server(("127.0.0.1", 0))

    def close() -> None:
        with suppress(OSError):
            while True:
                listening.accept()[0].close()

    thread = threading.Thread(target=close, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
