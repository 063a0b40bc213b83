"""
What a client sent, read from exchanges and judged.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

import spec
from conformance import sent
from conformance.contract import Contract
from conformance.exchange import Observation, Request, Said
from conformance.match import MISSING, Text
from conformance.wants import Wire
from spec import wire

CONTRACT = Contract(spec.openapi())
READ = sent.Reader(CONTRACT)
STATE = "/v1.0/workflows/{workflowComponent}/{instanceID}"
START = "/v1.0-beta1/workflows/{workflowComponent}/{workflowName}/start"
EVENT = f"{STATE}/raiseEvent/{{eventName}}"
ID = "a-1"
SHOWN = {"createdAt": "2026-01-01T00:00:00.123456789Z", "runtimeStatus": "RUNNING", "input": Text('{"a": 1}')}


def exchange(template: str, path: str = "", **given: Any) -> dict[str, Any]:
    """
    One over HTTP.
    """
    method = given.pop("method", "POST" if template != STATE else "GET")
    filled = template.replace("{workflowComponent}", "dapr").replace("{instanceID}", ID)
    usual = {"n": 1, "at": "", "surface": "http", "query": "", "headers": [], "body": "", "answer": None}
    return {**usual, "method": method, "template": template, "path": path or filled, **given}


def called(method_name: str, /, body: bytes | None = None, answer: Any = None, **fields: Any) -> dict[str, Any]:
    """
    One over gRPC.
    """
    (method,) = (methods[method_name] for methods in wire.services().values() if method_name in methods)
    raw = method.request(**fields).SerializeToString() if body is None else body
    surface = next((one for one, of in spec.grpc().items() if of.service in method.path), "")
    told = None if answer is None else {"status": "OK", "body_base64": base64.b64encode(answer).decode()}
    usual = {"n": 1, "at": "", "query": "", "headers": [["dapr-api-token", "t"]], "message": dict(fields)}
    return {
        **usual,
        "surface": surface,
        "method": "POST",
        "template": method.path,
        "path": method.path,
        "body_base64": base64.b64encode(raw).decode(),
        "answer": told,
    }


def saw(status: Any = 200, **fields: Any) -> Observation:
    seconds = fields.pop("seconds", 0.0)
    return Observation(Request("GET", b"/"), status, said=Said(fields), seconds=seconds)


def verdict(operation: str, expect: dict[str, Any], *exchanges: dict[str, Any], seen: Any = None, **known: Any) -> Any:
    wants = Wire(operation, ("GET /documented",), expect)
    return sent.judge(wants, seen or saw(), [READ(one) for one in exchanges], known)


def test_words_are_found_wherever_http_has_them() -> None:
    """
    In the path, in the query, and in the body; decoded as a sidecar decodes them.
    """
    start = READ(exchange(START, "/v1.0-beta1/workflows/dapr/Echo/start", query="instanceID=a%2Fb", body='{"n": 1}'))
    event = READ(exchange(EVENT, "/v1.0/workflows/dapr/a%2Fb/raiseEvent/x%20y"))

    assert start.operations == ("start",)
    assert start.words == {"component": "dapr", "workflow": "Echo", "instance": "a/b", "data": Text('{"n": 1}')}
    assert event.operations == ("raise_event",)
    assert event.words == {"component": "dapr", "instance": "a/b", "event": "x y"}
    assert event.body is MISSING


def test_words_are_found_wherever_messages_have_them() -> None:
    """
    On both services; payloads are texts that hold JSON, whether their field is bytes or text.
    """
    start = READ(called("StartWorkflowBeta1", instance_id="a", workflow_name="Echo", input=b"[1]"))
    hub = READ(called("StartInstance", instanceId="a", name="Echo"))
    purge = READ(called("PurgeInstances", instanceId="a", recursive=True))
    odd = READ(called("StartWorkflowBeta1", instance_id="a", input=b"\xff"))

    assert start.words == {"instance": "a", "workflow": "Echo", "data": Text("[1]")}
    assert hub.words == {"instance": "a", "workflow": "Echo"}
    assert purge.operations == ("purge", "force_purge")
    assert purge.words["recursive"] is True
    assert odd.words["data"] == base64.b64encode(b"\xff").decode()
    assert READ(called("GetInstance", body=b"\xff")).words == {}


@pytest.mark.parametrize(
    "aside",
    [
        exchange("/v1.0/healthz/outbound", "/v1.0/healthz/outbound", method="GET"),
        exchange("/v1.0/metadata", "/v1.0/metadata", method="GET"),
        called("Hello"),
        called("GetMetadata"),
        called("CreateTaskHub"),
        called("GetWorkItems"),
        called("CompleteWorkflowTask"),
    ],
    ids=lambda one: one["path"],
)
def test_what_is_documented_for_no_operation_is_aside(aside: dict[str, Any]) -> None:
    """
    Health, metadata and what workers say are no requests of an operation, however many there are.
    """
    if aside["surface"] == "http":
        assert (aside["method"], aside["template"]) in READ._http
    assert READ(aside).aside
    assert verdict("get", {"calls": 1, "documented": True}, aside, exchange(STATE), aside).passed


def test_what_nobody_documents_counts() -> None:
    """
    A request to an endpoint that there is not is one too many, and a wrong one.
    """
    odd = exchange("", "/v1.0/workflows/dapr/a/b/c", method="GET")
    strange = {**called("GetInstance"), "surface": "", "template": "", "path": "/other.Service/Method"}

    for one in (odd, strange):
        assert not READ(one).aside
        assert "calls: wanted 1, saw 2" in verdict("get", {"calls": 1}, exchange(STATE), one).why
        assert "endpoint: wanted" in verdict("get", {"documented": True}, one).why


GOOD = exchange(
    EVENT,
    query="a=1",
    headers=[["Dapr-Api-Token", "t"], ["X", "1"], ["X", "2"]],
    body='{"n": 1.0}',
    path="/v1.0/workflows/dapr/a-1/raiseEvent/go%21",
)
CALLED = called("RaiseEvent", instanceId=ID, name="go!")
PARTS: list[tuple[str, Any, Any, Any]] = [
    ("calls", 1, 2, GOOD),
    ("calls", {"$gte": 1}, {"$gte": 2}, GOOD),
    ("method", "POST", "PUT", GOOD),
    ("template", EVENT, STATE, GOOD),
    ("path", "/v1.0/workflows/dapr/a-1/raiseEvent/go%21", "/v1.0/workflows/dapr/a-1/raiseEvent/go!", GOOD),
    ("query", {"a": "1"}, {"a": "2"}, GOOD),
    ("query", {"b": {"$absent": True}}, {"a": {"$absent": True}}, GOOD),
    ("headers", {"dapr-api-token": {"$present": True}}, {"other": {"$present": True}}, GOOD),
    ("headers", {"x": "1, 2"}, {"x": "1"}, GOOD),
    ("body", {"n": 1}, {"n": 2}, GOOD),
    ("body", {"$text": '{"n": 1.0}'}, {"$text": '{"n": 1}'}, GOOD),
    ("sent", {"instance": "${wf}"}, {"instance": "b"}, GOOD),
    ("sent", {"event": "go!"}, {"event": "go"}, GOOD),
    ("sent", {"data": {"n": 1}}, {"data": {"$absent": True}}, GOOD),
    ("sent", {"instance": "${wf}", "event": "go!"}, {"instance": "${wf}", "event": "gone"}, CALLED),
    ("sent", {"data": {"$absent": True}}, {"data": {"$any": True, "$present": True}}, CALLED),
    ("message", {"instanceId": ID}, {"instanceId": "b"}, CALLED),
    ("message", {"input": {"$absent": True}}, {"name": {"$absent": True}}, CALLED),
    ("headers", {"dapr-api-token": "t"}, {"dapr-api-token": "u"}, CALLED),
]


@pytest.mark.parametrize(("key", "right", "wrong", "one"), PARTS)
def test_each_part_of_a_request_can_be_right_and_wrong(key: str, right: Any, wrong: Any, one: Any) -> None:
    """
    Every assertion passes on what it wants and fails on anything else, and says where.
    """
    good = verdict("raise_event", {key: right}, one, wf=ID)
    bad = verdict("raise_event", {key: wrong}, one, wf=ID)

    assert good.passed, good.why
    assert bad.result == "fail"
    assert bad.why.startswith(key if key != "sent" else "words")


def test_every_part_that_a_scenario_can_name_is_looked_at() -> None:
    """
    The schema has no key that nobody judges.
    """
    known = spec.schema("scenario")["$defs"]["wire"]["properties"].keys()

    assert known == {*sent.LOOKS, "calls", "seconds"}
    assert {key for key, *_ in PARTS} | {"documented", "shown", "seconds"} == known


def test_the_endpoint_is_that_of_the_operation() -> None:
    """
    Any version that is documented will do; another operation's will not.
    """
    assert verdict("get", {"documented": True}, exchange(STATE)).passed
    assert verdict("get", {"documented": True}, exchange(STATE.replace("v1.0", "v1.0-alpha1"), method="GET")).passed
    assert verdict("raise_event", {"documented": True}, CALLED).passed
    assert verdict("force_purge", {"documented": True}, called("PurgeInstances")).passed
    failed = verdict("pause", {"documented": True}, exchange(STATE))
    assert failed.why == f'endpoint: wanted "GET /documented", saw "GET {STATE}"'


def test_each_request_of_a_step_is_looked_at() -> None:
    """
    A second one that is otherwise than the first is seen, and one that never came too.
    """
    other = exchange(STATE, "/v1.0/workflows/dapr/other")

    assert "other" in verdict("get", {"sent": {"instance": ID}}, exchange(STATE), other).why
    assert verdict("get", {"sent": {"instance": ID}}).why == 'calls: wanted "one, at least", saw 0'


def answered(**properties: str) -> dict[str, Any]:
    body = '{"createdAt": "2026-01-01T00:00:00.123456789Z", "runtimeStatus": "RUNNING"'
    told = ", ".join(f'"dapr.workflow.{name}": "{text}"' for name, text in properties.items())
    return exchange(STATE, answer={"status": 200, "body": f'{body}, "properties": {{{told}}}}}'})


@pytest.mark.parametrize(
    ("field", "told", "right"),
    [
        ("createdAt", "2026-01-01T00:00:00.123456789Z", True),
        ("createdAt", "2026-01-01T00:00:00.123Z", True),
        ("createdAt", "2026-01-01T00:00:00.123456Z", True),
        ("createdAt", "2026-01-01T01:00:00.123457+01:00", True),
        ("createdAt", "2026-01-01T00:00:00.124567Z", False),
        ("createdAt", "2026-01-01T01:00:00.123Z", False),
        ("createdAt", "1970-01-01T00:00:00Z", False),
        ("createdAt", "yesterday", False),
        ("runtimeStatus", "RUNNING", True),
        ("runtimeStatus", "Running", False),
        ("input", Text('{"a":1.0}'), True),
        ("input", Text('{"a": 2}'), False),
        ("input", Text("{"), False),
        ("output", MISSING, True),
        ("output", Text("1"), False),
    ],
)
def test_what_a_client_shows_is_held_against_the_answer(field: str, told: Any, right: bool) -> None:  # noqa: FBT001
    """
    Times to the last digit that is shown, JSON as JSON, all else as it is; what was not answered must not be shown.
    """
    fields = {} if told is MISSING else {field: told}
    found = verdict("get", {"shown": [field]}, answered(input='{\\"a\\": 1}'), seen=saw("OK", **fields))

    assert found.passed is right, found.why


def test_answers_of_methods_are_read_too() -> None:
    """
    The client that shows another status than the message is caught.
    """
    kind = wire.services()["TaskHubSidecarService"]["GetInstance"].response
    message = kind(exists=True)
    message.workflowState.instanceId = ID
    message.workflowState.workflowStatus = 0
    told = called("GetInstance", answer=message.SerializeToString(), instanceId=ID)

    assert verdict("get", {"shown": ["runtimeStatus"]}, told, seen=saw("OK", runtimeStatus="RUNNING")).passed
    assert not verdict("get", {"shown": ["runtimeStatus"]}, told, seen=saw("OK", runtimeStatus="FAILED")).passed


def test_time_is_the_clients() -> None:
    """
    A wait that outlasts its time is seen, whatever was sent.
    """
    assert verdict("get", {"seconds": {"$lte": 2}}, exchange(STATE), seen=saw(seconds=1.5)).passed
    assert "seconds" in verdict("get", {"seconds": {"$lte": 2}}, exchange(STATE), seen=saw(seconds=2.5)).why


def test_without_an_answer_nothing_is_judged() -> None:
    """
    A client that says nothing has not passed; what nothing has bound is told.
    """
    gone = Observation(Request("GET", b"/"), None, trouble="environment", error="it ended")

    assert verdict("get", {"calls": 1}, exchange(STATE), seen=gone).result == "error"
    assert verdict("get", {"sent": {"instance": "${wf}"}}, exchange(STATE)).why == "nothing has bound wf yet"
