"""
The server as its users start it.
"""

from __future__ import annotations

import json
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from reference_server import cli, serving

if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable
    from pathlib import Path

    Launch = Callable[..., Any]

ANY = ("--dapr-http-port", "0", "--dapr-grpc-port", "0", "--ready-json")


def asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named, encode_chunked=named.get("transfer-encoding") == "chunked")
    response = connection.getresponse()
    text = response.read()
    return response.status, json.loads(text) if response.headers.get_content_type() == "application/json" else text


def until(connection: http.client.HTTPConnection, path: str, state: str) -> dict[str, Any]:
    for _ in range(10_000):
        _, shown = asked(connection, "GET", path)
        if shown.get("runtimeStatus") == state:
            return dict(shown)
    raise AssertionError(shown)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_clean_end(launch: Launch, number: signal.Signals) -> None:
    """
    Also while connections are open, idle or in the middle of a request: exit 0, and not a word of a traceback.
    """
    process = launch(*ANY)
    connection = process.connect()
    health = asked(connection, "GET", "/v1.0/healthz")
    half = socket.create_connection((connection.host, connection.port or 0))
    half.sendall(b"POST /v1.0/workflows/dapr/x/start HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
    asked(connection, "GET", "/v1.0/healthz")
    process.popen.send_signal(number)
    status, out, err = process.finish()
    half.close()

    assert (health, status, out) == ((204, b""), 0, "")
    assert "Traceback" not in err
    assert "workflow API on http://127.0.0.1:" in err


def test_a_workflow_runs_from_start_to_purge(launch: Launch) -> None:
    """
    Over a socket, with timers and events.
    """
    connection = launch(*ANY, "--settle", "1").connect()
    base = "/v1.0/workflows/dapr"
    script = '{"do":[{"sleep":0.01},{"wait_event":"go"}]}'
    started = asked(connection, "POST", f"{base}/ConformanceScript/start?instanceID=a", script)
    until(connection, f"{base}/a", "RUNNING")
    asked(connection, "POST", f"{base}/a/raiseEvent/go", "1")
    shown = until(connection, f"{base}/a", "COMPLETED")
    purged = asked(connection, "POST", f"{base}/a/purge")

    assert started == (202, {"instanceID": "a"})
    assert shown["properties"]["dapr.workflow.output"] == "[1]"
    assert (purged, asked(connection, "GET", f"{base}/a")[0]) == ((202, {}), 404)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_the_limit_gets_its_answer(launch: Launch, chunked: bool) -> None:  # noqa: FBT001 - a row
    """
    The sender can send it all and read the answer; the next connection is served.
    """
    process = launch(*ANY, "--max-body-size", "64Ki")
    connection = process.connect()
    path = "/v1.0/workflows/dapr/ConformanceEcho/start"
    body: Any = iter([b"x" * 65536] * 32) if chunked else b"x" * (2 << 20)
    status, answer = asked(connection, "POST", path, body, **({"transfer_encoding": "chunked"} if chunked else {}))
    served = asked(connection, "POST", path, b"x" * 65536)

    assert (status, answer["errorCode"], served[0]) == (400, "ERR_BODY_READ", 202)


def test_paths_arrive_byte_for_byte(launch: Launch) -> None:
    """
    Escapes and dot segments are the application's to read.
    """
    connection = launch(*ANY).connect()
    asked(connection, "POST", "/v1.0/workflows/dapr/ConformanceEcho/start?instanceID=a", "1")
    paths = (
        "//v1.0/./workflows/dapr/%61/",
        "/v1.0/workflows/dapr/%2e%2e",
        "/v1.0/workflows/dapr/%zz",
        "/v1.0/workflows/..",
    )

    assert [asked(connection, "GET", path)[0] for path in paths] == [200, 404, 400, 404]


def test_the_token_comes_from_the_environment(launch: Launch) -> None:
    """
    As daprd's does.
    """
    connection = launch(*ANY, DAPR_API_TOKEN="secret").connect()

    assert asked(connection, "GET", "/v1.0/metadata") == (401, b"invalid api token\n")
    assert asked(connection, "GET", "/v1.0/metadata", dapr_api_token="secret")[0] == 200


def test_the_ready_line_names_addresses_and_profile(launch: Launch) -> None:
    """
    One JSON line, written once requests are answered.
    """
    line = launch(*ANY, "--profile", "documented").ready()

    assert line.pop("http").startswith("http://127.0.0.1:")
    assert line.pop("grpc").startswith("127.0.0.1:")
    assert line == {"ready": True, "profile": "documented"}


@pytest.mark.parametrize(("state", "word"), [("PENDING", "PENDING"), ("STALLED", "UNKNOWN")])
def test_instances_are_held(launch: Launch, state: str, word: str) -> None:
    """
    In states that are hard to reach.
    """
    connection = launch(*ANY, "--hold", state).connect()
    asked(connection, "POST", "/v1.0/workflows/dapr/ConformanceEcho/start?instanceID=a", "1")

    assert until(connection, "/v1.0/workflows/dapr/a", word)["instanceID"] == "a"


def test_a_script_has_a_name_of_the_users_own(launch: Launch, tmp_path: Path) -> None:
    """
    --workflow gives it one.
    """
    file = tmp_path / "order.yaml"
    file.write_text("do:\n  - return: {paid: true}\n")
    connection = launch(*ANY, "--workflow", f"Order={file}").connect()
    asked(connection, "POST", "/v1.0/workflows/dapr/Order/start?instanceID=a", "anything")
    shown = until(connection, "/v1.0/workflows/dapr/a", "COMPLETED")

    assert shown["properties"] == {"dapr.workflow.input": "anything", "dapr.workflow.output": '{"paid":true}'}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--profile", "nope"], "no profile 'nope'; there are dapr-1.18, dapr-edge, documented"),
        (["--hold", "RUNNING"], "held in PENDING or STALLED"),
        (["--dapr-http-port", "70000"], "'70000' is no port"),
        (["--dapr-http-port", "x"], "'x' is no port"),
        (["--dapr-listen-addresses", "256.1.1.1"], "cannot listen on 256.1.1.1:"),
        (["--settle", "-1"], "--settle"),
        (["--settle", "soon"], "'soon' is no number of milliseconds"),
        (["--max-body-size", "0"], "'0' is no size"),
        (["--store", "redis"], "'redis'"),
        (["--workflow", "Order"], "NAME=FILE"),
        (["--workflow", "Order=/nowhere/x.yaml"], "no such file"),
        (["--prof", "x"], "--help"),
        (["more"], "unrecognized arguments: more"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str], arguments: list[str], part: str) -> None:
    """
    It says what was expected.
    """
    status = cli.main(arguments)
    out, err = capsys.readouterr()

    assert (status, out, err.count("\n")) == (2, "", 1)
    assert part in err


@pytest.mark.parametrize(
    ("text", "part"),
    [("do: [{sleep: x}]", "do[0].sleep"), ("do: [", "order.yaml:2:1: not YAML"), ("[]", '{"do": [instruction, ...]}')],
)
def test_a_script_that_is_wrong_is_a_mistake(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, part: str
) -> None:
    """
    The file is named, and what is wrong in it.
    """
    file = tmp_path / "order.yaml"
    file.write_text(text)
    status = cli.main(["--workflow", f"Order={file}"])
    err = capsys.readouterr().err

    assert (status, err.count("\n")) == (2, 1)
    assert part in err
    assert "order.yaml" in err


def test_a_port_in_use_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """
    And the line says what to do.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status = cli.main(["--dapr-http-port", str(taken.getsockname()[1])])
    err = capsys.readouterr().err

    assert (status, err.count("\n")) == (2, 1)
    assert "the port is in use; choose another with --dapr-http-port" in err


@pytest.mark.parametrize(("text", "size"), [("1", 1), ("4Mi", 4 << 20), ("2k", 2000), ("1Gi", 1 << 30)])
def test_sizes_are_read_as_daprd_reads_them(text: str, size: int) -> None:
    """
    Powers of 1024 and of 1000.
    """
    assert size == cli._size(text)


def test_all_addresses_get_the_same_port() -> None:
    """
    Port 0 is picked once; if one address cannot be had, none is kept.
    """
    sockets = serving.listen(["127.0.0.1", "127.0.0.2"], 0)
    try:
        assert len({bound.getsockname()[1] for bound in sockets}) == 1
        with pytest.raises(serving.CannotListen):
            serving.listen(["127.0.0.3", "127.0.0.1"], sockets[0].getsockname()[1])
    finally:
        for bound in sockets:
            bound.close()
