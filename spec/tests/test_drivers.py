from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

import spec
from spec.model import SURFACES

DRIVERS, SCHEMA = spec.drivers(), spec.schema("driver")
REQUESTS = sorted(name.partition(".")[2] for name in SCHEMA["$defs"] if name.startswith("request."))

each_role = pytest.mark.parametrize("role", DRIVERS["transcripts"])


def errors(name: str, value: Any) -> list[str]:
    schema = {"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]}
    return [one.message for one in jsonschema_rs.Draft202012Validator(schema).iter_errors(value)]


def messages(role: str) -> list[dict[str, Any]]:
    return [one for one in DRIVERS["transcripts"][role] if "say" not in one]


def test_a_driver_has_a_verb_for_operations_of_the_api_only() -> None:
    """
    Each verb is an operation of the table and a message; the messages besides are the two that frame a conversation.
    """
    assert set(DRIVERS["verbs"]) <= set(spec.load().machine.operations)
    assert set(REQUESTS) == {*DRIVERS["verbs"], "hello", "stop"}


def test_the_classes_are_those_of_the_schema() -> None:
    """
    Every class of an error has its meaning, and no status is of two classes.
    """
    classes = DRIVERS["classes"]

    assert set(classes) == set(SCHEMA["$defs"]["error"]["properties"]["class"]["enum"])
    for column in ("http", "grpc"):
        found = [status for one in classes.values() for status in one.get(column, ())]
        assert len(found) == len(set(found))


def test_the_fields_are_those_of_the_schema() -> None:
    """
    Every field of a state has its word of the API.
    """
    assert set(DRIVERS["fields"]) == set(SCHEMA["$defs"]["state"]["properties"])
    assert set(SCHEMA["$defs"]["ok.hello.client"]["properties"]["surface"]["enum"]) == set(SURFACES)


@each_role
def test_every_message_of_a_transcript_keeps_its_schema(role: str) -> None:
    """
    The transcripts are what drivers and kit may say, and each request is answered once.
    """
    asked, answered = {}, []
    for one in messages(role):
        if "op" in one:
            asked[one["id"]] = one["op"]
            assert errors(f"request.{one['op']}", one) == []
        else:
            op = asked[one["id"]]
            answered.append(one["id"])
            assert errors("answer", one) == []
            if "ok" in one:
                assert errors(f"ok.{op}.{role}" if op == "hello" else f"ok.{op}", one["ok"]) == []
    assert sorted(answered) == sorted(asked)


def test_the_transcript_of_a_client_is_complete() -> None:
    """
    Each message there is stands in the client's transcript.
    """
    assert {one["op"] for one in messages("client") if "op" in one} == set(REQUESTS)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("answer", {"id": 1}),
        ("answer", {"id": 0, "ok": {}}),
        ("answer", {"id": "1", "ok": {}}),
        ("answer", {"id": 1, "ok": {}, "error": {"class": "other", "type": "", "message": ""}}),
        ("answer", {"id": 1, "ok": []}),
        ("answer", {"id": 1, "error": {"class": "sad", "type": "", "message": ""}}),
        ("answer", {"id": 1, "ok": {}, "status": 404}),
        ("ok.get", {}),
        ("ok.get", {"state": {"instance": "a"}}),
        ("ok.get", {"state": {"instance": "a", "status": "x", "created_at": "2026-01-01 00:00"}}),
        ("ok.get", {"state": {"instance": "a", "status": "x", "http": 200}}),
        ("ok.start", {"instance": None}),
        ("ok.purge", {"purged": "yes"}),
        ("ok.pause", {"state": None}),
        ("request.get", {"id": 1, "op": "get"}),
        ("request.hello", {"id": 1, "op": "hello", "protocol": 1, "endpoint": {}}),
    ],
)
def test_what_is_no_message_is_refused(name: str, wrong: Any) -> None:
    """
    A message that lacks something, or holds what nobody knows, is none.
    """
    assert errors(name, wrong)
