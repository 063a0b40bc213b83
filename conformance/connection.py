"""
The wall: one exchange over HTTP, byte for byte, within a deadline and a size.

Rule 1: what goes out is what was asked for; no path, header or body is made better.
Rule 2: nothing a server does keeps an exchange longer than its deadline, or larger than its bound.
Rule 3: whatever goes wrong comes back as an Observation, never as an exception.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from .errors import UsageError
from .exchange import Observation, Request, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

DEADLINE = 30.0
"""Seconds for one exchange, from connecting to the last byte."""

MAX_BODY = 8 << 20
"""Largest body that is read, in bytes."""

CHUNK = 65536
"""Bytes that are sent at once; a larger request is given up when the server answers before its end."""

IDLE = 2.0
"""Seconds after which a kept connection is not trusted any more."""

FRESH = 0.5
"""The same for a request that may not be sent twice: so soon no server closes a connection that it keeps."""


class Connection(Protocol):
    """
    Anything that answers requests.
    """

    def ask(self, request: Request, deadline: float | None = None) -> Observation:
        """
        One exchange.
        """
        ...

    def headers(self, request: Request) -> tuple[tuple[str, str], ...]:
        """
        The headers that go out with a request.
        """
        ...

    def address(self, request: Request) -> str:
        """
        Where a request goes.
        """
        ...


class _ClosedError(Exception):
    """
    A kept connection was closed before any byte of the answer.
    """


class Http:
    """
    Connections to one server, kept and taken in turn by any number of threads.
    """

    def __init__(
        self, url: str, *, headers: Mapping[str, str] | None = None, ca: str = "", deadline: float = DEADLINE
    ) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.query or parts.fragment:
            raise UsageError(f"--server {url}: an URL such as http://127.0.0.1:3500 is expected")
        if parts.username is not None:
            raise UsageError("--server: leave credentials out of the URL; --header Authorization=... sends them")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._host, self._port = parts.hostname, port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/").encode()
        self._context = _tls(ca) if parts.scheme == "https" else None
        self._common = {"Host": parts.netloc, "User-Agent": "workflow-conformance", **(headers or {})}
        self._deadline = deadline
        self._kept: deque[_Line] = deque()
        self._closed = False

    def ask(self, request: Request, deadline: float | None = None) -> Observation:
        """
        One exchange. A kept connection that turns out to be closed is replaced once, if that is safe.
        """
        at, began = datetime.now(UTC).isoformat(timespec="microseconds"), time.monotonic()
        limit = self._deadline if deadline is None else min(deadline, self._deadline)
        status, headers, body, trouble, error = self._tried(request, began + limit, limit)
        seconds = round(time.monotonic() - began, 6)
        return Observation(request, status, headers, body, trouble, error, at, seconds)

    def close(self) -> None:
        """
        Close every connection; one that is in use is closed when its exchange ends.
        """
        self._closed = True
        with suppress(IndexError):
            while True:
                self._kept.pop().close()

    def _tried(self, request: Request, until: float, limit: float) -> _Outcome:
        line = self._ready(IDLE if request.retriable else FRESH)
        if line is not None:
            try:
                return self._exchange(line, request, until, limit)
            except _ClosedError:
                if not request.retriable:
                    return None, (), b"", "protocol", "the server closed a kept connection without an answer"
        try:
            line = _Line(self._host, self._port, self._context, until)
        except OSError as error:
            return None, (), b"", "environment", f"cannot connect: {_reason(error, limit)}"
        try:
            return self._exchange(line, request, until, limit)
        except _ClosedError:
            return None, (), b"", "protocol", "the server closed the connection without an answer"

    def _ready(self, idle: float) -> _Line | None:
        while True:
            try:
                line = self._kept.pop()
            except IndexError:
                return None
            if line.usable(idle):
                return line
            line.close()

    def _exchange(self, line: _Line, request: Request, until: float, limit: float) -> _Outcome:
        keep = False
        try:
            line.send(self._bytes(request), until)
            status, headers, body, keep = line.receive(request.method)
        except TimeoutError:
            return None, (), b"", "environment", f"no whole answer within {limit:.3g} s{line.seen()}"
        except (http.client.HTTPException, ValueError, OSError) as error:
            if not line.received and isinstance(error, (OSError, http.client.RemoteDisconnected)):
                raise _ClosedError from None
            return (
                None,
                (),
                b"",
                "protocol",
                f"what came is not the whole of an HTTP answer: {_reason(error)}{line.seen()}",
            )
        else:
            return status, headers, body, "", ""
        finally:
            if keep:
                line.used = time.monotonic()
                self._kept.append(line)
            else:
                line.close()
            if self._closed:
                self.close()

    def headers(self, request: Request) -> tuple[tuple[str, str], ...]:
        """
        The headers that go out with a request.
        """
        named = {name.lower() for name, _ in request.headers}
        lines = [(name, value) for name, value in self._common.items() if name.lower() not in named]
        lines += [(name, value) for name, value in request.headers if value is not None]
        if not named & {"content-length", "transfer-encoding"} and (request.body or request.method != "GET"):
            lines.append(("Content-Length", str(len(request.body))))
        return tuple(lines)

    def address(self, request: Request) -> str:
        """
        Where a request goes.
        """
        del request
        return self.url

    def _bytes(self, request: Request) -> bytes:
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers(request))
        start = request.method.encode() + b" " + self._prefix + request.target + b" HTTP/1.1\r\n"
        return start + head.encode("utf-8", "surrogateescape") + b"\r\n" + request.body


_Outcome = tuple[int | None, tuple[tuple[str, str], ...], bytes, Trouble, str]


class _Line:
    """
    One socket, read with a deadline for the whole exchange.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, until: float) -> None:
        plain = socket.create_connection((host, port), timeout=_left(until))
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_left(until))
            self._socket = context.wrap_socket(plain, server_hostname=host) if context else plain
        except BaseException:
            plain.close()
            raise
        self._raw = _Raw(self._socket)
        self._file: io.BufferedReader[_Raw]
        self.used = time.monotonic()
        self.cut = False

    @property
    def received(self) -> int:
        return self._raw.received

    def send(self, data: bytes, until: float) -> None:
        self._raw.until, self._raw.received, self._raw.head, self._raw.over = until, 0, b"", False
        if len(data) > CHUNK and not isinstance(self._socket, ssl.SSLSocket):
            self._pour(memoryview(data), until)
            return
        self._socket.settimeout(_left(until))
        self._socket.sendall(data)

    def _pour(self, data: memoryview, until: float) -> None:
        """
        Send a large request, and stop as soon as the server answers before it has read all of it.
        """
        self._socket.settimeout(0)
        while data:
            heard, free, _ = select.select([self._socket], [self._socket], [], _left(until))
            if heard:
                self.cut = True
                return
            if free:
                try:
                    data = data[self._socket.send(data[:CHUNK]) :]
                except BlockingIOError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    self.cut = True
                    return

    def receive(self, method: str) -> tuple[int, tuple[tuple[str, str], ...], bytes, bool]:
        self._file = io.BufferedReader(self._raw, CHUNK)
        answer = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]
        answer.begin()
        body = answer.read(MAX_BODY + 1) if answer.length is None or answer.length <= MAX_BODY else None
        if body is None or len(body) > MAX_BODY:
            raise ValueError(f"the body is larger than {MAX_BODY} bytes")
        if answer.length:
            raise http.client.IncompleteRead(body, answer.length)
        if answer.status < 200:  # noqa: PLR2004
            raise ValueError(f"the final status is {answer.status}, which is none")
        keep = not answer.will_close and answer.isclosed() and not self.cut and not self._surplus()
        return answer.status, tuple(answer.getheaders()), body, keep

    def _surplus(self) -> bool:
        """
        Whether more came than the answer; nobody must take it for the next one.
        """
        self._raw.over = True
        surplus = bool(self._file.peek())
        self._file.detach()  # or it would close the socket's reader with itself
        return surplus

    def makefile(self, mode: str) -> Any:
        """
        What http.client reads from; it may close it, and the line stays open.
        """
        del mode
        return _Borrowed(self._file)

    def seen(self) -> str:
        head = self._raw.head
        return f"; the first bytes were {head[:80]!r}" if head else "; not a byte came"

    def usable(self, idle: float) -> bool:
        if time.monotonic() - self.used > idle:
            return False
        try:
            if hasattr(select, "poll"):
                watch = select.poll()
                watch.register(self._socket, select.POLLIN)
                return not watch.poll(0)
            return not select.select([self._socket], [], [], 0)[0]
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        try:
            self._socket.close()
        except OSError:
            return


class _Borrowed:
    """
    A reader whose closing leaves the socket open.
    """

    def __init__(self, file: io.BufferedReader[_Raw]) -> None:
        self.readline, self.read, self.readinto = file.readline, file.read, file.readinto
        self.read1, self.peek = file.read1, file.peek
        self.closed = False

    def flush(self) -> None:
        """
        There is nothing to flush.
        """

    def close(self) -> None:
        self.closed = True


class _Raw(io.RawIOBase):
    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.until = 0.0
        self.received = 0
        self.head = b""
        self.over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.over:
            return 0
        self._socket.settimeout(_left(self.until))
        count = self._socket.recv_into(buffer)
        if len(self.head) < 80:  # noqa: PLR2004
            self.head += bytes(buffer[: min(count, 80)])
        self.received += count
        return count


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _tls(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca {ca}: no certificates can be read from it: {error}") from None


def _reason(error: BaseException, deadline: float = DEADLINE) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {deadline:.3g} s"
    if isinstance(error, http.client.IncompleteRead):
        return f"the connection was closed after {len(error.partial)} bytes of the body"
    text = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return " ".join(text.split())[:200]
