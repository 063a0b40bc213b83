"""
The HTTP surface, without a socket.
"""

from __future__ import annotations

import asyncio
import json
from itertools import product
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

import spec
from reference_server.over_http import _prefixes

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., tuple[Any, Any]]

VERSIONS = ("v1.0", "v1.0-beta1", "v1.0-alpha1")
SCRIPT = "/v1.0/workflows/dapr/ConformanceScript/start"
WAIT = b'{"do":[{"wait_event":"go"}]}'
DOCUMENT = spec.openapi()


def code(reply: Any) -> tuple[int, str]:
    return reply.status, reply.json["errorCode"]


def schema(name: str) -> Any:
    return jsonschema_rs.validator_for({"components": DOCUMENT["components"], "$ref": f"#/components/schemas/{name}"})


def test_the_routes_are_the_paths_of_the_document_times_its_versions() -> None:
    """
    A path with servers of its own has theirs.
    """
    versions = list(_prefixes(DOCUMENT["servers"]))
    own = list(_prefixes(DOCUMENT["paths"]["/healthz"]["servers"]))

    assert (versions, own) == ([f"/{version}" for version in VERSIONS], ["/v1.0"])


@pytest.mark.parametrize(("version", "other"), list(product(VERSIONS, VERSIONS)))
def test_the_versions_are_one_api(make_door: Make, version: str, other: str) -> None:
    """
    What one starts the other manages.
    """
    world, door = make_door()
    base, elsewhere = (f"/{name}/workflows/dapr" for name in (version, other))
    started = door.ask("POST", f"{base}/ConformanceScript/start?instanceID=a", WAIT)
    world.settle()
    replies = []
    for operation in ("pause", "resume", "raiseEvent/other", "terminate"):
        replies.append(door.ask("POST", f"{elsewhere}/a/{operation}"))
        world.settle()
    shown = door.ask("GET", f"{elsewhere}/a")
    purged = door.ask("POST", f"{elsewhere}/a/purge")

    assert (started.status, started.json) == (202, {"instanceID": "a"})
    assert [(reply.status, reply.json) for reply in [*replies, purged]] == [(202, {})] * 5
    assert (shown.status, shown.json["runtimeStatus"]) == (200, "TERMINATED")
    assert shown.headers["content-type"] == "application/json"
    assert schema("Workflow").is_valid(shown.json)
    assert door.ask("GET", f"{base}/a").status == 404


def test_a_start_without_an_id_makes_one_up(make_door: Make) -> None:
    """
    Also when it is empty or under another name.
    """
    _, door = make_door()
    asked = ("", "?instanceID=", "?instanceId=a", "?instanceID=%zz", "?instanceID=a;b")

    assert [door.ask("POST", SCRIPT + query).json["instanceID"] for query in asked] == [
        f"id-{number}" for number in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a" * 64, None),
        ("a" * 65, "ERR_INSTANCE_ID_TOO_LONG"),
        ("%C3%A9" * 32, None),
        ("%C3%A9" * 32 + "a", "ERR_INSTANCE_ID_TOO_LONG"),
        ("." * 65, "ERR_INSTANCE_ID_TOO_LONG"),
        ("%E6%97%A5%E6%9C%AC%E8%AA%9E", None),
        ("%D9%A3", None),
        ("A_z-9", None),
        ("a.b", "ERR_INSTANCE_ID_INVALID"),
        ("a+b", "ERR_INSTANCE_ID_INVALID"),
        ("a%20", "ERR_INSTANCE_ID_INVALID"),
        ("a%0A", "ERR_INSTANCE_ID_INVALID"),
        ("%C2%BD", "ERR_INSTANCE_ID_INVALID"),
        ("%E2%85%A7", "ERR_INSTANCE_ID_INVALID"),
        ("e%CC%81", "ERR_INSTANCE_ID_INVALID"),
        ("%F0%9F%98%80", "ERR_INSTANCE_ID_INVALID"),
        ("%ff", "ERR_INSTANCE_ID_INVALID"),
        ("{instance}", "ERR_INSTANCE_ID_INVALID"),
    ],
)
def test_the_id_of_a_start_is_checked(make_door: Make, query: str, expected: str | None) -> None:
    """
    Bytes before characters; letters and decimal digits of any script.
    """
    world, door = make_door()
    reply = door.ask("POST", f"{SCRIPT}?instanceID={query}", WAIT)

    assert (reply.status, reply.json.get("errorCode")) == ((202, None) if expected is None else (400, expected))
    assert len(world.engine) == (expected is None)


def test_the_id_is_checked_on_start_alone(make_door: Make) -> None:
    """
    Any other operation takes an odd ID for one that nobody has, and answers with valid UTF-8.
    """
    _, door = make_door()
    for segment in ("a.b", "x" * 5000, "%ff%fe", "{instance}{0}", "%00", "a%2Fb"):
        shown = door.ask("GET", f"/v1.0/workflows/dapr/{segment}")
        paused = door.ask("POST", f"/v1.0/workflows/dapr/{segment}/pause")

        assert code(shown) == (404, "ERR_INSTANCE_ID_NOT_FOUND")
        assert code(paused) == (500, "ERR_PAUSE_WORKFLOW")
    assert "{instance}{0}" in door.ask("GET", "/v1.0/workflows/dapr/%7Binstance%7D{0}").json["message"]


def test_segments_are_decoded(make_door: Make) -> None:
    """
    Plus is a space, an escaped slash belongs to the segment, an escape is its character.
    """
    world, door = make_door()
    world.start("parent", {"call_child": {"id": "a b/c+é", "do": [{"wait_event": "x/y z"}]}})
    world.settle()
    base = "/v1.0/workflows/anything/a+b%2Fc%2B%C3%A9"

    assert door.ask("GET", base).json["instanceID"] == "a b/c+é"
    assert door.ask("GET", b"/v1.0/workflows/dapr/a+b%2fc%2B\xc3\xa9").status == 200
    assert door.ask("POST", f"{base}/raiseEvent/x%2Fy+z", b"1").status == 202
    world.settle()
    assert world.output("parent") == [[1]]


@pytest.mark.parametrize(
    "path", ["//v1.0//workflows/dapr/a", "/v1.0/./workflows/x/../dapr/a/", "/v1.0/workflows/dapr/a/"]
)
def test_paths_are_cleaned(make_door: Make, path: str) -> None:
    """
    Doubled slashes, dot segments and a slash at the end do not matter.
    """
    world, door = make_door()
    world.run("a")

    assert door.ask("GET", path).json["instanceID"] == "a"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v2.0/workflows/dapr/a"),
        ("GET", "/v1.0/Workflows/dapr/a"),
        ("GET", "/v1.0-alpha1/healthz"),
        ("GET", "/v1.0/workflows/dapr"),
        ("GET", "/v1.0/workflows//a"),
        ("HEAD", "/v1.0/workflows/dapr/a"),
        ("OPTIONS", "/v1.0/workflows/dapr/a"),
        ("DELETE", "/v1.0/workflows/dapr/a"),
        ("POST", "/v1.0/workflows/dapr/a"),
        ("GET", "/v1.0/workflows/dapr/a/pause"),
        ("PUT", "/v1.0/workflows/dapr/a/pause"),
        ("POST", "/v1.0/workflows/dapr/a/raiseEvent"),
        ("POST", "/v1.0/workflows/dapr/a/raiseEvent/"),
        ("POST", "/v1.0/workflows/dapr/a/raiseevent/go"),
        ("POST", "/v1.0/workflows/dapr//pause"),
        ("POST", "/v1.0/workflows/dapr/a/pause/more"),
        ("POST", "/v1.0/workflows/dapr/a%2Fpause"),
        ("POST", "/v1.0/healthz"),
        ("GET", "*"),
    ],
)
def test_what_is_no_operation_is_an_unknown_route(make_door: Make, method: str, path: str) -> None:
    """
    Never 405, and nothing happens to any instance.
    """
    world, door = make_door()
    before = world.run("a", {"wait_event": "go"})

    assert code(door.ask(method, path)) == (404, "ERR_DIRECT_INVOKE")
    assert world.engine.instance("a") is before


@pytest.mark.parametrize("path", ["/v1.0/workflows/dapr/%zz", "/%", "/v1.0/workflows/dapr/a/raiseEvent/%4"])
def test_a_broken_escape_is_refused(make_door: Make, path: str) -> None:
    """
    Wherever it stands in the path, before anything else is looked at.
    """
    _, door = make_door(token="secret")
    reply = door.ask("POST", path)

    assert (reply.status, reply.headers["content-type"]) == (400, "text/plain")
    assert reply.body.startswith(b"400 Bad Request: ")


OPERATIONS = [("GET", ""), *(("POST", f"/{name}") for name in ("pause", "resume", "terminate", "purge"))]


@pytest.mark.parametrize(("method", "operation"), OPERATIONS)
@pytest.mark.parametrize(
    "body", [b"null", b"[]", b"text", b" ", b'"x"', b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"a":NaN}', b"[" * 100_000]
)
def test_a_body_that_is_no_object_is_refused(make_door: Make, method: str, operation: str, body: bytes) -> None:
    """
    Of every operation that reads one; before the instance is looked up.
    """
    world, door = make_door()
    before = world.run("a", {"wait_event": "go"})

    assert code(door.ask(method, f"/v1.0/workflows/dapr/a{operation}", body)) == (400, "ERR_MALFORMED_REQUEST")
    assert code(door.ask(method, f"/v1.0/workflows/dapr/no.one{operation}", body)) == (400, "ERR_MALFORMED_REQUEST")
    assert world.engine.instance("a") is before


@pytest.mark.parametrize(("method", "operation"), OPERATIONS)
@pytest.mark.parametrize("body", [b"", b"{}", b' {"appID": "x", "big": ' + b"9" * 5000 + b"}\n"])
def test_an_object_as_body_is_ignored(make_door: Make, method: str, operation: str, body: bytes) -> None:
    """
    Whatever it holds.
    """
    world, door = make_door()
    world.run("a")

    assert door.ask(method, f"/v1.0/workflows/dapr/a{operation}", body).status < 300


def test_content_is_not_interpreted(make_door: Make) -> None:
    """
    Neither JSON nor a content type is demanded of an input; it is shown byte for byte.
    """
    world, door = make_door()
    for number, text in enumerate(("", " ", "nope", '{ "a" : 1.10 }', "é\u0000\U0001f600")):
        path = f"/v1.0/workflows/dapr/ConformanceEcho/start?instanceID=a{number}"
        door.ask("POST", path, text.encode(), content_type="application/octet-stream")
        world.settle()
        properties = door.ask("GET", f"/v1.0/workflows/dapr/a{number}").json["properties"]

        assert properties == {"dapr.workflow.input": text, "dapr.workflow.output": text}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{SCRIPT}?instanceID=b", "ERR_START_WORKFLOW"),
        ("/v1.0/workflows/dapr/a/raiseEvent/go", "ERR_RAISE_EVENT_WORKFLOW"),
        ("/v1.0/workflows/dapr/nobody/raiseEvent/go", "ERR_RAISE_EVENT_WORKFLOW"),
    ],
)
def test_content_that_is_no_utf_8_is_refused(make_door: Make, path: str, expected: str) -> None:
    """
    And nothing is started or delivered.
    """
    world, door = make_door()
    before = world.run("a", {"wait_event": "go"})

    assert code(door.ask("POST", path, b"\xff")) == (500, expected)
    assert (len(world.engine), world.engine.instance("a")) == (1, before)


def test_names_that_are_no_utf_8_are_refused_too(make_door: Make) -> None:
    """
    A workflow or an event cannot have such a name.
    """
    world, door = make_door()
    world.run("a", {"wait_event": "go"})

    assert code(door.ask("POST", "/v1.0/workflows/dapr/%ff/start")) == (500, "ERR_START_WORKFLOW")
    assert code(door.ask("POST", "/v1.0/workflows/dapr/a/raiseEvent/%ff")) == (500, "ERR_RAISE_EVENT_WORKFLOW")
    assert len(world.engine) == 1


@pytest.mark.parametrize("path", [f"{SCRIPT}?instanceID=a.b", "/v1.0/workflows/dapr/a/pause"])
@pytest.mark.parametrize("parts", [[b"x" * 101], [b"x" * 60, b"x" * 60, b"never read"]])
def test_a_body_over_the_limit_is_refused(make_door: Make, path: str, parts: list[bytes]) -> None:
    """
    Before it is looked at, and the connection closes after it.
    """
    world, door = make_door(max_body=100)
    reply = door.ask("POST", path, parts)

    assert code(reply) == (400, "ERR_BODY_READ")
    assert reply.headers["connection"] == "close"
    assert len(world.engine) == 0


def test_a_body_up_to_the_limit_is_read(make_door: Make) -> None:
    """
    In however many parts.
    """
    world, door = make_door(max_body=100)

    assert door.ask("POST", f"{SCRIPT}?instanceID=a", [b"x" * 50, b"y" * 50]).status == 202
    assert world.instance("a").input == "x" * 50 + "y" * 50


def test_a_request_that_breaks_off_does_nothing(make_door: Make) -> None:
    """
    A client that leaves before its body is whole has asked for nothing.
    """
    world, door = make_door()

    async def broken() -> list[Any]:
        sent: list[Any] = []
        messages = [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}]

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": SCRIPT,
            "raw_path": SCRIPT.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [],
        }
        await door.app(scope, receive, send)
        return sent

    assert asyncio.run(broken()) == []
    assert len(world.engine) == 0


def test_a_token_is_asked_of_all_but_the_open_operations(make_door: Make) -> None:
    """
    Also on a route that does not exist; without it nothing happens.
    """
    world, door = make_door(token="sécret")
    for method, path in (
        ("POST", SCRIPT),
        ("GET", "/v1.0/workflows/dapr/a"),
        ("GET", "/nowhere"),
        ("GET", "/v1.0/metadata"),
    ):
        for headers in ({}, {"dapr_api_token": "wrong"}):
            reply = door.ask(method, path, WAIT, **headers)
            assert (reply.status, reply.headers["content-type"]) == (401, "text/plain")
            assert reply.body == b"invalid api token\n"
    assert len(world.engine) == 0
    assert door.ask("POST", SCRIPT, WAIT, dapr_api_token="sécret").status == 202
    assert [door.ask("GET", f"/v1.0/healthz{rest}").status for rest in ("", "/outbound")] == [204, 204]


def test_the_probes_answer(make_door: Make) -> None:
    """
    Healthz is empty, metadata says who this is and that a worker is connected.
    """
    _, door = make_door(app_id="me")
    health, metadata = door.ask("GET", "/v1.0/healthz"), door.ask("GET", "/v1.0/metadata")

    assert (health.status, health.body, health.headers) == (204, b"", {})
    assert metadata.json == {"id": "me", "runtimeVersion": "1.18.3", "workflows": {"connectedWorkers": 1}}
    assert schema("Metadata").is_valid(metadata.json)


def test_an_error_inside_is_a_valid_answer_and_a_line_in_the_log(
    make_door: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    No traceback reaches the client.
    """
    world, door = make_door()
    monkeypatch.setattr(type(world.engine), "handle", lambda *_: 1 // 0)
    reply = door.ask("GET", "/v1.0/workflows/dapr/a")

    assert reply.status == 500
    assert schema("Error").is_valid(reply.json)
    assert [record.exc_info for record in caplog.records] == [None]


def test_the_documented_profile_answers_409(make_door: Make) -> None:
    """
    To a start under an active ID; where a profile leaves several answers open, it gives the usual one.
    """
    world, door = make_door(profile="documented")
    world.run("a", {"wait_event": "go"})

    assert door.ask("POST", f"{SCRIPT}?instanceID=a").status == 409
    assert code(door.ask("POST", "/v1.0/workflows/dapr/a/purge")) == (500, "ERR_PURGE_WORKFLOW")
    assert code(door.ask("GET", "/v1.0/workflows/dapr/b")) == (404, "ERR_INSTANCE_ID_NOT_FOUND")
    assert code(door.ask("POST", "/v1.0/workflows/dapr/b/pause")) == (500, "ERR_PAUSE_WORKFLOW")


@pytest.mark.parametrize(("profile", "status"), [("dapr-1.18", 404), ("dapr-edge", 400)])
def test_a_parameter_is_read_in_its_profiles_only(make_door: Make, profile: str, status: int) -> None:
    """
    AppID is not looked at before the main branch.
    """
    _, door = make_door(profile=profile)

    assert door.ask("GET", "/v1.0/workflows/dapr/a?appID=a.b").status == status


def test_a_failure_is_shown_as_the_profile_says(make_door: Make) -> None:
    """
    As output too in 1.18, not on the main branch.
    """
    outputs = []
    for profile in ("dapr-1.18", "dapr-edge"):
        world, door = make_door(profile=profile)
        world.run("a", {"fail": "no \ud800 luck"})
        properties = door.ask("GET", "/v1.0/workflows/dapr/a").json["properties"]
        outputs.append(properties.get("dapr.workflow.output"))
        assert properties["dapr.workflow.failure.error_message"] == "no \ufffd luck"

    assert outputs == ["no \ufffd luck", None]


@pytest.mark.parametrize("profile", spec.profiles())
def test_every_answer_of_every_cell_is_one_of_the_document(make_door: Make, profile: str) -> None:
    """
    Status, content type and body, in every profile.
    """
    loaded = spec.load(profile)
    paths = {
        item["x-operation"]: (method.upper(), path, item)
        for path, methods in DOCUMENT["paths"].items()
        for method, item in methods.items()
        if method != "servers" and "x-operation" in item
    }
    for operation in loaded.machine.offered("http"):
        method, path, item = paths[operation]
        values = {"workflowComponent": "dapr", "instanceID": "nobody", "workflowName": "W", "eventName": "go"}
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        _, door = make_door(profile=profile)
        reply = door.ask(method, f"/v1.0{path}")
        documented = item["responses"][str(reply.status)]
        assert documented, (operation, reply)
        assert json.loads(reply.body) is not None


def test_what_was_asked_is_only_the_path(make_door: Make) -> None:
    """
    Scopes that are not HTTP pass through to Starlette.
    """
    _, door = make_door()
    messages: list[Any] = []

    async def lifespan() -> None:
        requests = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> Any:
            return requests.pop(0)

        async def send(message: Any) -> None:
            messages.append(message["type"])

        await door.app({"type": "lifespan"}, receive, send)

    asyncio.run(lifespan())

    assert messages == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
