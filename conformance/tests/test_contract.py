import json
from typing import Any

import pytest

import spec
from conformance.contract import Contract, encode


@pytest.fixture(scope="module")
def contract() -> Any:
    return Contract(spec.openapi())


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a", "a"),
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("a.b", "a.b"),
        ("é", "%C3%A9"),
        ("a+b%", "a%2Bb%25"),
    ],
)
def test_values_are_encoded(text: Any, sent: Any) -> None:
    """
    A value is one segment, whatever it holds.
    """
    assert encode(text) == sent


def test_requests_come_from_the_document(contract: Any) -> None:
    """
    Path and query of each operation are those of the document.
    """
    values = {"workflowComponent": "dapr", "workflowName": "W", "instanceID": "a b", "eventName": "go/1"}

    assert contract.operation("start").target("v1.0", values) == "/v1.0/workflows/dapr/W/start?instanceID=a%20b"
    assert (
        contract.operation("raise_event").target("v1.0-beta1", values)
        == "/v1.0-beta1/workflows/dapr/a%20b/raiseEvent/go%2F1"
    )
    del values["instanceID"]
    assert contract.operation("start").target("v1.0", values) == "/v1.0/workflows/dapr/W/start"


def test_every_operation_of_the_machine_has_one_of_the_document(contract: Any) -> None:
    """
    Both ways: no operation of the table without a route, no route with an operation that the table lacks.
    """
    machine = spec.load().machine

    assert {one.operation for one in contract.operations if one.operation} == set(machine.offered("http"))


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/v1.0/workflows/dapr/x", "getWorkflow"),
        ("POST", "/v1.0-alpha1/workflows/dapr/x/pause?y=1", "pauseWorkflow"),
        ("GET", "/v1.0/metadata", ""),
        ("GET", "/v1.0-beta1/metadata", ""),
        ("GET", "/v2/workflows/dapr/x", ""),
        ("PUT", "/v1.0/workflows/dapr/x", ""),
        ("POST", "/v1.0/workflows/dapr/x/pause/", ""),
        ("POST", "/v1.0/workflows/dapr/../pause", ""),
        ("POST", "/v1.0/workflows/dapr/%2e%2e/pause", ""),
        ("POST", "/v1.0/workflows//x/pause", ""),
    ],
)
def test_only_what_is_beyond_doubt_is_routed(contract: Any, method: Any, target: Any, operation: Any) -> None:
    """
    A raw request is held against the document only where it is one of its operations without any doubt.
    """
    assert contract.route(method, target) == operation


GOOD = {
    "instanceID": "a",
    "createdAt": "2026-01-12T21:31:13Z",
    "lastUpdatedAt": "2026-01-12T21:31:13Z",
    "runtimeStatus": "RUNNING",
}


@pytest.mark.parametrize(
    ("status", "media", "body"),
    [
        (200, "application/json", GOOD),
        (200, "Application/JSON; charset=utf-8", GOOD),
        (404, "application/json", {"errorCode": "ERR_X", "message": "m"}),
        (401, "text/plain", "no"),
    ],
)
def test_documented_answers_pass(contract: Any, status: Any, media: Any, body: Any) -> None:
    """
    Status, content type and body as documented are no problem.
    """
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()

    assert contract.problems("getWorkflow", status, media, raw) == []


@pytest.mark.parametrize(
    ("status", "media", "body"),
    [
        (202, "application/json", b"{}"),
        (405, "application/json", b"{}"),
        (200, "text/html", json.dumps(GOOD).encode()),
        (200, "", json.dumps(GOOD).encode()),
        (200, "application/json", b"{}"),
        (200, "application/json", b""),
        (200, "application/json", b"\xff"),
        (200, "application/json", b"NaN"),
        (200, "application/json", b"[" * 50_000),
        (200, "application/json", json.dumps({**GOOD, "runtimeStatus": "running"}).encode()),
        (200, "application/json", json.dumps({**GOOD, "createdAt": "2026-02-30T21:31:13Z"}).encode()),
        (200, "application/json", json.dumps({**GOOD, "createdAt": "2026-01-12T21:31:13Z\n"}).encode()),
        (404, "application/json", b'{"errorCode": "nope", "message": "m"}'),
        (401, "text/plain", b"\xff"),
    ],
)
def test_any_other_answer_is_a_problem(contract: Any, status: Any, media: Any, body: Any) -> None:
    """
    An undocumented status, another content type and a body against its schema are problems.
    """
    assert contract.problems("getWorkflow", status, media, body)


def test_no_body_means_none(contract: Any) -> None:
    """
    Where the document lists no content, no byte may come.
    """
    assert contract.problems("health", 204, "", b"") == []
    assert contract.problems("health", 204, "", b"x")


@pytest.mark.parametrize("body", [b"{}", b""])
def test_what_the_documentation_promises_without_content_may_have_none(contract: Any, body: Any) -> None:
    """
    An accepted pause answers an empty object, as the runtime does, or nothing, as the documentation says.
    """
    assert contract.problems("pauseWorkflow", 202, "application/json" if body else "", body) == []
    assert contract.schema_problems("Empty", body) == []


def test_an_answer_with_content_may_not_leave_it_out(contract: Any) -> None:
    """
    A start answers an ID.
    """
    assert contract.problems("startWorkflow", 202, "application/json", b"")
    assert contract.schema_problems("StartResponse", b"")
