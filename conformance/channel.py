"""
The wall: one call over gRPC, bytes out and bytes in, within a deadline and a size.

Rule 1: what goes out is what was asked for, once: nothing here or in the library tries a call again.
Rule 2: nothing a server does keeps a call longer than its deadline, or larger than its bound.
Rule 3: whatever goes wrong comes back as an Observation, never as an exception.
Rule 4: a status is an answer only where the server sent it; one that the library made up says that none came.
"""

from __future__ import annotations

import math
import re
import threading
import time
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import grpc

from .connection import DEADLINE, MAX_BODY
from .errors import UsageError
from .exchange import OK, Observation, Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .exchange import Request, Trouble

_ADDRESS = re.compile(r"(?:(https?)://)?((?:[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5}))/?")
_FROM_PEER = "Error received from peer"
_NOBODY = re.compile("failed to connect|connections to all backends failing|DNS resolution failed")
_OWN_WORDS = re.compile(
    "Stream removed|No status received|Received (http2 header|RST_STREAM|message larger)|CLIENT: |Deadline Exceeded"
    "|Socket closed|recvmsg|GOAWAY|Compression bit|Invalid metadata|Channel closed|Cancelled|" + _NOBODY.pattern
)
"""How the library begins what it says of a call that no status came for; older ones say it of those that one did."""

_RECONNECT = 100
"""Milliseconds until a broken connection is tried again, at first; at most it is ten times that."""

_CONNECT = 20_000
"""Milliseconds that a server has to take a connection, which the library calls a backoff too; machines may be busy."""

_OPTIONS = (
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.max_receive_message_length", MAX_BODY),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", _RECONNECT),
    ("grpc.min_reconnect_backoff_ms", _CONNECT),
    ("grpc.max_reconnect_backoff_ms", 10 * _RECONNECT),
    ("grpc.primary_user_agent", "workflow-conformance"),
    ("grpc.use_local_subchannel_pool", 1),
)


class Channel:
    """
    One channel to one server, shared by any number of threads.

    Raises UsageError for what is no address.
    """

    def __init__(
        self, address: str, *, headers: Mapping[str, str] | None = None, ca: str = "", deadline: float = DEADLINE
    ) -> None:
        scheme, host = parsed(address)
        self.url = f"{scheme}://{host}" if scheme else host
        self._common = _metadata(headers or {})
        self._deadline, self._lent = deadline, False
        self._lock = threading.Lock()
        self._methods: dict[str, Any] = {}
        if scheme:
            roots = Path(ca).read_bytes() if ca else None
            self._channel = grpc.secure_channel(host, grpc.ssl_channel_credentials(roots), _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(host, _OPTIONS)

    def ask(self, request: Request, deadline: float | None = None) -> Observation:
        """
        One call.
        """
        at, began = datetime.now(UTC).isoformat(timespec="microseconds"), time.monotonic()
        limit = self._deadline if deadline is None else max(0.0, min(deadline, self._deadline))
        given_up = request.within is not None and request.within != math.inf
        timeout = request.within if given_up else limit
        status: str | None = None
        trailers: Any = ()
        trouble: Trouble = ""
        body, said, error = b"", None, ""
        try:
            body, call = self._called(request, timeout, limit)
            status, trailers = OK, call.trailing_metadata()
            said = request.reads(body) if request.reads and body is not None else None
            if body is None:
                status, body, trouble, error = None, b"", "protocol", "the call ended well and no message came"
        except grpc.RpcError as failed:
            status, trouble, error = _outcome(failed, timeout or 0.0, given_up=given_up)
            trailers = failed.trailing_metadata()
            said = Said(text=failed.details() or "") if status else None
        except grpc.FutureTimeoutError:
            trouble, error = "environment", f"no whole answer within {limit:.3g} s"
        except (ValueError, TypeError, OSError) as failed:
            trouble, error = "environment", f"the call could not be made: {failed}"
        seconds = round(time.monotonic() - began, 6)
        return Observation(request, status, _plain(trailers), body, trouble, error, at, seconds, said)

    def _called(self, request: Request, timeout: float | None, limit: float) -> Any:
        """
        The bytes of an answer, and the call; one that carries no deadline is given up all the same.
        """
        method, metadata = self._method(request.target.decode()), self.headers(request) or None
        if request.within != math.inf:
            return method.with_call(request.body, timeout=timeout, metadata=metadata)
        call = method.future(request.body, metadata=metadata)
        try:
            return call.result(timeout=limit), call
        finally:
            call.cancel()

    def headers(self, request: Request) -> tuple[tuple[str, str], ...]:
        """
        The metadata that goes out with a call.
        """
        named = {name.lower() for name, _ in request.headers}
        own = [(name.lower(), value) for name, value in request.headers if value is not None]
        return (*((name, value) for name, value in self._common if name not in named), *own)

    def address(self, request: Request) -> str:
        """
        Where a call goes.
        """
        del request
        return self.url

    def lent(self, headers: Mapping[str, str], deadline: float) -> Self:
        """
        The same connection, for calls with other metadata; whoever opened it closes it.
        """
        other = copy(self)
        other._common = _metadata(headers)  # noqa: SLF001 - one of this class
        other._deadline, other._lent = deadline, True  # noqa: SLF001 - one of this class
        return other

    def close(self) -> None:
        """
        Close the channel, and with it every call that is under way; one that was lent stays open.
        """
        if not self._lent:
            self._channel.close()

    def _method(self, path: str) -> Any:
        with self._lock:
            if path not in self._methods:
                self._methods[path] = self._channel.unary_unary(path)
            return self._methods[path]


def _metadata(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in headers.items())


def parsed(address: str) -> tuple[str, str]:
    """
    The scheme, where it is not the plain one, and HOST:PORT of an address. Raises UsageError where it is none.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found[3]) < 1 << 16:
        raise UsageError(f"--grpc {address}: HOST:PORT such as 127.0.0.1:50001 is expected, or https://HOST:PORT")
    return "" if found[1] != "https" else "https", found[2]


def _outcome(failed: Any, timeout: float, *, given_up: bool) -> tuple[str | None, Trouble, str]:
    """
    The status that a server sent, or why none came.
    """
    code, why = failed.code(), " ".join((failed.details() or "").split())
    late = code is grpc.StatusCode.DEADLINE_EXCEEDED
    sent = _FROM_PEER in str(failed.debug_error_string()) or not _OWN_WORDS.match(why)
    if (late and given_up) or (sent and code is not grpc.StatusCode.UNAVAILABLE):
        return code.name, "", ""
    if late:
        return None, "environment", f"no whole answer within {timeout:.3g} s"
    if _NOBODY.match(why):
        return None, "environment", f"cannot connect: {why[:300]}"
    return None, "protocol", f"what came is no answer of gRPC: {code.name}: {why[:300]}"


def _plain(metadata: Any) -> tuple[tuple[str, str], ...]:
    return tuple(
        (key, value if isinstance(value, str) else value.decode("utf-8", "backslashreplace"))
        for key, value in metadata or ()
    )
