"""
`/__control/` of a server: what it was asked, its clock, its faults, its mutants.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc.aio
import jsonschema_rs
import pytest

import spec
from reference_server.assembly import Settings
from reference_server.control.stage import Stage
from reference_server.over_grpc import Calls, Port
from spec import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

HERE = ("127.0.0.1", 50_000)
STATE = "/v1.0/workflows/dapr"
START = f"{STATE}/ConformanceEcho/start"
SCHEMA = jsonschema_rs.Draft202012Validator(dict(spec.schema("control")))


@dataclass
class Caller:
    """
    A client of a stage: HTTP without a socket, gRPC over one.
    """

    stage: Stage
    channel: Any = None
    client: tuple[str, int] = HERE
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def http(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        given = {"host": "127.0.0.1:3500", **headers}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
            "client": self.client,
        }
        left = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            if left:
                return left.pop()
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.stage(scope, receive, send)
        return (sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:])) if sent else (0, b"")

    async def control(self, method: str, name: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        status, answer = await self.http(method, f"/__control/{name}", raw, **headers)
        return status, json.loads(answer)

    async def put(self, name: str, **given: Any) -> Any:
        status, answer = await self.control("PUT", name, {"version": 1, **given})
        assert status == 200, answer
        return answer

    async def exchanges(self, query: str = "") -> list[Any]:
        status, page = await self.control("GET", f"exchanges{query}")
        assert status == 200, page
        assert not list(SCHEMA.iter_errors(page))
        return list(page["exchanges"])

    async def call(self, name: str, /, *, within: float | None = 30, metadata: Any = (), **fields: Any) -> Any:
        (method,) = (methods[name] for methods in wire.services().values() if name in methods)
        request = method.request(**fields).SerializeToString()
        return await self.bytes(method.path, request, timeout=within, metadata=metadata)

    async def bytes(self, path: str, request: bytes, **given: Any) -> Any:
        try:
            return await self.channel.unary_unary(path)(request, **given)
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details()


@contextlib.asynccontextmanager
async def staged(mutant: str = "", **settings: Any) -> AsyncIterator[Caller]:
    stage = Stage(Settings(**settings), mutant)
    port = Port(Calls(stage.call), ["127.0.0.1"], 0, stage.watch.keep)
    await port.open()
    stage.start(asyncio.get_running_loop())
    try:
        async with grpc.aio.insecure_channel(port.places[0]) as channel:
            yield Caller(stage, channel)
    finally:
        stage.stop()
        await port.close()


def played(act: Callable[[Caller], Any], **settings: Any) -> Any:
    async def go() -> Any:
        async with staged(**settings) as caller:
            return await act(caller)

    return asyncio.run(go())


async def settled(caller: Caller, name: str, state: str) -> None:
    for _ in range(10_000):
        _, body = await caller.http("GET", f"{STATE}/{name}")
        if json.loads(body).get("runtimeStatus") == state:
            return
        await asyncio.sleep(0)
    raise AssertionError(body)


def test_an_exchange_over_http_is_kept_as_it_came() -> None:
    """
    Method, template, path and query with their escapes, headers in their order, body, and the answer.
    """

    async def act(caller: Caller) -> Any:
        await caller.http("POST", f"{START}?instanceID=a%2Db", b'{"n": 1}', dapr_api_token="t")
        await caller.http("GET", f"{STATE}/a%2Db")
        await caller.http("PUT", f"{STATE}/a%2Db")
        await caller.http("POST", f"{START}?instanceID=bytes", b"\xff")
        return await caller.exchanges()

    start, get, put, odd = played(act)

    assert start["surface"] == "http"
    assert start["method"] == "POST"
    assert start["template"] == "/v1.0/workflows/{workflowComponent}/{workflowName}/start"
    assert (start["path"], start["query"]) == (START, "instanceID=a%2Db")
    assert start["headers"] == [["host", "127.0.0.1:3500"], ["dapr-api-token", "t"]]
    assert start["body"] == '{"n": 1}'
    assert start["answer"]["status"] == 202
    assert json.loads(start["answer"]["body"]) == {"instanceID": "a-b"}
    assert get["template"] == "/v1.0/workflows/{workflowComponent}/{instanceID}"
    assert put["template"] == ""
    assert put["answer"]["status"] == 404
    assert base64.b64decode(odd["body_base64"]) == b"\xff"
    assert "body" not in odd


def test_an_exchange_over_grpc_is_kept_as_it_came() -> None:
    """
    On both services: the method, the metadata, the message as JSON and as bytes, the deadline, and the answer.
    """

    async def act(caller: Caller) -> Any:
        more = (("dapr-api-token", "t"),)
        await caller.call("StartInstance", instanceId="a", name="ConformanceEcho", metadata=more)
        await caller.call("GetWorkflowBeta1", instance_id="a", workflow_component="dapr")
        await caller.call("GetWorkflowBeta1", within=None)
        await caller.bytes("/TaskHubSidecarService/GetInstance", b"\xff")
        await caller.bytes("/TaskHubSidecarService/Nothing", b"")
        await caller.bytes("/other.Service/Nothing", b"")
        return await caller.exchanges()

    start, get, refused, odd, unknown, strange = played(act)

    assert start["surface"] == "taskhub"
    assert start["template"] == start["path"] == "/TaskHubSidecarService/StartInstance"
    assert start["message"] == {"instanceId": "a", "name": "ConformanceEcho"}
    assert ["dapr-api-token", "t"] in start["headers"]
    assert 0 < start["timeout"] <= 30
    assert start["answer"]["message"] == {"instanceId": "a"}
    assert get["surface"] == "dapr_grpc"
    assert get["answer"]["message"]["instance_id"] == "a"
    assert refused["answer"]["status"] == "INVALID_ARGUMENT"
    assert refused["answer"]["details"]
    assert "timeout" not in refused
    assert base64.b64decode(odd["body_base64"]) == b"\xff"
    assert "message" not in odd
    assert (unknown["template"], unknown["answer"]) == ("", {"status": "UNIMPLEMENTED"})
    assert strange["surface"] == ""


def test_exchanges_come_page_by_page_and_can_be_forgotten() -> None:
    """
    A cursor is where the next page begins; those that were forgotten are counted, and the control is not kept.
    """

    async def act(caller: Caller) -> Any:
        for number in range(3):
            await caller.http("GET", f"{STATE}/{number}")
        _, first = await caller.control("GET", "exchanges?limit=2")
        _, second = await caller.control("GET", f"exchanges?after={first['cursor']}")
        _, gone = await caller.control("DELETE", "exchanges")
        _, missed = await caller.control("GET", "exchanges")
        _, overview = await caller.control("GET", "")
        return first, second, gone, missed, overview

    first, second, gone, missed, overview = played(act)

    assert [one["path"][-1] for one in first["exchanges"]] == ["0", "1"]
    assert first["more"]
    assert [one["path"][-1] for one in second["exchanges"]] == ["2"]
    assert (second["more"], second["cursor"]) == (False, gone["cursor"])
    assert (missed["exchanges"], missed["missing"]) == ([], 3)
    assert overview["exchanges"] == {"kept": 0, "last": "3"}


def test_a_body_that_is_too_long_to_keep_is_cut() -> None:
    """
    No request fills the memory, and the reader is told.
    """

    async def act(caller: Caller) -> Any:
        caller.gone.set()
        await caller.http("POST", f"{START}?instanceID=a", b'"' + b"x" * 30 + b'"')
        return await caller.exchanges()

    (kept,) = played(act, max_body=10)

    assert kept["cut"]
    assert kept["body"] == '"' + "x" * 9
    assert kept["answer"]["status"] == 400


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        (("127.0.0.1", 1), {}, 200),
        (("::1", 1), {"host": "[::1]:3500"}, 200),
        (("::ffff:127.0.0.1", 1), {"host": "localhost"}, 200),
        (("10.0.0.7", 1), {}, 403),
        (("::ffff:10.0.0.7", 1), {}, 403),
        (None, {}, 403),
        (HERE, {"host": "evil.example"}, 403),
        (HERE, {"host": "10.0.0.7"}, 403),
        (HERE, {"origin": "https://evil.example"}, 403),
    ],
)
def test_only_programs_on_this_machine_are_answered(client: Any, headers: dict[str, str], status: int) -> None:
    """
    Neither another machine nor a page of another site, whatever name leads it here.
    """

    async def act(caller: Caller) -> Any:
        caller.client = client
        return await caller.control("GET", "exchanges", **headers)

    seen, answer = played(act)

    assert seen == status
    assert ("error" in answer) is (status == 403)


def test_time_can_be_wound_on() -> None:
    """
    A timer of a day is over at once; a clock that is stopped goes only when it is wound, and goes on from there.
    """

    async def act(caller: Caller) -> Any:
        await caller.put("clock", stopped=True)
        one, two = await caller.control("GET", "clock"), await caller.control("GET", "clock")
        await caller.http("POST", f"{STATE}/ConformanceScript/start?instanceID=a", b'{"do": [{"sleep": 86400}]}')
        await settled(caller, "a", "RUNNING")
        wound = await caller.put("clock", advance=86_401)
        await settled(caller, "a", "COMPLETED")
        going = await caller.put("clock", stopped=False)
        return one, two, wound, going

    one, two, wound, going = played(act)

    assert one == two
    assert one[1]["stopped"]
    assert not going["stopped"]
    assert one[1]["now"] < wound["now"] <= going["now"]


def test_an_answer_can_be_another_one() -> None:
    """
    On HTTP and gRPC, for the operation and the instance that are named, as often as is said; the server is not asked.
    """

    async def act(caller: Caller) -> Any:
        faults = [
            {"where": {"operation": "get", "contains": "/one"}, "times": 1, "status": 503, "message": "no"},
            {"where": {"operation": "get"}, "times": 1, "code": "UNAVAILABLE", "message": "no"},
        ]
        await caller.put("faults", faults=faults)
        seen = [
            await caller.http("GET", f"{STATE}/two"),
            await caller.http("GET", f"{STATE}/one"),
            await caller.http("GET", f"{STATE}/one"),
            await caller.call("GetInstance", instanceId="a"),
            await caller.call("GetInstance", instanceId="a"),
        ]
        _, told = await caller.control("GET", "faults")
        await caller.put("faults", faults=[])
        return seen, told, await caller.exchanges()

    seen, told, kept = played(act)

    assert [status for status, _ in seen[:3]] == [404, 503, 404]
    assert seen[1][1] == b"no"
    assert seen[3] == ("UNAVAILABLE", "no")
    assert isinstance(seen[4], bytes)
    assert [(one["met"], one["left"]) for one in told["faults"]] == [(1, 0), (1, 0)]
    assert [one["answer"]["status"] for one in kept] == [404, 503, 404, "UNAVAILABLE", "OK"]


@pytest.mark.parametrize(("lost", "done"), [("request", False), ("answer", True)])
def test_an_answer_can_be_lost(lost: str, done: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """
    The caller waits until it goes away; the server has done it or not, as was asked for.
    """

    async def act(caller: Caller) -> Any:
        await caller.put("faults", faults=[{"where": {"operation": "start"}, "times": 2, "drop": lost}])
        waits = asyncio.ensure_future(caller.http("POST", f"{START}?instanceID=a"))
        over_grpc = await caller.call("StartInstance", instanceId="b", name="ConformanceEcho", within=0.2)
        unanswered = not waits.done()
        caller.gone.set()
        await waits
        caller.gone.clear()
        found = [(await caller.http("GET", f"{STATE}/{name}"))[0] for name in "ab"]
        return unanswered, over_grpc[0], found, (await caller.exchanges())[:2]

    unanswered, over_grpc, found, kept = played(act)

    assert unanswered
    assert over_grpc == "DEADLINE_EXCEEDED"
    assert found == ([200, 200] if done else [404, 404])
    assert [one["answer"] for one in kept if one["surface"] == "taskhub"] == [None]


def test_an_answer_can_come_later() -> None:
    """
    A delay alone changes nothing but the time.
    """

    async def act(caller: Caller) -> Any:
        await caller.put("faults", faults=[{"where": {}, "delay": 0.01}])
        return (await caller.http("GET", f"{STATE}/a"))[0], await caller.call("GetInstance", instanceId="a")

    status, message = played(act)

    assert status == 404
    assert message == b""


def test_a_server_becomes_a_mutant_and_is_right_again() -> None:
    """
    Each begins with nothing, on all surfaces.
    """

    async def act(caller: Caller) -> Any:
        seen = []
        for mutant in ("control/dies", "", "event/lost"):
            told = await caller.put("mutant", mutant=mutant)
            status, _ = await caller.http("POST", f"{START}?instanceID=a")
            assert isinstance(await caller.call("StartInstance", instanceId="b", name="ConformanceEcho"), bytes)
            seen.append((told["mutant"], status))
        return seen

    assert played(act) == [("control/dies", 500), ("", 202), ("event/lost", 202)]


@pytest.mark.parametrize(
    ("method", "name", "body", "status", "says"),
    [
        ("GET", "nothing", None, 404, "/__control/exchanges"),
        ("POST", "faults", {}, 405, "takes GET, PUT"),
        ("PUT", "faults", b"{", 400, "not JSON"),
        ("PUT", "faults", b"[" * 100_000, 400, "not JSON"),
        ("PUT", "faults", b" " * ((1 << 20) + 1), 413, "bytes"),
        ("PUT", "faults", {"faults": []}, 400, "version"),
        ("PUT", "faults", {"version": 1, "faults": [{"where": {}}]}, 400, "faults/0"),
        ("PUT", "faults", {"version": 1, "faults": [{"where": {"oper": "x"}, "delay": 1}]}, 400, "oper"),
        ("PUT", "faults", {"version": 1, "faults": [{"where": {}, "code": "BROKEN"}]}, 400, "BROKEN"),
        ("PUT", "clock", {"version": 1, "advance": -1}, 400, "advance"),
        ("PUT", "mutant", {"version": 1, "mutant": "event/los"}, 400, "event/lost"),
        ("GET", "exchanges?after=x", None, 400, "after=x"),
        ("GET", "exchanges?limit=1001", None, 400, "1000"),
        ("GET", "exchanges?after=%D9%A1", None, 400, "a number"),
        ("GET", "exchanges?cursor=1", None, 400, "cursor"),
    ],
)
def test_what_cannot_be_used_is_told(method: str, name: str, body: Any, status: int, says: str) -> None:
    """
    With a status and a sentence, and nothing has changed.
    """

    async def act(caller: Caller) -> Any:
        _, before = await caller.control("GET", "")
        seen = await caller.control(method, name, body)
        _, after = await caller.control("GET", "")
        return seen, before, after

    (seen, answer), before, after = played(act)

    assert seen == status
    assert says in answer["error"]
    assert {**before, "now": ""} == {**after, "now": ""}


def test_every_answer_keeps_the_schema() -> None:
    """
    What the control answers is what spec/schemas/control.json says.
    """

    async def act(caller: Caller) -> Any:
        await caller.put("faults", faults=[{"where": {"operation": "get"}, "delay": 0.001, "message": "m"}])
        await caller.http("GET", f"{STATE}/a")
        return [(await caller.control("GET", name))[1] for name in ("exchanges", "clock", "faults", "mutant")]

    for answer in played(act):
        assert not list(SCHEMA.iter_errors(answer)), answer


def test_a_worker_is_served_as_always() -> None:
    """
    A stream of work items passes through, and is kept as one exchange.
    """

    async def act(caller: Caller) -> Any:
        kind = wire.services()["TaskHubSidecarService"]["GetWorkItems"]
        stream = caller.channel.unary_stream(kind.path)(b"")
        await caller.call("Hello")
        await caller.http("POST", f"{START}?instanceID=a")
        item = kind.response.FromString(await stream.read())
        stream.cancel()
        return item.WhichOneof("request"), [one["path"].rpartition("/")[2] for one in await caller.exchanges()]

    asked, kept = played(act, executor=False)

    assert asked in ("workflowRequest", "orchestratorRequest")
    assert sorted(kept) == ["GetWorkItems", "Hello", "start"]


def test_a_refused_token_is_kept_too() -> None:
    """
    What was sent without it, or with a wrong one, is seen.
    """

    async def act(caller: Caller) -> Any:
        await caller.http("GET", f"{STATE}/a")
        await caller.call("GetInstance", instanceId="a")
        return [one["answer"]["status"] for one in await caller.exchanges()]

    assert played(act, token="secret") == [401, "UNAUTHENTICATED"]


def test_control_is_off_unless_it_is_asked_for(launch: Any) -> None:
    """
    A server tells where its control is, or has none; every mutant at once has none.
    """
    ports = ("--dapr-http-port", "0", "--dapr-grpc-port", "0", "--ready-json")
    told = {}
    for flags in ((), ("--control",), ("--control", "--mutant", "event/lost")):
        process = launch(*ports, *flags)
        ready = process.ready()
        told[flags] = ready.get("control")
        connection = http.client.HTTPConnection(ready["http"].removeprefix("http://"), timeout=30)
        connection.request("GET", "/__control/mutant")
        answer = connection.getresponse()
        told[flags] = ready.get("control", ""), answer.status, json.loads(answer.read()).get("mutant")
        connection.close()
    code, _, err = launch(*ports, "--control", "--mutant", "every").finish()

    assert told[()][:2] == ("", 404)
    assert told[("--control",)][0].endswith("/__control/")
    assert told[("--control",)][1:] == (200, "")
    assert told[("--control", "--mutant", "event/lost")][1:] == (200, "event/lost")
    assert code == 2
    assert "name one mutant" in err
