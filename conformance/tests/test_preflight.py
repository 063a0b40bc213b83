import json
from typing import Any

import pytest

import spec
from conformance.calls import Calls
from conformance.contract import Contract
from conformance.errors import NoWorker, Unreachable
from conformance.preflight import alive, preflight

SCALE = 0.02


@pytest.fixture
def check(reach: Any) -> Any:
    def call(server: Any, capabilities: Any = ()) -> None:
        client = reach(server if isinstance(server, str) else server.url, deadline=30 * SCALE)
        calls = Calls(Contract(spec.openapi()), client.url, "v1.0")
        preflight(client.ask, calls, spec.load().machine, capabilities, "i", SCALE)

    return call


def test_a_server_with_a_worker_is_ready(check: Any, peer: Any, toy: Any) -> None:
    """
    One echo completes and is purged again.
    """
    engine = toy()
    server = peer(engine)
    check(server)

    assert engine.instances == {}
    assert server.asked[-1][:2] == ("POST", "/v1.0/workflows/dapr/i/purge")


def stuck(state: Any) -> Any:
    def make(toy: Any) -> Any:
        engine = toy()
        shown = engine.shown
        engine.shown = lambda name: {**shown(name), "runtimeStatus": state}
        return engine

    return make


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "FAILED"])
def test_without_a_worker_there_is_no_run(check: Any, peer: Any, toy: Any, state: Any) -> None:
    """
    Where the echo does not complete, the text says who is missing and what was seen last.
    """
    with pytest.raises(NoWorker, match=f"ConformanceEcho(.|\n)*{state}"):
        check(peer(stuck(state)(toy)))


def test_a_target_that_holds_a_state_is_ready_in_it(check: Any, peer: Any, toy: Any) -> None:
    """
    A target that keeps instances PENDING never completes an echo.
    """
    check(peer(stuck("PENDING")(toy)), ("hold_pending",))


def test_a_start_that_hangs_means_no_worker(check: Any, peer: Any, toy: Any) -> None:
    """
    A sidecar without a worker lets a start hang.
    """
    engine = toy()

    def hang(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if target.partition("?")[0].endswith("/start"):
            yield b""
            while True:
                yield from ()
                raise TimeoutError
        else:
            yield engine(method, target, headers, body)

    with pytest.raises(NoWorker):
        check(peer(hang))


@pytest.mark.parametrize(
    ("status", "body", "media", "words"),
    [
        (404, b"<html>not here</html>", "text/html", ("404 text/html", "<html>not here")),
        (401, b"invalid api token", "text/plain", ("--api-token",)),
        (200, b"hello", "text/plain", ("does not show it", "hello")),
        (200, b"{}", "application/json", ("does not show it",)),
        (500, b"", "application/json", ("500",)),
        (302, b"", "text/html", ("302",)),
    ],
)
def test_something_else_is_told_with_what_it_said(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    check: Any, peer: Any, answering: Any, status: Any, body: Any, media: Any, words: Any
) -> None:
    """
    A server that is no workflow API: URL, status and first bytes.
    """
    server = peer(lambda *_: answering(status, body, media))
    with pytest.raises(Unreachable) as error:
        check(server)

    assert server.url in str(error.value)
    assert all(word in str(error.value) for word in words)


def test_nobody_there_is_told(check: Any) -> None:
    """
    A refused connection names the URL.
    """
    with pytest.raises(Unreachable, match=r"http://127.0.0.1:1 gives no answer: cannot connect"):
        check("http://127.0.0.1:1")


def test_alive_means_any_answer(reach: Any, peer: Any, answering: Any) -> None:
    """
    A server that answers anything at all is there.
    """
    contract = Contract(spec.openapi())
    for server, there in (
        (peer(lambda *_: answering(500, json.dumps({}).encode())).url, True),
        ("http://127.0.0.1:1", False),
    ):
        client = reach(server)
        assert alive(client.ask, Calls(contract, client.url, "v1.0"), "i", SCALE) is there
