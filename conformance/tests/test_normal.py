from __future__ import annotations

import json
from typing import Any

import pytest

from conformance import normal


def exchange(body: Any, url: str = "http://h:1/v1.0/workflows/dapr/run123abcd-wf", **more: Any) -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return {
        "request": {"method": "GET", "url": url, "body": ""},
        "response": {"status": 200, "headers": headers, "body": text, **more},
    }


def seen(body: Any, run: str = "run123", **more: Any) -> Any:
    return normal.answer(exchange(body, **more), normal.Names(run))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": "run123abcd-wf"}, {"a": "run123wxyz-wf"}),
        ({"errorCode": "ERR_X", "message": "one text"}, {"errorCode": "ERR_X", "message": "another"}),
        ({"createdAt": "2026-01-12T21:31:13.974Z"}, {"createdAt": "2024-01-12T21:31:13.974667500Z"}),
        ({"n": 1}, {"n": 1.0}),
        ({"child": "3f2504e04f8911d39a0c0305e82c3301"}, {"child": "3f2504e0-4f89-11d3-9a0c-0305e82c3302"}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("plain text", "other text"),
    ],
)
def test_what_must_differ_between_two_runs_is_no_difference(left: Any, right: Any) -> None:
    """
    IDs, instants, texts for people and the order of keys are the same on both sides.
    """
    assert list(normal.apart(seen(left), seen(right))) == []


@pytest.mark.parametrize(
    ("left", "right", "path"),
    [
        ({"a": "run123abcd-wf"}, {"a": "run123abcd-other"}, "body.a"),
        ({"errorCode": "ERR_X"}, {"errorCode": "ERR_Y"}, "body.errorCode"),
        ({"message": "a"}, {"message": ""}, "body.message"),
        ({"createdAt": "2026-01-12T21:31:13Z"}, {"createdAt": "2026-01-12T21:31:13+00:00"}, "body.createdAt"),
        ({"createdAt": "2026-01-12T21:31:13.123Z"}, {"createdAt": "2026-01-12T21:31:13.1234Z"}, "body.createdAt"),
        ({"createdAt": "2026-01-12T21:31:13Z"}, {"createdAt": "yesterday"}, "body.createdAt"),
        ({"n": 1}, {"n": True}, "body.n"),
        ({"n": 1}, {"n": "1"}, "body.n"),
        ({"n": 1}, {}, "body.n"),
        ({"n": [1]}, {"n": [1, 2]}, "body.n"),
        ({"instanceID": "run123abcd-wf"}, {"instanceID": "another"}, "body.instanceID"),
        ("text", "{}", "body"),
        ("text", "", "body"),
    ],
)
def test_what_a_client_can_tell_apart_is_a_difference(left: Any, right: Any, path: str) -> None:
    """
    Everything else is told with its place.
    """
    assert [where for where, _, _ in normal.apart(seen(left), seen(right))] == [path]


def test_the_order_of_instants_is_kept() -> None:
    """
    Which instant is earlier, and which are equal, is part of an answer.
    """
    one, later = "2026-01-12T21:31:13Z", "2026-01-12T21:31:14Z"

    orders = [seen({"createdAt": one, "lastUpdatedAt": other})["order"] for other in (later, one)]
    assert orders == ["createdAt < lastUpdatedAt", "createdAt = lastUpdatedAt"]
    assert seen({"createdAt": later, "lastUpdatedAt": one})["order"] == "lastUpdatedAt < createdAt"


def test_an_id_that_the_server_made_up_has_a_name() -> None:
    """
    It is known wherever it comes again.
    """
    names = normal.Names("run123")
    start = exchange({"instanceID": "q7"}, url="http://h:1/v1.0/workflows/dapr/W/start")
    names.learn(start)

    assert normal.answer(start, names)["body"] == {"instanceID": "{made 1}"}
    assert names.text("GET /q7") == "GET /{made 1}"
    other = normal.Names("x")
    other.learn(exchange({"instanceID": "q8"}, url="http://h:1/v1.0/workflows/dapr/W/start?instanceID=q8"))
    assert other.text("q8") == "q8"


def test_no_answer_is_an_answer_of_its_own() -> None:
    """
    A side that answers nothing differs from one that does, and not from another that does not.
    """
    silent = normal.answer({**exchange(""), "response": None}, normal.Names(""))

    assert silent == {"error": "no answer"}
    assert list(normal.apart(silent, silent)) == []
    assert list(normal.apart(silent, seen({})))


def test_a_body_that_was_cut_is_text() -> None:
    """
    Half a body is compared by status and type only.
    """
    assert seen('{"a": "', truncated=True)["body"] == "{text}"
