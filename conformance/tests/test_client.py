from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import spec
from conformance import client
from conformance.client import Unsupported
from conformance.scenario import step
from conformance.wants import RowOf, row_of

REPLIES = spec.load().replies
ALL = client.client(
    "all",
    {
        "verbs": [*spec.drivers()["verbs"]],
        "fields": ["workflow", "output"],
        "errors": ["not_found", "conflict", "invalid", "timeout"],
        "statuses": {"RUNNING": "Running", "COMPLETED": "Done", "FAILED": "Failed"},
        "options": ["delay", "raw", "output", "recursive", "force"],
        "surface": "taskhub",
        "sdk": {"name": "s", "version": "1", "language": "x"},
    },
)
PLAIN = replace(ALL, options=frozenset(), verbs=frozenset({"start", "get", "purge"}))


def asked(data: Any, one: Any = ALL, instance: Any = "i") -> Any:
    made = step(data, "1", ("steps", 0), {("steps", 0): 1})
    return client.message(one, made, made.call, instance)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"start": {"workflow": "W", "as": "a", "input": 0}},
            ("start", {"instance": "i", "workflow": "W", "input": 0}),
        ),
        (
            {"start": {"workflow": "W", "as": "a", "raw": "x"}},
            ("start", {"instance": "i", "workflow": "W", "raw": "x"}),
        ),
        (
            {"start": {"workflow": "W", "as": "a", "raw_base64": "eA==", "delay": 2}},
            ("start", {"instance": "i", "workflow": "W", "raw": "x", "delay": 2}),
        ),
        ({"get": "a"}, ("get", {"instance": "i"})),
        ({"get": {"instance": "a", "payloads": True}}, ("get", {"instance": "i"})),
        ({"eventually": {"get": "a", "expect": "absent", "within": 1}}, ("get", {"instance": "i"})),
        (
            {"raise_event": {"instance": "a", "name": "go", "data": None}},
            ("raise_event", {"instance": "i", "name": "go", "data": None}),
        ),
        ({"terminate": {"instance": "a", "data": "bye"}}, ("terminate", {"instance": "i", "output": "bye"})),
        ({"purge": {"instance": "a", "recursive": False}}, ("purge", {"instance": "i", "recursive": False})),
        ({"force_purge": "a"}, ("purge", {"instance": "i", "force": True})),
        ({"wait_start": {"instance": "a", "within": 2}}, ("wait_start", {"instance": "i", "timeout": 2})),
        ({"wait_completion": "a"}, ("wait_completion", {"instance": "i", "timeout": client.PATIENCE})),
    ],
)
def test_a_step_becomes_a_message(data: Any, message: Any) -> None:
    """
    Each verb becomes the message of the protocol that says the same, and the schema knows it.
    """
    found = asked(data)

    assert found == message


def test_children_are_meant_anyway_where_no_message_says_so() -> None:
    """
    Over surfaces without a word for it, recursive needs no option.
    """
    plain = replace(PLAIN, kind="http")

    assert asked({"purge": {"instance": "a", "recursive": True}}, plain) == ("purge", {"instance": "i"})


def test_without_an_id_none_is_given() -> None:
    """
    A start whose ID the SDK makes has none in its message.
    """
    assert asked({"start": {"workflow": "W", "as": "a", "id": None}}, instance=None) == ("start", {"workflow": "W"})


@pytest.mark.parametrize(
    ("data", "one", "why"),
    [
        ({"pause": "a"}, PLAIN, "its SDK has no pause"),
        ({"history": "a"}, ALL, "its SDK has no history"),
        ({"start": {"workflow": "W", "as": "a", "raw": "x"}}, PLAIN, "its SDK takes no raw"),
        ({"start": {"workflow": "W", "as": "a", "raw_base64": "/w=="}}, ALL, "these bytes are none"),
        ({"start": {"workflow": "W", "as": "a", "at": "soon"}}, ALL, "a client cannot give start at"),
        ({"get": {"instance": "a", "payloads": False}}, ALL, "a client cannot give get payloads"),
        ({"purge": {"instance": "a", "recursive": True}}, PLAIN, "its SDK takes no recursive"),
        ({"terminate": {"instance": "a", "data": 1}}, replace(PLAIN, verbs=ALL.verbs), "its SDK takes no output"),
        ({"force_purge": "a"}, PLAIN, "its SDK takes no force"),
        ({"wait_start": {"instance": "a", "within": None}}, ALL, "a client gives wait_start a time"),
        ({"request": {"method": "GET", "path": "/"}, "expect": {"status": 200}}, ALL, ""),
        ({"get": "a", "headers": {"x": "y"}}, ALL, ""),
    ],
)
def test_what_a_client_cannot_do_is_unsupported(data: Any, one: Any, why: str) -> None:
    """
    The reason says what its SDK lacks; raw requests and headers are for no client, and need no reason.
    """
    with pytest.raises(Unsupported) as told:
        asked(data, one)

    assert str(told.value) == why if not why else why in str(told.value)


def row(name: str, kind: str, one: Any = ALL) -> Any:
    found = row_of(REPLIES[name], kind)
    assert found is not None
    return one.row(found, REPLIES[name])


@pytest.mark.parametrize(
    ("name", "kind", "classes"),
    [
        ("get.absent", "http", ("not_found", "OK")),
        ("get.absent", "taskhub", ("not_found", "OK")),
        ("pause.absent", "http", ("other", "not_found", "OK")),
        ("start.duplicate", "taskhub", ("conflict", "OK")),
        ("start.duplicate", "http", ("other", "conflict", "OK")),
        ("start.id_invalid", "http", ("invalid", "OK")),
        ("wait.expired", "taskhub", ("timeout", "OK")),
    ],
)
def test_a_refusal_is_an_error_of_its_class(name: str, kind: str, classes: Any) -> None:
    """
    A row becomes the class of its status, or of what it means, or an answer that shows no instance.
    """
    assert row(name, kind) == RowOf(name, classes, "", "", empty=True)


def test_a_class_that_the_sdk_does_not_tell_apart_is_other() -> None:
    """
    An SDK is held to the classes that it has.
    """
    assert row("get.absent", "http", replace(ALL, errors=frozenset())).status == ("other", "OK")
    assert row("start.accepted", "http") == RowOf("start.accepted", ("OK",), "", "")


def test_statuses_are_in_the_sdk_s_own_words() -> None:
    """
    What is no status stays, what the SDK has no name for is left out, and unsupported where nothing else is left.
    """
    assert ALL.words(["RUNNING", "SUSPENDED", {"$any": True}, "^R"]) == ["Running", {"$any": True}, "^R"]
    with pytest.raises(Unsupported, match="no name for the status SUSPENDED or STALLED"):
        ALL.words(["SUSPENDED", "STALLED"])


def test_fields_that_the_sdk_does_not_show_are_unsupported() -> None:
    """
    Whatever SDK it is, it shows ID and status.
    """
    ALL.shows(["instanceID", "runtimeStatus", "workflowName", "output"])
    with pytest.raises(Unsupported, match="shows no customStatus"):
        ALL.shows(["output", "customStatus"])
