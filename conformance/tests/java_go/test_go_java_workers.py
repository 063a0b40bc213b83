"""
The workers of Dapr's Go and Java SDKs, each on a reference server that runs no workflow itself.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.tests.java_go.driving import KINDS, PATIENCE, WAITING, WORKERS, Driven, Server


def output(hosted: Server, instance: str) -> Any:
    return json.loads(hosted.until(instance, "COMPLETED")["dapr.workflow.output"])


def run(hosted: Server, instance: str, *script: Any) -> None:
    hosted.start(instance, "ConformanceScript", {"do": script})


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_payloads_of_every_kind_pass_workflow_and_activity(hosted: Server, unique: str, number: int) -> None:
    """
    What goes into an echo, an activity, a child and an event comes out as the same JSON.
    """
    value = KINDS[number]
    hosted.start(f"{unique}_echo", "ConformanceEcho", value)
    child = {"do": [{"return": value}]}
    run(hosted, unique, {"call_activity": value}, {"call_child": child}, {"wait_event": "go"})
    hosted.event(unique, "go", value)

    assert output(hosted, f"{unique}_echo") == value
    assert output(hosted, unique) == [value, value, value]


def test_an_echo_of_nothing_has_no_output(hosted: Server, unique: str) -> None:
    """
    Without input there is no output, and an event without data has the value null.
    """
    hosted.start(unique, "ConformanceEcho")
    run(hosted, f"{unique}_event", {"wait_event": "go"})
    hosted.event(f"{unique}_event", "go")

    assert "dapr.workflow.output" not in hosted.until(unique, "COMPLETED")
    assert output(hosted, f"{unique}_event") == [None]


def test_a_status_is_the_json_text_of_the_argument(hosted: Server, unique: str) -> None:
    """
    set_status shows its argument until the next one; null is shown too, and has no value.
    """
    run(hosted, unique, {"set_status": {"a": "ü"}}, {"wait_event": "go"}, {"set_status": None}, {"wait_event": "go"})

    state = hosted.until(unique, "RUNNING")
    while "dapr.workflow.custom_status" not in state:
        state = hosted.show(unique)
    assert json.loads(state["dapr.workflow.custom_status"]) == {"a": "ü"}
    hosted.event(unique, "go", 1)
    hosted.until(unique, "RUNNING", custom_status="null")
    hosted.event(unique, "go", 2)
    assert output(hosted, unique) == [1, 2]


def test_events_are_taken_by_their_names_in_order(hosted: Server, unique: str) -> None:
    """
    Events wait for who asks for them, those of one name in the order in which they came.
    """
    run(hosted, unique, *({"wait_event": name} for name in ("a", "b", "a", "a")))
    for name, value in (("b", 1), ("a", 2), ("a", 3), ("a", 4)):
        hosted.event(unique, name, value)

    assert output(hosted, unique) == [2, 1, 3, 4]


def test_a_wait_is_over_with_its_time(hosted: Server, unique: str) -> None:
    """
    A wait that nobody ends yields timed_out, also with no time at all; one that is ended in time, the event.
    """
    never, soon = {"wait_event": "never", "timeout": 0.05}, {"wait_event": "soon", "timeout": PATIENCE}
    run(hosted, unique, never, {**never, "timeout": 0}, soon)
    hosted.event(unique, "soon", "here")

    assert output(hosted, unique) == [{"timed_out": True}, {"timed_out": True}, "here"]


def test_a_sleep_has_no_value_and_a_return_ends_the_script(hosted: Server, unique: str) -> None:
    """
    After return nothing runs; a script that ends by itself returns the values of what has one.
    """
    run(hosted, unique, {"sleep": 0.05}, {"sleep": 0}, {"return": {"x": None}}, {"fail": "not reached"})
    run(hosted, f"{unique}_empty")

    assert output(hosted, unique) == {"x": None}
    assert output(hosted, f"{unique}_empty") == []


def test_children_run_under_their_ids(hosted: Server, unique: str) -> None:
    """
    A child has the ID that its parent gives it, or one of the SDK's, and its output is its value.
    """
    named = {"id": f"{unique}_child", "do": [{"call_activity": 1}]}
    run(hosted, unique, {"call_child": named}, {"call_child": {"do": [{"return": "other"}]}})

    assert output(hosted, unique) == [[1], "other"]
    assert output(hosted, f"{unique}_child") == [1]


def test_a_hundred_children_run_one_after_another(hosted: Server, unique: str) -> None:
    """
    A long history is replayed a hundred times.
    """
    run(hosted, unique, *({"call_child": {"do": [{"return": number}]}} for number in range(100)))

    assert output(hosted, unique) == [*range(100)]


def test_failures_say_why(hosted: Server, unique: str) -> None:
    """
    A script fails with the message of fail, a failed child fails its parent, and what is no instruction fails too.
    """
    run(hosted, unique, {"fail": "böse"}, {"return": 1})
    run(hosted, f"{unique}_parent", {"call_child": {"do": [{"fail": "böse"}]}}, {"return": 1})
    run(hosted, f"{unique}_odd", {"levitate": 1})
    hosted.start(f"{unique}_nobody", "Nobody", 1)

    message = "dapr.workflow.failure.error_message"
    assert hosted.until(unique, "FAILED")[message] == "böse"
    assert "böse" in hosted.until(f"{unique}_parent", "FAILED")[message]
    assert "instruction" in hosted.until(f"{unique}_odd", "FAILED")[message]
    assert "Nobody" in hosted.until(f"{unique}_nobody", "FAILED")[message]
    assert hosted.show(unique)["dapr.workflow.failure.error_type"]


@pytest.mark.parametrize(("kept", "value"), [(True, "early"), (False, {"timed_out": True})])
def test_events_go_along_only_if_they_are_to(hosted: Server, unique: str, kept: bool, value: Any) -> None:  # noqa: FBT001
    """
    continue_as_new starts over with its argument; with keep_events, and only then, events not yet taken go along.
    """
    after = {"do": [{"wait_event": "late", "timeout": PATIENCE if kept else 0.05}]}
    run(hosted, unique, {"wait_event": "go"}, {"continue_as_new": after, "keep_events": kept})
    hosted.event(unique, "late", "early")
    hosted.event(unique, "go")

    assert output(hosted, unique) == [value]


def test_fifty_generations_each_wait_for_an_event(hosted: Server, unique: str) -> None:
    """
    A workflow continues as new fifty times; each generation tells its number and waits.
    """
    script: Any = [{"return": "last"}]
    for number in reversed(range(50)):
        again = {"continue_as_new": {"do": script}, "keep_events": True}
        script = [{"set_status": number}, {"wait_event": "go"}, again]
    run(hosted, unique, *script)
    for number in range(50):
        hosted.until(unique, "RUNNING", custom_status=str(number))
        hosted.event(unique, "go")

    assert output(hosted, unique) == "last"


def test_a_megabyte_passes(hosted: Server, unique: str) -> None:
    """
    A million characters go through a workflow and its activity.
    """
    run(hosted, unique, {"call_activity": "x" * 1_000_000})

    assert output(hosted, unique) == ["x" * 1_000_000]


def test_suspended_is_suspended(hosted: Server, unique: str) -> None:
    """
    What comes while an instance is paused, the worker takes when it goes on.
    """
    hosted.start(unique, "ConformanceScript", WAITING)
    hosted.until(unique, "RUNNING")
    hosted.ask("POST", f"workflows/dapr/{unique}/pause")
    hosted.until(unique, "SUSPENDED")
    hosted.event(unique, "go", 1)
    hosted.ask("POST", f"workflows/dapr/{unique}/resume")

    assert output(hosted, unique) == [1]


@pytest.mark.parametrize("name", WORKERS)
def test_another_process_goes_on_where_a_worker_ended(built: Any, name: str) -> None:
    """
    A workflow whose worker stops, or is killed, in the middle is replayed by the next one, to the same result.
    """
    server = Server(executes=False)
    worker = Driven(built("worker", name), server)
    instance = "middle"
    run(server, instance, {"call_activity": 1}, {"set_status": 0}, {"wait_event": "go"}, {"sleep": 0})
    server.until(instance, "RUNNING", custom_status="0")
    worker.process.kill()
    server.event(instance, "go", 2)
    again = Driven(built("worker", name), server)

    assert output(server, instance) == [1, 2]
    again.process.kill()
    server.close()
