import json
from typing import Any

import pytest

import spec
from conformance.contract import Contract
from conformance.exchange import Observation, Request, Said
from conformance.judge import count, judge
from conformance.wants import Answer, Count, Document, Fields, Gone, Outcome, RowOf

CONTRACT = Contract(spec.openapi())
ABSENT = RowOf("get.absent", (404,), "ERR_INSTANCE_ID_NOT_FOUND", "")


def saw(status: Any, body: Any = b"{}", media: Any = "application/json", **more: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Observation(Request("GET", b"/"), status, (("Content-Type", media), ("X-A", "1"), ("x-a", "2")), raw, **more)


def instance(**fields: Any) -> Any:
    return {
        "instanceID": "a",
        "createdAt": "2026-01-12T21:31:13Z",
        "lastUpdatedAt": "2026-01-12T21:31:13Z",
        "runtimeStatus": "RUNNING",
        **fields,
    }


def fields(**wanted: Any) -> Any:
    return Fields("get", wanted, late=False)


FAILED = {"dapr.workflow.failure.error_type": "E", "dapr.workflow.failure.error_message": "m"}


@pytest.mark.parametrize(
    ("wants", "answer"),
    [
        (Outcome(accepted=True), saw(204)),
        (Outcome(accepted=False), saw(500)),
        (Outcome(accepted=False), saw("OK", said=Said(absent=True))),
        (Outcome(accepted=False, error=True), saw("other")),
        (ABSENT, saw(404, {"errorCode": "ERR_INSTANCE_ID_NOT_FOUND", "message": "any"})),
        (RowOf("accepted", (202,), "", "Empty"), saw(202)),
        (RowOf("any", (400, 409), "", ""), saw(409, b"<html>")),
        (Document("getWorkflow"), saw(200, instance())),
        (fields(runtimeStatus="RUNNING", input={"$absent": True}), saw(200, instance())),
        (fields(input={"a": 1}), saw(200, instance(properties={"dapr.workflow.input": '{"a":1.0}'}))),
        (fields(failure={"type": "E", "message": "m", "stack": {"$any": True}}), saw(200, instance(properties=FAILED))),
        (fields(customStatus={"$text": '"x"'}), saw(200, instance(properties={"dapr.workflow.custom_status": '"x"'}))),
        (Gone(ABSENT), saw(404, {"errorCode": "ERR_INSTANCE_ID_NOT_FOUND", "message": "m"})),
        (Gone(None), saw(410, b"")),
        (Answer({"status": 200, "json": {"a": 1}, "text": '{"a": 1}'}, late=False), saw(200, {"a": 1})),
        (Answer({"headers": {"X-a": "1, 2", "no": {"$absent": True}}}, late=False), saw(200, {"a": 1})),
        (Answer({"errorCode": {"$absent": True}}, late=False), saw(200, [])),
    ],
)  # fmt: skip
def test_what_is_as_wanted_passes(wants: Any, answer: Any) -> None:
    """
    Each kind of check passes on an answer that is as it should be.
    """
    assert judge(wants, answer, {}, CONTRACT).passed


@pytest.mark.parametrize(
    ("wants", "answer", "why"),
    [
        (Outcome(accepted=True), saw(500), "it was refused (status 500)"),
        (Outcome(accepted=True), saw(302), "neither accepted nor refused"),
        (Outcome(accepted=False), saw(202), "it was accepted"),
        (Outcome(accepted=False), saw(302), "neither"),
        (Outcome(accepted=False, error=True), saw("OK", said=Said(absent=True)), "as if there were no instance"),
        (Outcome(accepted=False, error=True), saw("OK", said=Said()), "it was accepted"),
        (ABSENT, saw(404, {"errorCode": "ERR_OTHER", "message": "m"}), "errorCode"),
        (ABSENT, saw(404, b"not json"), "errorCode"),
        (ABSENT, saw(500, {"errorCode": "ERR_INSTANCE_ID_NOT_FOUND", "message": "m"}), "status"),
        (RowOf("accepted", (202,), "", "Empty"), saw(202, {"a": 1}), "body"),
        (RowOf("accepted", (202,), "", "Empty"), saw(202, b"accepted"), "not JSON"),
        (Document("getWorkflow"), saw(200, {}), "required"),
        (fields(runtimeStatus="RUNNING"), saw(404, instance()), "shows no fields"),
        (fields(runtimeStatus="RUNNING"), saw(200, b"x"), "(absent)"),
        (fields(input=1), saw(200, instance(properties={"dapr.workflow.input": 1})), "not a text"),
        (fields(input="1"), saw(200, instance(input="1")), "(absent)"),
        (fields(failure={"type": "E"}), saw(200, instance(properties=FAILED)), "failure.message"),
        (Gone(ABSENT), saw(200, instance()), "status"),
        (Gone(None), saw(200, {}), "accepted"),
        (Answer({"json": {}}, late=False), saw(200, b""), "not JSON"),
        (Answer({"status": 200}, late=False), saw(201), "status"),
        (Answer({"headers": {"location": {"$present": True}}}, late=False), saw(200), "headers.location"),
    ],
)  # fmt: skip
def test_what_is_not_fails_and_says_why(wants: Any, answer: Any, why: Any) -> None:
    """
    Each kind of check fails on an answer that is not as it should be, with what was wanted and seen.
    """
    verdict = judge(wants, answer, {}, CONTRACT)

    assert verdict.result == "fail"
    assert why in verdict.why
    assert verdict.seen is not None


@pytest.mark.parametrize(
    "wants",
    [
        Outcome(accepted=False),
        ABSENT,
        Document("getWorkflow"),
        fields(a=1),
        Gone(None),
        Answer({"status": 1}, late=False),
    ],
)
@pytest.mark.parametrize(("trouble", "result"), [("environment", "error"), ("protocol", "fail"), ("", "error")])
def test_no_answer_never_passes(wants: Any, trouble: Any, result: Any) -> None:
    """
    Nobody there is an error; something that is no HTTP is a failure; neither is ever a refusal.
    """
    verdict = judge(wants, saw(None, b"", trouble=trouble, error="the reason"), {}, CONTRACT)

    assert (verdict.result, verdict.why) == (result, "the reason")


def test_names_are_put_in_late_or_not_at_all() -> None:
    """
    A bound value is compared; one that nothing has bound is a failure.
    """
    wants = Fields("get", {"createdAt": "${t}"}, late=True)

    assert judge(wants, saw(200, instance()), {"t": "2026-01-12T21:31:13Z"}, CONTRACT).passed
    assert judge(wants, saw(200, instance()), {"t": 5}, CONTRACT).result == "fail"
    assert "nothing has bound t" in judge(wants, saw(200, instance()), {}, CONTRACT).why


def test_a_pass_captures() -> None:
    """
    What a passing check binds comes with its verdict; a failing one binds nothing.
    """
    wants = fields(instanceID={"$bind": "i"}, runtimeStatus="RUNNING")

    assert judge(wants, saw(200, instance()), {}, CONTRACT).binds == {"i": "a"}
    assert judge(wants, saw(200, instance(runtimeStatus="FAILED")), {}, CONTRACT).binds == {}


ROWS = ((RowOf("accepted", (202,), "", "Empty"), ABSENT),) * 3
LOST = saw(404, {"errorCode": "ERR_INSTANCE_ID_NOT_FOUND", "message": "m"})


@pytest.mark.parametrize(
    ("accepted", "answers", "result"),
    [
        (1, (saw(202), LOST, LOST), "pass"),
        ({"$gte": 1}, (saw(202), saw(202), LOST), "pass"),
        (1, (saw(202), saw(202), LOST), "fail"),
        (1, (LOST, LOST, LOST), "fail"),
        (1, (saw(200), LOST, LOST), "fail"),
        (1, (saw(202), LOST, saw(500)), "fail"),
        (1, (saw(202), LOST, saw(302)), "fail"),
        (1, (saw(202), LOST), "fail"),
        (1, (saw(202), LOST, saw(None, trouble="environment", error="gone")), "error"),
    ],
)
def test_counts_are_exact(accepted: Any, answers: Any, result: Any) -> None:
    """
    As many as wanted are accepted, all others refused, each as its row says.
    """
    assert count(Count(accepted, ROWS), answers, CONTRACT).result == result
