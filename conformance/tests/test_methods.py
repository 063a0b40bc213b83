"""
Steps as calls of gRPC methods, and what the bytes of their answers say.
"""

from __future__ import annotations

from typing import Any

import pytest

import spec
from conformance.exchange import Observation, Request
from conformance.judge import judge
from conformance.match import Text
from conformance.methods import Methods, probe
from conformance.wants import Document, Fields, Gone, Outcome, RowOf
from spec import wire

SURFACES = [(kind, version) for kind, one in spec.grpc().items() for version in one.versions]
BORN, ZERO = 1_700_000_000, -62_135_596_800


def methods(kind: str, version: str | None = None) -> Methods:
    return Methods(kind, "127.0.0.1:1", spec.grpc()[kind].versions[-1] if version is None else version)


def saw(request: Request, raw: bytes) -> Observation:
    assert request.reads is not None
    return Observation(request, "OK", (), raw, said=request.reads(raw))


def state(**more: Any) -> bytes:
    made: Any = wire.message("GetInstanceResponse")(exists=True)
    one = made.workflowState
    one.instanceId, one.name, one.workflowStatus = "a", "W", 7
    one.createdTimestamp.seconds = one.lastUpdatedTimestamp.seconds = BORN
    for name, value in more.items():
        getattr(one, name).value = value
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(("kind", "version"), SURFACES)
def test_every_operation_is_a_call_of_its_method(kind: str, version: str) -> None:
    """
    Each that a surface has, with its path, its ID, and a message that people can read.
    """
    surface, made = spec.grpc()[kind], methods(kind, version)
    for name in spec.load().machine.offered(kind):
        request = made.operation(name, "an-id")
        assert request.target.decode() == f"/{surface.service}/{surface.forms[name].method}{version}"
        assert request.method == "gRPC"
        assert ("an-id" in request.text) is bool(surface.forms[name].fields.get("instance"))


@pytest.mark.parametrize("kind", spec.grpc())
def test_a_text_that_is_no_utf8_goes_out_as_it_is(kind: str) -> None:
    """
    No library would send it; the bytes are those that were given.
    """
    assert b'"\xff"' in methods(kind).operation("start", "a", workflow="W", body=b'"\xff"').body


def test_what_an_answer_shows_is_said_in_the_words_of_the_api() -> None:
    """
    Status without its prefix, times as RFC 3339, texts as texts; what is not there is not said.
    """
    said = saw(methods("taskhub").operation("get", "a"), state(input="1", customStatus="")).said

    assert said is not None
    assert said.fields == {
        "exists": True,
        "instanceID": "a",
        "workflowName": "W",
        "createdAt": "2023-11-14T22:13:20Z",
        "lastUpdatedAt": "2023-11-14T22:13:20Z",
        "runtimeStatus": "SUSPENDED",
        "input": Text("1"),
        "customStatus": Text(""),
    }
    assert not said.problems


@pytest.mark.parametrize("kind", spec.grpc())
def test_nothing_says_that_there_is_no_instance(kind: str) -> None:
    """
    OK and empty refuses a get, as its row says; it accepts where nothing is to be shown.
    """
    made = methods(kind)
    absent = saw(made.operation("get", "a"), b"")

    assert absent.refused
    assert judge(Gone(RowOf("get.absent", ("OK",), "", "", empty=True)), absent, {}, None).passed  # type: ignore[arg-type]
    assert not judge(Outcome(accepted=True), absent, {}, None).passed  # type: ignore[arg-type]
    assert saw(made.operation("pause", "a"), b"").accepted


def _far() -> bytes:
    made: Any = wire.message("GetInstanceResponse").FromString(state())
    made.workflowState.createdTimestamp.seconds = 10**12
    return bytes(made.SerializeToString())


WRONG = {
    "no message": ("taskhub", "get", b"\xff\xff"),
    "half a message": ("taskhub", "get", state()[:-3]),
    "a text that is no UTF-8": ("dapr_grpc", "get", b"\x0a\x02\xff\xfe"),
    "a time that is none": ("taskhub", "get", _far()),
    "a field of another type": ("taskhub", "get", b"\x0a\x01a"),
    "a field where there is none": ("dapr_grpc", "pause", b"\x0a\x01a"),
    "an instance without times": ("dapr_grpc", "get", b"\x0a\x01a\x2a\x07RUNNING"),
    "no instance, and its name": ("dapr_grpc", "get", b"\x0a\x01a\x12\x01W"),
    "a start without an ID": ("taskhub", "start", b""),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_the_message_of_its_method_is_a_failed_check(what: str) -> None:
    """
    Told, never an exception.
    """
    kind, operation, raw = WRONG[what]
    verdict = judge(Document(operation), saw(methods(kind).operation(operation, "a"), raw), {}, None)  # type: ignore[arg-type]

    assert verdict.result == "fail"
    assert verdict.why


def test_a_status_that_nobody_knows_is_told_by_its_number() -> None:
    """
    A newer server may have more states.
    """
    raw = state().replace(b"\x20\x07", b"\x20\x4d")
    verdict = judge(
        Fields("get", {"runtimeStatus": "RUNNING"}, late=False),
        saw(methods("taskhub").operation("get", "a"), raw),
        {},
        None,  # type: ignore[arg-type]
    )

    assert "77" in verdict.why


def test_the_zero_time_is_a_time() -> None:
    """
    A pending instance has it.
    """
    made: Any = wire.message("GetInstanceResponse").FromString(state())
    made.workflowState.createdTimestamp.seconds = ZERO
    said = saw(methods("taskhub").operation("get", "a"), made.SerializeToString()).said

    assert said is not None
    assert said.fields["createdAt"] == "0001-01-01T00:00:00Z"


def test_metadata_tells_the_version() -> None:
    """
    What is no operation is called by its name in the data.
    """
    request = probe("metadata")
    made: Any = wire.message("dapr.proto.runtime.v1.GetMetadataResponse")(id="a", runtime_version="1.18.3")

    assert request.target == b"/dapr.proto.runtime.v1.Dapr/GetMetadata"
    said = saw(request, made.SerializeToString()).said
    assert said is not None
    assert said.fields["runtimeVersion"] == "1.18.3"
