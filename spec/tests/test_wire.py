from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

import spec
from spec import wire

DAPR = "dapr.proto.runtime.v1.Dapr"
TASKHUB = "TaskHubSidecarService"


def test_each_service_has_its_methods() -> None:
    """
    The seven operations stand in both versions of Dapr's service; the other has both halves.
    """
    operations = {"Start", "Get", "Pause", "Resume", "Terminate", "Purge"}
    versions = {f"{operation}Workflow{version}" for operation in operations for version in ("Alpha1", "Beta1")}

    assert set(wire.services()) == {DAPR, TASKHUB}
    assert set(wire.services()[DAPR]) == {
        *versions,
        "RaiseEventWorkflowAlpha1",
        "RaiseEventWorkflowBeta1",
        "GetMetadata",
    }
    assert {"StartInstance", "CreateTaskHub", "CompleteOrchestratorTask"} <= set(wire.services()[TASKHUB])
    assert [name for name, method in wire.services()[TASKHUB].items() if method.streams] == ["GetWorkItems"]


def test_a_method_knows_its_path_and_messages() -> None:
    """
    A method has the path that stands on the wire, with no package where the service has none.
    """
    method = wire.services()[TASKHUB]["WaitForInstanceStart"]

    assert method.path == "/TaskHubSidecarService/WaitForInstanceStart"
    assert method.request is wire.message("GetInstanceRequest")
    assert method.response is wire.message("GetInstanceResponse")
    assert wire.services()[DAPR]["GetWorkflowBeta1"].path == f"/{DAPR}/GetWorkflowBeta1"


def test_the_default_pool_is_left_alone() -> None:
    """
    Nothing of ours is in protobuf's default pool, where an SDK puts messages of the same names.
    """
    wire.services()

    for name in ("TaskFailureDetails", "dapr.proto.runtime.v1.StartWorkflowRequest"):
        with pytest.raises(KeyError):
            descriptor_pool.Default().FindMessageTypeByName(name)


@pytest.mark.parametrize(
    ("name", "fields", "content"),
    [  # bytes that SDKs were seen to send
        (
            "dapr.proto.runtime.v1.StartWorkflowRequest",
            {"instance_id": "exampleInstanceID", "workflow_component": "dapr", "workflow_name": "hello_world_wf"},
            "0a116578616d706c65496e7374616e636549441204646170721a0e68656c6c6f5f776f726c645f7766",
        ),
        (
            "dapr.proto.runtime.v1.RaiseEventWorkflowRequest",
            {
                "instance_id": "exampleInstanceID",
                "workflow_component": "dapr",
                "event_name": "event1",
                "event_data": b'"eventData"',
            },
            "0a116578616d706c65496e7374616e636549441204646170721a066576656e7431220b226576656e744461746122",
        ),
        ("GetInstanceRequest", {"instanceId": "wfc1", "getInputsAndOutputs": True}, "0a04776663311001"),
        (
            "CreateInstanceRequest",
            {"instanceId": "wfc1", "name": "hello_world_wf", "version": {}, "input": {"value": '"Hi Counter!"'}},
            "0a0477666331120e68656c6c6f5f776f726c645f77661a00220f0a0d22486920436f756e7465722122",
        ),
        (
            "TerminateRequest",
            {"instanceId": "wfc1", "output": {"value": '"bye"'}, "recursive": True},
            "0a047766633112070a0522627965221801",
        ),
        ("PurgeInstancesRequest", {"instanceId": "wfc1", "recursive": True}, "0a04776663311801"),
        ("CreateTaskHubRequest", {"recreateIfExists": True}, "0801"),
        ("GetWorkItemsRequest", {"capabilities": [3, 2]}, "22020302"),
        (
            "GetWorkItemsRequest",
            {"maxConcurrentWorkflowWorkItems": 200, "maxConcurrentActivityWorkItems": 200},
            "08c80110c801",
        ),
    ],
)
def test_numbers_are_those_of_the_wire(name: str, fields: dict[str, object], content: str) -> None:
    """
    Bytes that real SDKs send are read into the fields they mean, and written alike.
    """
    message = wire.message(name)

    assert message(**fields) == message.FromString(bytes.fromhex(content))
    assert message(**fields).SerializeToString(deterministic=True) == bytes.fromhex(content)


def test_a_trace_context_in_the_place_of_a_version_is_read() -> None:
    """
    Microsoft's workers put a trace context where Dapr's put a version; its bytes are no text, and do no harm.
    """
    response = wire.message("WorkflowResponse")
    spoilt = bytes.fromhex("0a0161" "3205" "0a03ff8001")  # fmt: skip

    assert list(response.FromString(spoilt).version.patches) == [b"\xff\x80\x01"]


def test_words_of_the_status() -> None:
    """
    Every state that a surface reports in TaskHub's words is a value of its enumeration.
    """
    values = wire.enum("OrchestrationStatus").values_by_name
    for state in spec.load().machine.states.values():
        for word in {state.reported["taskhub"]} if state.exists else ():
            assert f"ORCHESTRATION_STATUS_{word}" in values


def test_an_unknown_name_is_told() -> None:
    """
    A message or enumeration that no file has is a KeyError.
    """
    with pytest.raises(KeyError):
        wire.message("Nothing")
    with pytest.raises(KeyError):
        wire.enum("Nothing")


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    """
    Importing the module does not import protobuf.
    """
    code = "import sys, spec.wire; print('google.protobuf' in sys.modules)"
    home = Path(spec.__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=True)

    assert ran.stdout == "False\n"
