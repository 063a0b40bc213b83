"""
The gRPC surfaces on one port: services, health and reflection.

Rule 1: messages are bytes here; a method is a function of them. Nothing of ours is in protobuf's default pool.
Rule 2: a refused call ends with the status of its row; an error inside is one line in the log and a status.
Rule 3: calls are tasks of the loop that HTTP and the engine run on; one that waits costs no thread, and ends with its
client: by its deadline, or by going away.
"""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from spec import wire

from .probes import Probes
from .serving import CannotListen, listen
from .statuses import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from .statuses import Status, Statuses

    Unary = Callable[[bytes], Awaitable[bytes]]
    Stream = Callable[[bytes], AsyncIterator[bytes]]
    Handler = Unary | Stream

TOKEN = "dapr-api-token"  # noqa: S105 - the name of a field of the metadata
BUG = "internal"
NO_TOKEN = "token.missing"  # noqa: S105 - the name of a row
FLAG = "--dapr-grpc-port"
_GRACE_SECONDS = 1.0
_MOST = 1 << 20

_log = logging.getLogger("reference_server")


class Services(grpc.GenericRpcHandler):
    """
    Methods by their paths, behind the API token if there is one.

    A method is a function of the bytes of its request: it returns those of the response or, where the method streams,
    is an iterator of them. It raises Refused to end with another status. A client that goes away cancels it.
    """

    def __init__(self, handlers: Mapping[str, Handler], statuses: Statuses, token: str = "") -> None:
        self._token = token.encode()
        streams = {one.path for methods in wire.services().values() for one in methods.values() if one.streams}
        self._methods = {
            path: _stream(path, handler, statuses) if path in streams else _unary(path, handler, statuses)  # type: ignore[arg-type]
            for path, handler in handlers.items()
        }
        self._refusal = _unary("", _refusing(statuses.status(NO_TOKEN)), statuses)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """
        The method of a call, or None for one that is not there.
        """
        found = self._methods.get(handler_call_details.method)
        if found is None or not self._token or self._allowed(handler_call_details.invocation_metadata):
            return found
        return self._refusal

    def _allowed(self, metadata: Any) -> bool:
        given = next((value for name, value in metadata if name == TOKEN), "")
        return hmac.compare_digest(given.encode() if isinstance(given, str) else given, self._token)


class Calls(grpc.GenericRpcHandler):
    """
    Methods that somebody finds for each call, or None.
    """

    def __init__(self, find: Callable[[Any], grpc.RpcMethodHandler[Any, Any] | None]) -> None:
        self._find = find

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """
        The method of a call, or None for one that is not there.
        """
        return self._find(handler_call_details)


class Port:
    """
    One gRPC server: closed, until it is opened on a running loop.
    """

    def __init__(self, services: grpc.GenericRpcHandler, addresses: Sequence[str], port: int, largest: int) -> None:
        self._services, self._addresses, self._port, self._largest = services, addresses, port, largest
        self._server: grpc.aio.Server | None = None

    @property
    def places(self) -> list[str]:
        """
        Where it is reached, once it is open.
        """
        return [f"{_host(address)}:{self._port}" for address in self._addresses]

    async def open(self) -> None:
        """
        Answer from now on.

        Raises CannotListen.
        """
        for probe in listen(self._addresses, self._port, FLAG):  # the library's own refusal does not say why
            probe.close()
        server = grpc.aio.server(options=_options(self._largest))
        server.add_generic_rpc_handlers((self._services, Probes(tuple(wire.services()))))
        for address in self._addresses:
            place = f"{_host(address)}:{self._port}"
            try:
                self._port = server.add_insecure_port(place)
            except RuntimeError:
                raise CannotListen(f"cannot listen on {place} for gRPC; choose another port with {FLAG}") from None
        await server.start()
        self._server = server

    async def close(self) -> None:
        """
        Answer no more; what still waits is cut short.
        """
        if self._server is not None:
            await self._server.stop(_GRACE_SECONDS)


def _host(address: str) -> str:
    host = address.strip().removeprefix("[").removesuffix("]")
    return f"[{host}]" if ":" in host else host


def _options(largest: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", largest),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # two servers on one port would share its connections unnoticed
        ("grpc.server.max_pending_requests", _MOST),  # calls that come faster than they are taken wait for their turn;
        ("grpc.server.max_pending_requests_hard_limit", _MOST),  # the library cancels some beyond a thousand
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", 0),  # SDKs ping as they like
    ]


def _unary(path: str, handle: Unary, statuses: Statuses) -> grpc.RpcMethodHandler[Any, Any]:
    async def answered(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            return await handle(request)
        except Refused as refused:
            status = refused.status
        except Exception as error:  # noqa: BLE001 - the wall: whatever it is, the client gets an answer
            status = _broken(path, error, statuses)
        await context.abort(grpc.StatusCode[status.code], status.message)
        return b""  # never: abort raises

    return grpc.unary_unary_rpc_method_handler(answered)


def _stream(path: str, handle: Stream, statuses: Statuses) -> grpc.RpcMethodHandler[Any, Any]:
    async def answered(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> AsyncIterator[bytes]:
        try:
            async for response in handle(request):
                yield response
        except Refused as refused:
            status = refused.status
        except Exception as error:  # noqa: BLE001 - as above
            status = _broken(path, error, statuses)
        else:
            return
        await context.abort(grpc.StatusCode[status.code], status.message)

    return grpc.unary_stream_rpc_method_handler(answered)


def _broken(path: str, error: Exception, statuses: Statuses) -> Status:
    _log.error("%s: %s: %s", path, type(error).__name__, error)
    return statuses.status(BUG, reason=type(error).__name__)


def _refusing(status: Status) -> Unary:
    async def refuse(_request: bytes) -> bytes:
        raise Refused(status)

    return refuse
