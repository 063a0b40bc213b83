"""
Clients of Dapr's JavaScript SDK, unmodified, against the server.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Any]
    Connect = Callable[..., Any]

OVER_HTTP = ["javascript-3.1.2", "javascript-3.6.1", "javascript-3.18.0"]
"""
3.1.2 calls /v1.0-alpha1, the others /v1.0-beta1.
"""
OVER_GRPC = ["javascript-3.6.1", "javascript-3.18.0"]
"""
3.1.2 has no DaprWorkflowClient.
"""
RUNNING, COMPLETED, FAILED, TERMINATED, PENDING, SUSPENDED = 0, 1, 3, 5, 6, 7
"""
Members of the SDK's WorkflowRuntimeStatus.
"""
PAYLOADS, NO_PAYLOADS = True, False
WAITS = {"do": [{"wait_event": "go"}]}


def fresh() -> str:
    return uuid.uuid4().hex


def status(word: str | int) -> Callable[[Any], bool]:
    return lambda state: state["runtimeStatus"] == word


@pytest.mark.parametrize("version", OVER_HTTP)
def test_the_dapr_client_manages_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    Start, get, pause, resume, raise an event, purge: each is accepted and has its effect.
    """
    sdk, name = client(version, "dapr", serve()), fresh()
    started = sdk.call("start", "ConformanceScript", WAITS, name)
    running = sdk.until(status("RUNNING"), "get", name)
    sdk.call("pause", name)
    sdk.until(status("SUSPENDED"), "get", name)
    sdk.call("resume", name)
    sdk.until(status("RUNNING"), "get", name)
    sdk.call("raise", name, "go", {"a": 1})
    completed = sdk.until(status("COMPLETED"), "get", name)
    sdk.call("purge", name)
    with pytest.raises(Exception, match='"status":404'):
        sdk.call("get", name)

    assert (started, running["instanceID"], running["workflowName"]) == (name, name, "ConformanceScript")
    assert running["createdAt"] <= completed["lastUpdatedAt"]
    assert completed["properties"] == {
        "dapr.workflow.input": '{"do":[{"wait_event":"go"}]}',
        "dapr.workflow.output": '[{"a":1}]',
    }


@pytest.mark.parametrize("version", OVER_HTTP)
def test_the_dapr_client_terminates_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    Under an ID that the SDK made up; the ID can be used again.
    """
    sdk = client(version, "dapr", serve())
    name = sdk.call("start", "ConformanceScript", WAITS)
    sdk.call("terminate", name)
    sdk.until(status("TERMINATED"), "get", name)
    again = sdk.call("start", "ConformanceScript", WAITS, name)
    sdk.until(status("RUNNING"), "get", name)

    assert str(uuid.UUID(name)) == name == again


@pytest.mark.parametrize("version", OVER_HTTP)
def test_the_dapr_client_tells_of_refusals(serve: Serve, client: Connect, version: str) -> None:
    """
    A start under an active ID and a purge of an active instance reject with the HTTP status.
    """
    sdk, name = client(version, "dapr", serve()), fresh()
    sdk.call("start", "ConformanceScript", WAITS, name)
    with pytest.raises(Exception, match='"status":500') as twice:
        sdk.call("start", "ConformanceScript", WAITS, name)
    with pytest.raises(Exception, match='"status":500') as early:
        sdk.call("purge", name)
    with pytest.raises(Exception, match='"status":404') as unknown:
        sdk.call("get", fresh())

    assert "ERR_START_WORKFLOW" in twice.value.message
    assert "ERR_PURGE_WORKFLOW" in early.value.message
    assert "ERR_INSTANCE_ID_NOT_FOUND" in unknown.value.message


@pytest.mark.parametrize("version", OVER_HTTP)
@pytest.mark.parametrize(
    ("given", "sent"),
    [("plain", "plain"), (5, "5"), ([1, 2], "[1,2]"), ({"$bytes": "raw"}, "raw"), (0, None), ("", None), (False, None)],
)
def test_the_dapr_client_sends_inputs(
    serve: Serve, client: Connect, version: str, given: Any, sent: str | None
) -> None:
    """
    Text without quotes, and nothing at all for what JavaScript takes for false: the server keeps the bytes it gets.
    """
    sdk = client(version, "dapr", serve())
    name = sdk.call("start", "ConformanceEcho", given)
    ended = sdk.until(lambda state: state["runtimeStatus"] in {"COMPLETED", "FAILED"}, "get", name)

    assert (ended["properties"].get("dapr.workflow.input") or None) == sent


@pytest.mark.parametrize("version", OVER_GRPC)
def test_the_workflow_client_manages_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    Suspend and resume are seen by the very next get; the waits wait, and have no deadline on the wire.
    """
    sdk, name = client(version, "workflow", serve()), fresh()
    started = sdk.call("scheduleNewWorkflow", "ConformanceScript", WAITS, name)
    running = sdk.call("waitForWorkflowStart", name)
    sdk.call("suspendWorkflow", name)
    paused = sdk.call("getWorkflowState", name, PAYLOADS)
    sdk.call("resumeWorkflow", name)
    resumed = sdk.call("getWorkflowState", name, NO_PAYLOADS)
    sdk.call("raiseEvent", name, "go", {"a": 1})
    completed = sdk.call("waitForWorkflowCompletion", name)
    purged = sdk.call("purgeWorkflow", name)
    with pytest.raises(Exception, match="no such instance exists"):
        sdk.call("purgeWorkflow", name)

    assert (started, running["instanceId"], running["name"]) == (name, name, "ConformanceScript")
    assert [one["runtimeStatus"] for one in (running, paused, resumed, completed)] == [
        RUNNING,
        SUSPENDED,
        RUNNING,
        COMPLETED,
    ]
    assert (paused["serializedInput"], resumed["serializedInput"]) == ('{"do":[{"wait_event":"go"}]}', None)
    assert completed["serializedOutput"] == '[{"a":1}]'
    assert (purged, sdk.call("getWorkflowState", name, PAYLOADS)) == (True, None)


@pytest.mark.parametrize("version", OVER_GRPC)
def test_the_workflow_client_terminates_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    With an output, and the next get sees it.
    """
    sdk = client(version, "workflow", serve())
    name = sdk.call("scheduleNewWorkflow", "ConformanceScript", WAITS)
    sdk.call("terminateWorkflow", name, {"bye": 1})
    ended = sdk.call("getWorkflowState", name, PAYLOADS)

    assert (ended["runtimeStatus"], ended["serializedOutput"]) == (TERMINATED, '{"bye":1}')


@pytest.mark.parametrize("version", OVER_GRPC)
def test_the_workflow_client_tells_of_failures(serve: Serve, client: Connect, version: str) -> None:
    """
    Of the workflow's: its message. Of a wait's: a time-out. Of a start under an active ID: the status.
    """
    sdk, name = client(version, "workflow", serve()), fresh()
    broken = sdk.call("scheduleNewWorkflow", "ConformanceScript", {"do": [{"fail": "no luck"}]})
    failed = sdk.call("waitForWorkflowCompletion", broken)
    sdk.call("scheduleNewWorkflow", "ConformanceScript", WAITS, name)
    with pytest.raises(Exception, match=r"[Tt]ime") as late:
        sdk.call("waitForWorkflowCompletion", name, PAYLOADS, 1)
    with pytest.raises(Exception, match="already exists") as twice:
        sdk.call("scheduleNewWorkflow", "ConformanceScript", WAITS, name)

    assert failed["runtimeStatus"] == FAILED
    assert failed["workflowFailureDetails"]["getErrorMessage"] == "no luck"
    assert (late.value.type, twice.value.code) == ("TimeoutError", 6)
    assert sdk.call("getWorkflowState", fresh(), PAYLOADS) is None


@pytest.mark.parametrize("version", OVER_GRPC)
def test_the_workflow_client_schedules_for_later(serve: Serve, client: Connect, version: str) -> None:
    """
    The instance is PENDING until then.
    """
    sdk = client(version, "workflow", serve())
    far = sdk.call("scheduleNewWorkflow", "ConformanceEcho", [1], fresh(), {"$time": 3600})
    near = sdk.call("scheduleNewWorkflow", "ConformanceEcho", [1], fresh(), {"$time": 1})

    assert sdk.call("waitForWorkflowCompletion", near)["runtimeStatus"] == COMPLETED
    assert sdk.call("getWorkflowState", far, NO_PAYLOADS)["runtimeStatus"] == PENDING


@pytest.mark.parametrize(
    ("version", "kind", "name"),
    [("javascript-3.1.2", "dapr", "start"), ("javascript-3.18.0", "workflow", "scheduleNewWorkflow")],
)
def test_the_token_is_asked_for(serve: Serve, client: Connect, version: str, kind: str, name: str) -> None:
    """
    With it calls are served, without it they are refused: DaprClient then asks for /v1.0/metadata for half a minute.
    """
    server = serve(token="secret")
    assert client(version, kind, server).call(name, "ConformanceEcho", [1])
    if kind == "workflow":
        with pytest.raises(Exception, match=r"invalid api token|[Uu]nauth"):
            client(version, kind, server, DAPR_API_TOKEN="wrong").call(name, "ConformanceEcho", [1])
