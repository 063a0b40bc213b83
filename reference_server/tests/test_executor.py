"""
The kit workflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import spec
from reference_server.executor import ACTIVITY, ECHO, INSTRUCTIONS, SCRIPT, BuiltIn
from reference_server.instance import Activity, Event, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

GO = {"wait_event": "go"}


def failure(world: Any, name: str) -> tuple[str, str]:
    found = world.instance(name).failure
    return found.type, found.message


def test_the_names_are_those_of_the_contract() -> None:
    """
    Every instruction, workflow and activity of workflows.yaml, and no other.
    """
    contract = spec.workflows()

    assert set(INSTRUCTIONS) == set(contract["instructions"])
    assert {ECHO, SCRIPT} == set(contract["workflows"])
    assert {ACTIVITY} == set(contract["activities"])


@pytest.mark.parametrize("text", ["", '"x"', '{ "a" : 1.0 }', "not json", "1e400"])
def test_the_echo_gives_its_input_back_byte_for_byte(world: Any, text: str) -> None:
    """
    JSON or not.
    """
    world.start("a", workflow="ConformanceEcho", data=text)
    world.settle()

    assert (world.state("a"), world.instance("a").output) == ("COMPLETED", text)


def test_the_output_is_the_values_in_order(world: Any) -> None:
    """
    Waits, activities and children have a value, the others have none.
    """
    world.call("raise_event", "a", event="go")
    world.run(
        "a",
        {"set_status": "s"},
        GO,
        {"sleep": 1},
        {"call_activity": {"x": 1.10}},
        {"call_child": {"do": [{"return": [2]}]}},
        {"wait_event": "late", "timeout": 0},
    )
    world.call("raise_event", "a", event="go", data='{"b": 1e400}')
    world.settle()
    world.settle(1)

    assert world.instance("a").output == '[{"b":1e400},{"x":1.1},[2],{"timed_out":true}]'


def test_return_is_the_output_and_ends_the_script(world: Any) -> None:
    """
    What comes after it is not run.
    """
    world.run("a", {"return": {"a": 12345678901234567890123}}, {"fail": "never"})

    assert world.instance("a").output == '{"a":12345678901234567890123}'


def test_fail_fails_with_its_message(world: Any) -> None:
    """
    The message is the failure's, and the status set before stays.
    """
    world.run("a", {"set_status": {"step": 1}}, {"fail": "no {luck}"})

    assert (world.state("a"), failure(world, "a")[1]) == ("FAILED", "no {luck}")
    assert world.shown("a")["dapr.workflow.custom_status"] == '{"step":1}'


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (None, None),
        ("", None),
        ("null", None),
        ("1.0", 1.0),
        ('"t"', "t"),
        ("text", "text"),
        ("NaN", "NaN"),
        ("{", "{"),
    ],
)
def test_a_wait_yields_the_payload(world: Any, data: str | None, value: Any) -> None:
    """
    No payload is null, what is no JSON is text.
    """
    world.run("a", GO)
    world.call("raise_event", "a", event="go", data=data)
    world.settle()

    assert world.output("a") == [value]


def test_events_are_first_in_first_out_by_name(world: Any) -> None:
    """
    Raised before the wait or after it, each is taken once, case aside.
    """
    world.run("a", {"wait_event": "x"}, {"wait_event": "Y"}, {"wait_event": "X"}, {"wait_event": "x"})
    for name, data in (("y", "1"), ("x", "2"), ("X", "3"), ("other", "9"), ("x", "4")):
        world.call("raise_event", "a", event=name, data=data)
        world.settle()

    assert world.output("a") == [2, 1, 3, 4]


def test_an_event_before_the_timeout_takes_the_timer_away(world: Any) -> None:
    """
    Nothing is due any more, and the timeout does not strike later.
    """
    world.run("a", {"wait_event": "go", "timeout": 10}, {"wait_event": "end"})
    due = world.engine.next_due()
    world.call("raise_event", "a", event="go", data="1")
    world.settle()

    assert due == world.clock.now() + 10_000_000_000
    assert (world.engine.next_due(), world.engine._open) == (None, {})


def test_a_timeout_strikes_at_its_time(world: Any) -> None:
    """
    Not before.
    """
    world.run("a", {"wait_event": "go", "timeout": 1.5})
    world.settle(1.499)
    before = world.state("a")
    world.settle(0.001)

    assert (before, world.output("a")) == ("RUNNING", [{"timed_out": True}])


@pytest.mark.parametrize("seconds", [1e300, 9999999999, 3600])
def test_a_far_timer_can_be_managed(world: Any, seconds: float) -> None:
    """
    Terminating ends the instance at once, and the timer is gone.
    """
    world.run("a", {"sleep": seconds})
    world.call("terminate", "a")
    world.settle()

    assert (world.state("a"), world.engine.next_due()) == ("TERMINATED", None)


def test_what_arrives_while_suspended_is_delivered_after_the_resume(world: Any) -> None:
    """
    Events, timers and results wait, in their order.
    """
    world.run("a", {"sleep": 1}, {"wait_event": "x"}, {"wait_event": "x"})
    world.call("pause", "a")
    world.settle()
    world.settle(5)
    for data in ("1", "2"):
        world.call("raise_event", "a", event="x", data=data)
        world.settle()
    suspended = world.state("a")
    world.call("pause", "a")
    world.settle()
    world.call("resume", "a")
    world.settle()

    assert (suspended, world.output("a")) == ("SUSPENDED", [1, 2])


def test_a_result_that_comes_while_suspended_waits_too(world: Any) -> None:
    """
    Pausing a parent does not pause its child, and the child's output arrives after the resume.
    """
    world.run("a", {"call_child": {"id": "b", "do": [GO]}})
    world.call("pause", "a")
    world.call("raise_event", "b", event="go", data="7")
    world.settle()
    states = (world.state("a"), world.state("b"))
    world.call("resume", "a")
    world.settle()

    assert (states, world.output("a")) == (("SUSPENDED", "COMPLETED"), [[7]])


def test_a_suspended_workflow_can_be_terminated(world: Any) -> None:
    """
    What was kept for it is dropped.
    """
    world.run("a", GO)
    world.call("pause", "a")
    world.call("raise_event", "a", event="go")
    world.call("terminate", "a")
    world.settle()

    assert (world.state("a"), world.instance("a").output) == ("TERMINATED", None)


def test_a_resume_that_was_not_needed_changes_nothing(world: Any) -> None:
    """
    A running workflow goes on waiting.
    """
    world.run("a", GO)
    world.call("resume", "a")
    world.settle()
    world.call("raise_event", "a", event="go", data="1")
    world.settle()

    assert world.output("a") == [1]


@pytest.mark.parametrize(
    ("instruction", "part"),
    [
        ({"call_child": {"do": [{"fail": "child says no"}]}}, "child says no"),
        ({"call_child": {"do": [{"bogus": 1}]}}, "bogus"),
        ({"call_child": {"id": "taken", "do": []}}, "taken"),
        ({"call_child": {"id": "a", "do": []}}, "'a'"),
    ],
)
def test_a_child_that_fails_fails_its_parent(world: Any, instruction: Any, part: str) -> None:
    """
    With the child's message; a child whose ID is in use counts as failed, and whoever has the ID goes on.
    """
    world.run("taken", GO)
    world.run("a", instruction)

    assert world.state("a") == "FAILED"
    assert part in failure(world, "a")[1]
    assert (world.state("taken"), world.instance("a").children in ((), ("a:0001",))) == ("RUNNING", True)


def test_a_terminated_child_fails_its_parent(world: Any) -> None:
    """
    And the message names the child.
    """
    world.run("a", {"call_child": {"id": "b", "do": [GO]}})
    world.call("terminate", "b")
    world.settle()

    assert (world.state("b"), world.state("a")) == ("TERMINATED", "FAILED")
    assert "'b'" in failure(world, "a")[1]


def test_a_child_replaces_an_ended_instance(world: Any) -> None:
    """
    Under the ID rules of nobody: any text is an ID for a child.
    """
    world.run("b.:x")
    world.run("a", {"call_child": {"id": "b.:x", "do": [{"return": 1}]}}, {"call_child": {"do": []}})

    assert (world.output("a"), world.state("a:0002")) == ([1, []], "COMPLETED")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no JSON"),
        ("nope", "no JSON"),
        ("[]", '{"do": [instruction, ...]}'),
        ('{"do":{}}', '{"do": [instruction, ...]}'),
        ('{"do":[1]}', "do[0]: an instruction is an object"),
        ('{"do":[{"retrun":1}]}', "did you mean 'return'?"),
        ('{"do":[{}]}', "no instruction ''"),
        ('{"do":[{"sleep":1,"fail":"x"}]}', "one instruction a step"),
        ('{"do":[{"sleep":"1"}]}', "do[0].sleep: a number of seconds"),
        ('{"do":[{"sleep":-1}]}', "do[0].sleep: a number of seconds"),
        ('{"do":[{"wait_event":""}]}', "the name of an event"),
        ('{"do":[{"wait_event":5}]}', "the name of an event"),
        ('{"do":[{"wait_event":"x","timeout":true}]}', "do[0].timeout"),
        ('{"do":[{"wait_event":"x","tiemout":1}]}', "no option 'tiemout'"),
        ('{"do":[{"call_child":{}}]}', "call_child"),
        ('{"do":[{"call_child":{"id":1,"do":[]}}]}', "call_child"),
        ('{"do":[{"continue_as_new":[]}]}', "continue_as_new"),
        ('{"do":[{"continue_as_new":{"do":[]},"keep_events":1}]}', "true or false"),
        ('{"do":[{"fail":1}]}', "a message"),
        ('{"do":[{"return":' + "[" * 100_000 + "]" * 100_000 + "}]}", "nested too deep"),
    ],
)
def test_a_wrong_script_fails_the_workflow_and_says_why(world: Any, text: str, part: str) -> None:
    """
    Where it is wrong, and what was expected.
    """
    world.start("a", data=text)
    world.settle()

    assert world.state("a") == "FAILED"
    assert part in failure(world, "a")[1]


def test_an_unknown_workflow_is_accepted_and_fails(world: Any) -> None:
    """
    The message names it.
    """
    answer = world.start("a", workflow="Nobody {x}", data="")
    world.settle()

    assert (answer.outcome, world.state("a")) == ("accepted", "FAILED")
    assert failure(world, "a") == ("WorkflowNotRegistered", "workflow 'Nobody {x}' is not registered")


def test_a_payload_nested_too_deep_fails_the_workflow(world: Any) -> None:
    """
    It does not break the server.
    """
    world.run("a", GO)
    world.call("raise_event", "a", event="go", data="[" * 100_000 + "]" * 100_000)
    world.settle()

    assert world.state("a") == "FAILED"


def test_a_name_of_the_users_own_runs_its_script(make_world: Callable[..., Any]) -> None:
    """
    Whatever the input; after continue-as-new it runs the script it was given.
    """
    script = {"do": [{"set_status": 1.5}, GO, {"continue_as_new": {"do": [{"return": "end"}]}}]}
    world = make_world(scripts={"Order": script})
    world.start("a", workflow="Order", data="an order")
    world.settle()
    status, given = world.shown("a")["dapr.workflow.custom_status"], world.instance("a").input
    world.call("raise_event", "a", event="go")
    world.settle()

    assert (status, given, world.output("a")) == ("1.5", "an order", "end")


def test_the_same_turn_gets_the_same_decision() -> None:
    """
    A decision depends on history and events alone.
    """
    executor = BuiltIn(spec.workflows()["instructions"])
    started = Event("started", 1, name=SCRIPT, data='{"do":[{"call_activity":1},{"sleep":1}]}')
    done = Event("activity_completed", 2, 1, data="1")
    first = Turn("a", (), (started,), 1)
    second = Turn("a", (started,), (done,), 2)

    assert executor.turn(first) == executor.turn(first)
    assert [action.task for action in executor.turn(second).actions] == [2]


def test_an_unknown_activity_fails() -> None:
    """
    The message names it.
    """
    result = BuiltIn(spec.workflows()["instructions"]).activity(Activity("a", 1, 1, "Nobody", None))

    assert result.failure is not None
    assert "'Nobody'" in result.failure.message
