"""
The wall of gRPC: whatever a server does comes back as an observation, in time and within bounds.
"""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import grpc
import pytest

from conformance.channel import Channel, parsed
from conformance.errors import UsageError
from conformance.exchange import Request, Said

CALL = Request("gRPC", b"/s/M", body=b"x", reads=lambda raw: Said(text=repr(raw[:10])))
OVER = threading.Event()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


HEAD = b"\x88" + literal(b"content-type", b"application/grpc")
OK = literal(b"grpc-status", b"0")


@pytest.fixture
def served() -> Any:
    """
    Channels to servers whose one method is a function of request and context.
    """
    servers, channels = [], []

    def make(method: Any, **more: Any) -> Any:
        class Handler(grpc.GenericRpcHandler):
            def service(self, details: Any) -> Any:
                return grpc.unary_unary_rpc_method_handler(lambda raw, context: method(raw, context, details))

        server = grpc.server(ThreadPoolExecutor(4), options=(("grpc.max_send_message_length", -1),))
        server.add_generic_rpc_handlers((Handler(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        channels.append(Channel(f"127.0.0.1:{port}", **more))
        return channels[-1]

    yield make
    OVER.set()
    for channel in channels:
        channel.close()
    for server in servers:
        server.stop(0).wait()
    OVER.clear()


def shake(connection: socket.socket, frames: list[bytes | None]) -> None:
    with connection:
        connection.sendall(frame(4, 0, 0) + frame(4, 1, 0))
        seen = b""
        while b"/s/M" not in seen and b"x" not in seen[-8:]:
            seen += connection.recv(65536) or b"x"
        for one in frames:
            if one is None:
                return
            connection.sendall(one)
        OVER.wait(30)


def accept(listening: socket.socket, frames: list[bytes | None]) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=shake, args=(connection, frames), daemon=True).start()


@pytest.fixture
def framed() -> Any:
    """
    Channels to sockets that shake hands and then send these frames of HTTP/2, and close where they are None.
    """
    sockets, channels = [], []

    def make(*frames: bytes | None, **more: Any) -> Any:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        threading.Thread(target=accept, args=(listening, list(frames)), daemon=True).start()
        channels.append(Channel(f"127.0.0.1:{listening.getsockname()[1]}", **more))
        return channels[-1]

    yield make
    OVER.set()
    for channel in channels:
        channel.close()
    for listening in sockets:
        listening.close()
    OVER.clear()


def test_an_answer_is_read_by_its_request(served: Any) -> None:
    """
    The bytes come as they were sent, with what they say.
    """
    saw = served(lambda raw, _, details: raw + details.method.encode()).ask(CALL)

    assert (saw.status, saw.body, saw.said) == ("OK", b"x/s/M", Said(text="b'x/s/M'"))
    assert saw.accepted
    assert not saw.refused


@pytest.mark.parametrize("code", ["NOT_FOUND", "INTERNAL", "UNKNOWN", "ALREADY_EXISTS", "CANCELLED", "UNIMPLEMENTED"])
def test_a_status_that_the_server_sent_is_an_answer(served: Any, code: str) -> None:
    """
    By its name, with its message; it refuses.
    """
    saw = served(lambda _, context, __: context.abort(grpc.StatusCode[code], "é no")).ask(CALL)

    assert (saw.status, saw.trouble, saw.said) == (code, "", Said(text="é no"))
    assert saw.refused


def test_a_server_that_hangs_is_left_at_the_deadline(served: Any) -> None:
    """
    No answer, told as such, and soon.
    """
    channel = served(lambda *_: OVER.wait(30) and b"")
    began = time.monotonic()
    saw = channel.ask(CALL, 0.3)

    assert (saw.status, saw.trouble) == (None, "environment")
    assert "no whole answer within 0.3 s" in saw.error
    assert time.monotonic() - began < 10


def test_a_deadline_of_the_caller_is_an_answer(served: Any) -> None:
    """
    Where the call itself says how long it waits, its end is the status that a client sees.
    """
    saw = served(lambda *_: OVER.wait(30) and b"").ask(replace(CALL, within=0.2))

    assert (saw.status, saw.refused) == ("DEADLINE_EXCEEDED", True)


def test_a_call_without_a_deadline_carries_none_and_is_left_all_the_same(served: Any) -> None:
    """
    The server sees no deadline; the wall keeps its own.
    """
    left = []

    def method(raw: bytes, context: Any, details: Any) -> bytes:
        del raw, details
        left.append(context.time_remaining())
        OVER.wait(1 if len(left) == 1 else 30)
        return b"late"

    channel = served(method)

    assert channel.ask(replace(CALL, within=math.inf), 20.0).status == "OK"
    assert channel.ask(replace(CALL, within=math.inf), 0.3).trouble == "environment"
    assert left == [None, None] or min(one or 1e9 for one in left) > 1e6


def test_a_huge_answer_is_not_taken(served: Any) -> None:
    """
    100 MB are a failure of the server, not of the memory.
    """
    saw = served(lambda *_: bytes(100 << 20)).ask(CALL)

    assert (saw.status, saw.trouble) == (None, "protocol")
    assert "larger than max" in saw.error


def test_metadata_goes_out_in_small_letters_and_one_call_may_leave_it_out(served: Any) -> None:
    """
    Every call has the common ones; a call's own come instead of them, and None leaves one out.
    """
    seen = []

    def method(raw: bytes, context: Any, details: Any) -> bytes:
        del raw, context
        seen.append({name: value for name, value in details.invocation_metadata if name.startswith("x-")})
        return b""

    channel = served(method, headers={"X-Token": "secret", "X-Other": "1"})
    channel.ask(CALL)
    channel.ask(replace(CALL, headers=(("x-token", None),)))
    channel.ask(replace(CALL, headers=(("x-token", "wrong"),)))

    assert seen == [{"x-token": "secret", "x-other": "1"}, {"x-other": "1"}, {"x-token": "wrong", "x-other": "1"}]


def test_metadata_that_cannot_be_sent_is_told(served: Any) -> None:
    """
    It comes back as an observation too.
    """
    assert served(lambda *_: b"", headers={"x-a": "\u6f22"}).ask(CALL).status is None


NO_ANSWER = {
    "resets": ([frame(3, 0, 1, struct.pack(">I", 2))], "RST_STREAM"),
    "cancels": ([frame(3, 0, 1, struct.pack(">I", 8))], "RST_STREAM"),
    "has no status": ([frame(1, 5, 1, HEAD)], "No status"),
    "speaks HTTP": ([frame(1, 5, 1, literal(b":status", b"404"))], "404"),
    "ends without a status": ([frame(1, 4, 1, HEAD), frame(0, 1, 1, b"\0\0\0\0\1x")], "END_STREAM"),
    "has no message": ([frame(1, 4, 1, HEAD), frame(1, 5, 1, OK)], "no message came"),
    "has half a message": ([frame(1, 4, 1, HEAD), frame(0, 0, 1, b"\0\0\0\0\5x"), frame(1, 5, 1, OK)], "no message"),
    "has a status that is none": ([frame(1, 5, 1, HEAD + literal(b"grpc-status", b"xx"))], "grpc-status"),
    "goes away": ([frame(7, 0, 0, struct.pack(">II", 0, 2))], ""),
    "closes": ([None], ""),
    "closes half way": ([frame(1, 4, 1, HEAD), None], ""),
    "compresses unasked": ([frame(1, 4, 1, HEAD), frame(0, 0, 1, b"\1\0\0\0\1x"), frame(1, 5, 1, OK)], "Compression"),
}


@pytest.mark.parametrize("lie", NO_ANSWER)
def test_what_is_no_answer_is_a_failure_of_the_server(framed: Any, lie: str) -> None:
    """
    Never a status that the library made up: that could be taken for a refusal that is due.
    """
    frames, words = NO_ANSWER[lie]
    saw = framed(*frames, deadline=20.0).ask(CALL)

    assert (saw.status, saw.trouble) == (None, "protocol"), saw
    assert words in saw.error


def test_nobody_there_is_told() -> None:
    """
    A refused connection is no failure of a server.
    """
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    channel = Channel(f"127.0.0.1:{port}")
    saw = channel.ask(CALL)
    channel.close()

    assert (saw.status, saw.trouble) == (None, "environment")
    assert "cannot connect" in saw.error
    assert channel.ask(CALL).trouble == "environment"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:50001", ("", "127.0.0.1:50001")),
        ("[::1]:50001", ("", "[::1]:50001")),
        ("http://localhost:1", ("", "localhost:1")),
        ("https://dapr.example:443/", ("https", "dapr.example:443")),
    ],
)
def test_an_address_is_host_and_port(text: str, found: tuple[str, str]) -> None:
    """
    With a scheme or without.
    """
    assert parsed(text) == found


@pytest.mark.parametrize("text", ["", "localhost", "50001", "a b:1", "h:0", "h:65536", "u:p@h:1", "ftp://h:1", "h:1/x"])
def test_what_is_no_address_is_told(text: str) -> None:
    """
    With what was expected.
    """
    with pytest.raises(UsageError, match="HOST:PORT"):
        parsed(text)
