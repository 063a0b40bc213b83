"""
Clients of Dapr's Python SDK, unmodified, against the server.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Any]
    Connect = Callable[..., Any]

MANAGES = ["python-1.14.1", "python-1.17.5"]
"""
Versions whose DaprClient still has the management calls.
"""
HAS_WORKFLOW_CLIENT = ["python-1.14.1", "python-1.17.5", "python-1.19.0"]
WAITS = {"do": [{"wait_event": "go"}]}
PARENT = {"do": [{"call_child": {"id": "child", "do": [{"wait_event": "go"}]}}]}


def fresh() -> str:
    return uuid.uuid4().hex


def status(word: str) -> Callable[[Any], bool]:
    return lambda state: state["runtime_status"] == word


@pytest.mark.parametrize("version", MANAGES)
def test_the_dapr_client_manages_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    Start, get, pause, resume, raise an event, purge: each is accepted and has its effect.
    """
    sdk, name = client(version, "dapr", serve()), fresh()
    one = {"instance_id": name, "workflow_component": "dapr"}
    script = {"workflow_component": "dapr", "workflow_name": "ConformanceScript", "input": WAITS}
    started = sdk.call("start_workflow", instance_id=name, workflow_options={"task_queue": "q"}, **script)
    running = sdk.until(status("Running"), "get_workflow", **one)
    sdk.call("pause_workflow", **one)
    sdk.until(status("Suspended"), "get_workflow", **one)
    sdk.call("resume_workflow", **one)
    sdk.until(status("Running"), "get_workflow", **one)
    sdk.call("raise_workflow_event", event_name="go", event_data={"a": 1, "ü": None}, **one)
    completed = sdk.until(status("Completed"), "get_workflow", **one)
    sdk.call("purge_workflow", **one)

    assert (started["instance_id"], running["instance_id"], running["workflow_name"]) == (
        name,
        name,
        "ConformanceScript",
    )
    assert running["created_at"] <= completed["last_updated_at"]
    assert completed["properties"] == {
        "dapr.workflow.input": '{"do": [{"wait_event": "go"}]}',
        "dapr.workflow.output": '[{"a":1,"ü":null}]',
    }


@pytest.mark.parametrize("version", MANAGES)
def test_the_dapr_client_terminates_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    Under an ID that the SDK made up; the ID can be used again.
    """
    sdk = client(version, "dapr", serve())
    script = {"workflow_component": "dapr", "workflow_name": "ConformanceScript", "input": WAITS}
    name = sdk.call("start_workflow", **script)["instance_id"]
    one = {"instance_id": name, "workflow_component": "dapr"}
    sdk.call("terminate_workflow", **one)
    sdk.until(status("Terminated"), "get_workflow", **one)
    again = sdk.call("start_workflow", instance_id=name, **script)
    sdk.until(status("Running"), "get_workflow", **one)

    assert str(uuid.UUID(name)) == name == again["instance_id"]


@pytest.mark.parametrize("version", MANAGES)
def test_the_dapr_client_sends_bytes_as_they_are(serve: Serve, client: Connect, version: str) -> None:
    """
    With send_raw_bytes; no input at all is no input.
    """
    sdk = client(version, "dapr", serve())
    echo = {"workflow_component": "dapr", "workflow_name": "ConformanceEcho"}
    raw = sdk.call("start_workflow", input={"$bytes": '{"raw":  1}'}, send_raw_bytes=True, **echo)["instance_id"]
    bare = sdk.call("start_workflow", **echo)["instance_id"]
    shown = [
        sdk.until(status("Completed"), "get_workflow", instance_id=name, workflow_component="dapr")["properties"]
        for name in (raw, bare)
    ]

    assert shown[0]["dapr.workflow.input"] == '{"raw":  1}'
    assert not shown[1].get("dapr.workflow.input")


@pytest.mark.parametrize("version", MANAGES)
def test_the_dapr_client_tells_of_refusals(serve: Serve, client: Connect, version: str) -> None:
    """
    A start under an active ID and a purge of an active instance raise the SDK's error with the server's words.
    """
    sdk, name = client(version, "dapr", serve()), fresh()
    one = {"instance_id": name, "workflow_component": "dapr"}
    script = {"workflow_component": "dapr", "workflow_name": "ConformanceScript", "input": WAITS}
    sdk.call("start_workflow", instance_id=name, **script)
    with pytest.raises(Exception, match="already exists") as twice:
        sdk.call("start_workflow", instance_id=name, **script)
    with pytest.raises(Exception, match=name) as early:
        sdk.call("purge_workflow", **one)

    assert (twice.value.type, early.value.type) == ("DaprInternalError", "DaprInternalError")


@pytest.mark.parametrize(("version", "told"), [("python-1.14.1", None), ("python-1.17.5", "no such instance exists")])
def test_the_dapr_client_and_an_unknown_instance(serve: Serve, client: Connect, version: str, told: str | None) -> None:
    """
    The runtime answers OK and says nothing: since 1.16 the SDK raises, before that it returns a status of UNKNOWN.
    """
    sdk = client(version, "dapr", serve())
    unknown = {"instance_id": fresh(), "workflow_component": "dapr"}
    if told is None:
        assert sdk.call("get_workflow", **unknown)["runtime_status"] == "UNKNOWN"
    else:
        with pytest.raises(Exception, match=told):
            sdk.call("get_workflow", **unknown)


def test_the_dapr_client_has_no_management_calls_since_1_18(serve: Serve, client: Connect) -> None:
    """
    DaprWorkflowClient took their place; the client itself connects.
    """
    sdk = client("python-1.19.0", "dapr", serve())
    with pytest.raises(Exception, match="start_workflow") as removed:
        sdk.call("start_workflow", workflow_component="dapr", workflow_name="ConformanceEcho")

    assert removed.value.type == "AttributeError"
    assert sdk.call("get_metadata")["application_id"]


@pytest.mark.parametrize("version", HAS_WORKFLOW_CLIENT)
def test_the_workflow_client_manages_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    Suspend and resume are seen by the very next get; the waits wait.
    """
    sdk, name = client(version, "workflow", serve()), fresh()
    script = {"workflow": {"$workflow": "ConformanceScript"}, "input": WAITS}
    started = sdk.call("schedule_new_workflow", instance_id=name, **script)
    running = sdk.call("wait_for_workflow_start", instance_id=name, timeout_in_seconds=60)
    sdk.call("pause_workflow", instance_id=name)
    paused = sdk.call("get_workflow_state", instance_id=name)
    sdk.call("resume_workflow", instance_id=name)
    resumed = sdk.call("get_workflow_state", instance_id=name, fetch_payloads=False)
    sdk.call("raise_workflow_event", instance_id=name, event_name="go", data={"a": 1})
    completed = sdk.call("wait_for_workflow_completion", instance_id=name, timeout_in_seconds=60)

    assert (started, running["instance_id"], running["name"]) == (name, name, "ConformanceScript")
    assert [one["runtime_status"] for one in (running, paused, resumed, completed)] == [
        "RUNNING",
        "SUSPENDED",
        "RUNNING",
        "COMPLETED",
    ]
    assert (paused["serialized_input"], resumed["serialized_input"]) == ('{"do": [{"wait_event": "go"}]}', None)
    assert completed["serialized_output"] == '[{"a":1}]'
    assert running["created_at"] <= completed["last_updated_at"]


@pytest.mark.parametrize("version", HAS_WORKFLOW_CLIENT[1:])
def test_the_workflow_client_purges_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    After which there is no state; 0.5.0 of the extension has no such call.
    """
    sdk = client(version, "workflow", serve())
    name = sdk.call("schedule_new_workflow", workflow={"$workflow": "ConformanceEcho"}, input=[1])
    completed = sdk.call("wait_for_workflow_completion", instance_id=name, timeout_in_seconds=60)
    sdk.call("purge_workflow", instance_id=name)

    assert (completed["serialized_output"], sdk.call("get_workflow_state", instance_id=name)) == ("[1]", None)


@pytest.mark.parametrize("version", HAS_WORKFLOW_CLIENT)
def test_the_workflow_client_terminates_a_workflow(serve: Serve, client: Connect, version: str) -> None:
    """
    With an output, together with its child, and the next get sees both.
    """
    sdk, child = client(version, "workflow", serve()), fresh()
    script = {"do": [{"call_child": {"id": child, "do": [{"wait_event": "go"}]}}]}
    name = sdk.call("schedule_new_workflow", workflow={"$workflow": "ConformanceScript"}, input=script)
    sdk.until(bool, "get_workflow_state", instance_id=child)
    sdk.call("terminate_workflow", instance_id=name, output={"bye": 1})
    ended = sdk.call("get_workflow_state", instance_id=name)

    assert (ended["runtime_status"], ended["serialized_output"]) == ("TERMINATED", '{"bye": 1}')
    sdk.until(status("TERMINATED"), "get_workflow_state", instance_id=child)


@pytest.mark.parametrize("version", HAS_WORKFLOW_CLIENT)
def test_the_workflow_client_tells_of_failures(serve: Serve, client: Connect, version: str) -> None:
    """
    Of the workflow's: type and message. Of a wait's: TimeoutError. Of a start under an active ID: the status.
    """
    sdk, name = client(version, "workflow", serve()), fresh()
    scripted = {"workflow": {"$workflow": "ConformanceScript"}}
    broken = sdk.call("schedule_new_workflow", input={"do": [{"fail": "no luck"}]}, **scripted)
    failed = sdk.call("wait_for_workflow_completion", instance_id=broken, timeout_in_seconds=60)
    sdk.call("schedule_new_workflow", instance_id=name, input=WAITS, **scripted)
    with pytest.raises(Exception, match="Timed-out") as late:
        sdk.call("wait_for_workflow_completion", instance_id=name, timeout_in_seconds=1)
    with pytest.raises(Exception, match="already exists") as twice:
        sdk.call("schedule_new_workflow", instance_id=name, input=WAITS, **scripted)

    assert (failed["runtime_status"], failed["failure_details"]["message"]) == ("FAILED", "no luck")
    assert (late.value.type, twice.value.code) == ("TimeoutError", "ALREADY_EXISTS")
    assert sdk.call("get_workflow_state", instance_id=fresh()) is None


@pytest.mark.parametrize("version", HAS_WORKFLOW_CLIENT)
def test_the_workflow_client_schedules_for_later(serve: Serve, client: Connect, version: str) -> None:
    """
    The instance is PENDING until then.
    """
    sdk = client(version, "workflow", serve())
    echo = {"workflow": {"$workflow": "ConformanceEcho"}, "input": [1]}
    far = sdk.call("schedule_new_workflow", start_at={"$time": 3600}, **echo)
    near = sdk.call("schedule_new_workflow", start_at={"$time": 1}, **echo)
    completed = sdk.call("wait_for_workflow_completion", instance_id=near, timeout_in_seconds=60)

    assert completed["runtime_status"] == "COMPLETED"
    assert sdk.call("get_workflow_state", instance_id=far)["runtime_status"] == "PENDING"


def test_the_workflow_client_lists_instances(serve: Serve, client: Connect) -> None:
    """
    Page by page, or all of them.
    """
    sdk = client("python-1.19.0", "workflow", serve())
    echo = {"workflow": "ConformanceEcho"}
    names = {sdk.call("schedule_new_workflow", input=[n], **echo) for n in range(3)}
    page = sdk.call("list_workflow_instance_ids", page_size=2)
    everything = sdk.call("iter_workflow_instance_ids", page_size=2)

    assert (len(page["instance_ids"]), bool(page["continuation_token"])) == (2, True)
    assert names <= set(everything)
    assert len(everything) == len(set(everything))


def test_the_workflow_client_reads_history_and_reruns(serve: Serve, client: Connect) -> None:
    """
    From an event that the SDK calls rerunnable; the new instance runs to its end with a new input for that activity.
    """
    sdk = client("python-1.19.0", "workflow", serve())
    script = {"do": [{"call_activity": "a"}, {"call_activity": "b"}]}
    name = sdk.call("schedule_new_workflow", workflow="ConformanceScript", input=script)
    sdk.call("wait_for_workflow_completion", instance_id=name, timeout_in_seconds=60)
    history = sdk.call("get_workflow_history", instance_id=name)
    second = [event["event_id"] for event in history if event["is_rerunnable"]][1]
    again = sdk.call("rerun_workflow_from_event", instance_id=name, event_id=second, input="c")
    done = sdk.call("wait_for_workflow_completion", instance_id=again, timeout_in_seconds=60)
    kinds = [event["event_type"] for event in history]

    assert (kinds[0], kinds[-1]) == ("WORKFLOW_STARTED", "EXECUTION_COMPLETED")
    assert kinds.count("TASK_COMPLETED") == kinds.count("TASK_SCHEDULED") == 2
    assert (done["runtime_status"], done["serialized_output"]) == ("COMPLETED", '["a","c"]')


@pytest.mark.parametrize(("version", "kind"), [("python-1.17.5", "dapr"), ("python-1.19.0", "workflow")])
def test_the_token_is_asked_for(serve: Serve, client: Connect, version: str, kind: str) -> None:
    """
    With it calls are served, without it they are refused.
    """
    server = serve(token="secret")
    name, arguments = {
        "dapr": ("start_workflow", {"workflow_component": "dapr", "workflow_name": "ConformanceEcho"}),
        "workflow": ("schedule_new_workflow", {"workflow": {"$workflow": "ConformanceEcho"}}),
    }[kind]
    assert client(version, kind, server).call(name, **arguments)
    with pytest.raises(Exception, match=r"invalid api token|[Uu]nauth"):
        client(version, kind, server, DAPR_API_TOKEN="wrong").call(name, **arguments)
