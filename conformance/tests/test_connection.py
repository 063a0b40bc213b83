import http.client
import threading
from typing import Any

import pytest

from conformance import connection
from conformance.errors import UsageError
from conformance.exchange import Request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(path: Any = b"/x") -> Any:
    return Request("GET", path, retriable=True)


@pytest.mark.parametrize(
    "path",
    [
        b"/w/%41b",
        b"/w/%2e%2e/x",
        b"/w/../x",
        b"/w/a%2fb",
        b"/w/%zz",
        b"//x",
        b"/a b",
        b"/\xc3\xa9",
        b"/x?a=%00&+",
        b"/a\tb",
        b"/%",
        b"*",
    ],
)
def test_a_path_goes_out_byte_for_byte(peer: Any, reach: Any, path: Any) -> None:
    """
    No byte of a path is made better on its way.
    """
    server = peer(lambda *_: OK)

    assert reach(server.url).ask(get(path)).status == 200
    assert server.raw == [path]


def test_bodies_and_headers_go_out_as_they_are(peer: Any, reach: Any) -> None:
    """
    What a request names wins over what every request has; None leaves a header out.
    """
    server = peer(lambda *_: OK)
    client = reach(server.url, headers={"dapr-api-token": "t", "x-a": "1"})
    request = Request("POST", b"/", (("DAPR-API-TOKEN", None), ("X-A", "2")), b"\x00\xff")

    assert client.ask(request).body == b"ok"
    (_, _, headers, body) = server.asked[0]
    assert body == b"\x00\xff"
    assert headers["x-a"] == "2"
    assert "dapr-api-token" not in headers
    assert dict(client.headers(request))["Content-Length"] == "2"


def test_connections_are_kept(peer: Any, reach: Any) -> None:
    """
    One connection serves one exchange after the other.
    """
    server = peer(lambda *_: OK)
    client = reach(server.url)

    assert [client.ask(get()).status for _ in range(5)] == [200] * 5
    assert len(server._open) == 1


def test_a_kept_connection_that_was_closed_is_replaced_once(peer: Any, reach: Any) -> None:
    """
    A server may close a kept connection between two requests.
    """
    answers = iter([OK, None, OK])
    client = reach(peer(lambda *_: next(answers)).url)

    assert client.ask(get()).status == 200
    assert client.ask(get()).status == 200


def test_what_is_closed_keeps_no_connection(peer: Any, reach: Any) -> None:
    """
    An exchange that outlives its run leaves no connection behind.
    """
    client = reach(peer(lambda *_: OK).url)
    client.close()

    assert client.ask(get()).status == 200
    assert not client._kept


def test_what_may_not_be_sent_twice_is_not(peer: Any, reach: Any) -> None:
    """
    A request that changes something is never repeated, whatever became of it.
    """
    answers = iter([OK, None, OK])
    server = peer(lambda *_: next(answers))
    client = reach(server.url)
    client.ask(get())
    seen = client.ask(Request("POST", b"/x"))

    assert seen.status is None
    assert seen.trouble == "protocol"
    assert [one[0] for one in server.asked] == ["GET", "POST"]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x00\x01\x02garbage\r\n\r\n",
        b"<html>hello</html>\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000,
        None,
    ],
)
def test_what_is_no_whole_answer_is_trouble(peer: Any, reach: Any, answer: Any) -> None:
    """
    Garbage, lies about lengths, endless headers and closed connections come back as an observation without a status.
    """

    def talk(*_: Any) -> Any:
        yield answer
        raise OSError

    seen = reach(peer(talk if answer else lambda *_: None).url).ask(get())

    assert (seen.status, seen.trouble) == (None, "protocol")
    assert seen.error


def test_an_answer_too_many_is_nobodys(peer: Any, reach: Any) -> None:
    """
    What a server sends beyond an answer is never taken for the answer to the next request.
    """
    server = peer(lambda *request: OK.replace(b"ok", request[1][1:].encode() * 2) + OK)
    client = reach(server.url)

    assert [client.ask(get(b"/%d" % n)).body for n in range(5)] == [b"%d%d" % (n, n) for n in range(5)]
    assert len(server._open) == 5


@pytest.mark.parametrize("status", [101, 103])
def test_a_provisional_answer_is_no_answer(peer: Any, reach: Any, status: int) -> None:
    """
    Only 100 may come before the answer.
    """
    seen = reach(peer(lambda *_: b"HTTP/1.1 %d X\r\n\r\n" % status + OK).url).ask(get())

    assert (seen.status, seen.trouble) == (None, "protocol")
    assert reach(peer(lambda *_: b"HTTP/1.1 100 X\r\n\r\n" + OK).url).ask(get()).status == 200


def test_an_endless_body_ends(peer: Any, reach: Any, monkeypatch: Any) -> None:
    """
    More than the bound is not read.
    """
    monkeypatch.setattr(connection, "MAX_BODY", 1 << 16)

    def endless(*_: Any) -> Any:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b"x" * 65536

    seen = reach(peer(endless).url).ask(get())

    assert (seen.status, seen.trouble) == (None, "protocol")
    assert "larger" in seen.error


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
def test_a_deadline_is_for_the_whole_exchange(peer: Any, reach: Any, first: Any) -> None:
    """
    A server that hangs, or that sends a byte now and then for ever, is given up at the deadline.
    """
    done = threading.Event()

    def trickle(*_: Any) -> Any:
        yield first or b"H"
        while not done.wait(0.01):
            yield b"x"

    seen = reach(peer(trickle).url, deadline=0.2).ask(get())
    done.set()

    assert (seen.status, seen.trouble) == (None, "environment")
    assert "0.2 s" in seen.error


def test_nobody_there_is_the_environment(reach: Any) -> None:
    """
    A refused connection is nobody's failure.
    """
    seen = reach("http://127.0.0.1:1").ask(get())

    assert (seen.status, seen.trouble) == (None, "environment")
    assert "cannot connect" in seen.error


def test_an_answer_before_the_end_of_a_large_request_is_read(peer: Any, reach: Any) -> None:
    """
    A server may refuse a body without reading it.
    """
    server = peer(lambda *_: OK)
    early = threading.Event()

    def serve(connected: Any) -> None:
        with connected:
            connected.recv(1000)
            connected.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno")
            early.wait(60)

    server._serve = serve
    seen = reach(server.url).ask(Request("POST", b"/x", body=b"x" * (64 << 20)))
    early.set()

    assert (seen.status, seen.body) == (400, b"no")


def test_large_requests_arrive_whole(peer: Any, reach: Any) -> None:
    """
    Whatever is read to its end was sent to its end.
    """
    server = peer(lambda *_: OK)

    assert reach(server.url).ask(Request("POST", b"/x", body=b"ab" * 500_000)).status == 200
    assert server.asked[0][3] == b"ab" * 500_000


@pytest.mark.parametrize(
    "url", ["ftp://x", "http://", "http://x:99999999", "http://h:x", "http://a?b=c", "", "http://u:secret@h"]
)
def test_what_is_no_url_is_told(reach: Any, url: Any) -> None:
    """
    An address that cannot be is a mistake of the command line; credentials in it are not repeated.
    """
    with pytest.raises(UsageError) as error:
        reach(url)
    assert "secret" not in str(error.value)


def test_a_prefix_and_a_bare_host_are_fine(peer: Any, reach: Any) -> None:
    """
    An address may lack its scheme and have a path before the API's.
    """
    server = peer(lambda *_: OK)
    client = reach(server.url.removeprefix("http://") + "/behind/")
    client.ask(get())

    assert server.raw == [b"/behind/x"]
    assert client.url == server.url + "/behind"


def test_chunks_are_put_together(peer: Any, reach: Any) -> None:
    """
    A chunked answer is read like any other, and the connection kept.
    """
    server = peer(lambda *_: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    client = reach(server.url)

    assert [client.ask(get()).body for _ in range(2)] == [b"ok", b"ok"]
    assert len(server._open) == 1
    assert http.client.HTTPConnection  # the parser is the standard library's
