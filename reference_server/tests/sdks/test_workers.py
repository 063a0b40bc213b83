"""
Workers of Dapr's SDKs, unmodified, on the server: real workflows, and the calls that manage them.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Hosted = Callable[[str], Any]

OLD_PYTHON = ["python-1.15.0", "python-1.16.3", "python-1.17.5"]
PYTHON = [*OLD_PYTHON, "python-1.18.3", "python-1.19.0"]
JAVASCRIPT = ["javascript-3.18.0"]
WORKERS = [*PYTHON, *JAVASCRIPT]
TERMINAL = ("COMPLETED", "FAILED", "TERMINATED")

COMPLETES = {
    "noop": ({"a": 1}, {"a": 1}),
    "activities": (5, [10, 20]),
    "falsy": (1, [0, "", False, [], {}]),
    "nothing": (1, [None]),
    "timer": (1, True),
    "patient": (1, "late"),
    "children": (3, [[6, 12], [8, 16]]),
    "fan_out": (20, 420),
    "retries": (1, 3),
    "child_retries": (1, 3),
    "counts": ({"left": 5, "done": 0}, 126),
    "caught": ("no luck", True),
    "events": (["a", "b"], [{"got": "a"}, {"got": "b"}]),
    "collects": ([], [1, 2, 3]),
    "status": ("working", {"x": 1}),
}
"""
Workflows with what they are given, and what comes of it.
"""
RAISED: dict[str, list[tuple[str, Any]]] = {
    "events": [("a", {"got": "a"}), ("b", {"got": "b"})],
    "collects": [("item", 1), ("item", 2), ("item", 3)],
    "status": [("go", {"x": 1})],
}
"""
The events that they wait for, raised at once: those that come early are kept.
"""
FAILS = {
    "failing": ("ValueError", "no luck"),
    "failing_activity": ("TaskFailedError", "no luck"),
    "failing_child": ("TaskFailedError", "no luck"),
    "exhausted": ("TaskFailedError", "always"),
    "nobody": ("OrchestratorNotRegisteredError", "nobody"),
}
"""
Workflows that fail, all given "no luck", with the type and a part of the message of the failure.
"""

BUGS: dict[tuple[str, str], Any] = {
    # the wrapper that WorkflowRuntime.register_activity makes calls fn(ctx) where the input is None
    **{(version, "nothing"): ("FAILED", "missing 1 required positional argument") for version in OLD_PYTHON},
    # runtime-orchestration-context.js takes a falsy input for none, in callActivity and in callSubOrchestrator
    **{(version, "falsy"): ("COMPLETED", "[null,null,null,[],{}]") for version in JAVASCRIPT},
}
"""
What an SDK is known to do otherwise, with the evidence; strict: an SDK that is mended fails the test.
"""
OTHERWISE: dict[str, dict[str, Any]] = {"javascript-3.18.0": {"failing": ("TypeError", "no luck"), "exhausted": None}}
"""
Where languages differ: what JavaScript throws; and it has no retry policies that could be exhausted.
"""


def properties(state: Any) -> dict[str, str]:
    return {name.removeprefix("dapr.workflow."): text for name, text in state["properties"].items()}


@pytest.mark.parametrize("worker", WORKERS)
def test_workflows_of_every_kind_complete(hosted: Hosted, worker: str) -> None:
    """
    Activities, timers, events, children, fan-out, retries, continue-as-new, all under way at once.
    """
    server = hosted(worker)
    for name, (given, _) in COMPLETES.items():
        server.ask("POST", f"{name}/start?instanceID={name}", given)
        for event, data in RAISED.get(name, ()):
            server.ask("POST", f"{name}/raiseEvent/{event}", data)
    states = {name: server.until(name, *TERMINAL) for name in COMPLETES}
    bugs = {name: bug for (version, name), bug in BUGS.items() if version == worker}

    for name, (status, part) in bugs.items():
        assert states[name]["runtimeStatus"] == status
        assert part in properties(states[name])["output"]
    right = {name: output for name, (_, output) in COMPLETES.items() if name not in bugs}
    assert {name: states[name]["runtimeStatus"] for name in right} == dict.fromkeys(right, "COMPLETED")
    assert {name: json.loads(properties(states[name])["output"]) for name in right} == right
    assert properties(states["status"])["custom_status"] == "working"


@pytest.mark.parametrize("worker", WORKERS)
def test_failures_are_told(hosted: Hosted, worker: str) -> None:
    """
    Of workflows, activities and children, with type, message and the place in the worker's code.
    """
    server, wanted = hosted(worker), {**FAILS, **OTHERWISE.get(worker, {})}
    fails = {name: told for name, told in wanted.items() if told is not None}
    for name in fails:
        server.ask("POST", f"{name}/start?instanceID={name}", "no luck")
    states = {name: server.until(name, *TERMINAL) for name in fails}

    for name, (kind, message) in fails.items():
        shown = properties(states[name])
        assert (name, states[name]["runtimeStatus"]) == (name, "FAILED")
        assert (name, shown["failure.error_type"]) == (name, kind)
        assert message in shown["failure.error_message"]
    assert "_worker" in properties(states["failing"])["failure.stack_trace"]


@pytest.mark.parametrize("worker", WORKERS)
def test_a_suspended_workflow_keeps_its_events(hosted: Hosted, worker: str) -> None:
    """
    It takes no step until it is resumed, and then takes what was raised.
    """
    server, name = hosted(worker), uuid.uuid4().hex
    server.ask("POST", f"events/start?instanceID={name}", ["a", "b"])
    server.until(name, "RUNNING")
    server.ask("POST", f"{name}/raiseEvent/a", 1)
    server.ask("POST", f"{name}/pause")
    server.until(name, "SUSPENDED")
    server.ask("POST", f"{name}/raiseEvent/b", 2)
    server.ask("POST", f"noop/start?instanceID={name}-later", 1)
    server.until(f"{name}-later", "COMPLETED")
    paused = server.ask("GET", name)["runtimeStatus"]
    server.ask("POST", f"{name}/resume")

    assert paused == "SUSPENDED"
    assert json.loads(properties(server.until(name, *TERMINAL))["output"]) == [1, 2]


@pytest.mark.parametrize("worker", WORKERS)
def test_a_parent_is_terminated_and_purged_with_its_child(hosted: Hosted, worker: str) -> None:
    """
    And its ID can be used again.
    """
    server, name = hosted(worker), uuid.uuid4().hex
    server.ask("POST", f"guardian/start?instanceID={name}", ["a"])
    server.until(f"{name}-child", "RUNNING")
    server.ask("POST", f"{name}/terminate")
    ended = [server.until(one, *TERMINAL)["runtimeStatus"] for one in (name, f"{name}-child")]
    server.ask("POST", f"{name}/purge")
    gone = [server.ask("GET", one).get("errorCode") for one in (name, f"{name}-child")]
    server.ask("POST", f"guardian/start?instanceID={name}", ["a"])
    server.until(f"{name}-child", "RUNNING")
    server.ask("POST", f"{name}-child/raiseEvent/a", 1)

    assert (ended, gone) == (["TERMINATED"] * 2, ["ERR_INSTANCE_ID_NOT_FOUND"] * 2)
    assert json.loads(properties(server.until(name, *TERMINAL))["output"]) == [1]


@pytest.mark.parametrize("worker", WORKERS)
def test_resuming_a_running_workflow(hosted: Hosted, worker: str) -> None:
    """
    Python's workers fail the workflow, for they know the event in no state but suspended; JavaScript's go on.
    """
    server, name = hosted(worker), uuid.uuid4().hex
    server.ask("POST", f"events/start?instanceID={name}", ["a"])
    server.until(name, "RUNNING")
    server.ask("POST", f"{name}/resume")
    server.ask("POST", f"{name}/raiseEvent/a", 1)
    ended = server.until(name, *TERMINAL)

    if worker in PYTHON:
        assert ended["runtimeStatus"] == "FAILED"
        assert "executionResumed" in properties(ended)["failure.error_message"]
    else:
        assert (ended["runtimeStatus"], properties(ended)["output"]) == ("COMPLETED", "[1]")


@pytest.fixture
def own(serve: Any, program: Any, client: Any) -> Callable[[str, str], Any]:
    """
    The client of an SDK, next to a worker of the same SDK, on a server with a token and an executor of its own.
    """

    def start(name: str, source: str) -> Any:
        server = serve("--app-id", name, token="secret")
        assert program(name, source, **server.variables).line() == {"ok": "ready"}
        return client(name, "workflow", server)

    return start


def test_client_and_worker_of_pythons_sdk_meet(own: Callable[[str, str], Any]) -> None:
    """
    New instances go to the worker while it is there: the server's executor knows no such workflow.
    """
    sdk = own("python-1.19.0", "python_worker.py")
    name = sdk.call("schedule_new_workflow", workflow="activities", input=5)
    ended = sdk.call("wait_for_workflow_completion", instance_id=name, timeout_in_seconds=60)

    assert (ended["runtime_status"], ended["serialized_output"]) == ("COMPLETED", "[10, 20]")


def test_client_and_worker_of_javascripts_sdk_meet(own: Callable[[str, str], Any]) -> None:
    """
    As Python's.
    """
    sdk = own("javascript-3.18.0", "javascript_worker.mjs")
    name = sdk.call("scheduleNewWorkflow", "activities", 5)

    assert sdk.call("waitForWorkflowCompletion", name)["serializedOutput"] == "[10,20]"
