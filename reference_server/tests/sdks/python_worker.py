"""
A worker of Dapr's Python SDK: registers workflows and activities, says that it is ready, and works until stdin ends.

    python python_worker.py
Addresses and token come from the SDK's own variables. What each workflow does, and what comes of it, the tests say.
"""

import json
import sys
from datetime import timedelta

import dapr.ext.workflow as wf

SOON = timedelta(milliseconds=50)
RETRY = wf.RetryPolicy(first_retry_interval=timedelta(milliseconds=20), max_number_of_attempts=3)
attempts = {}


def double(ctx, number):
    return number * 2


def echo(ctx, value):
    return value


def broken(ctx, message):
    raise ValueError(message)


def flaky(ctx, key):
    """
    Fails twice, and then tells how often it was tried.
    """
    attempts[key] = attempts.get(key, 0) + 1
    if attempts[key] < 3:
        raise RuntimeError(f"attempt {attempts[key]}")
    return attempts[key]


def noop(ctx, value):
    return value


def activities(ctx, number):
    first = yield ctx.call_activity(double, input=number)
    second = yield ctx.call_activity(double, input=first)
    return [first, second]


def falsy(ctx, _):
    return (yield wf.when_all([ctx.call_activity(echo, input=value) for value in (0, "", False, [], {})]))


def nothing(ctx, _):
    return [(yield ctx.call_activity(echo, input=None))]


def timer(ctx, value):
    before = ctx.current_utc_datetime
    yield ctx.create_timer(SOON)
    return ctx.current_utc_datetime - before >= SOON


def events(ctx, names):
    return (yield wf.when_all([ctx.wait_for_external_event(name) for name in names]))


def patient(ctx, _):
    """
    A timer against an event that never comes.
    """
    event, late = ctx.wait_for_external_event("never"), ctx.create_timer(SOON)
    winner = yield wf.when_any([event, late])
    return "late" if winner == late else "event"


def children(ctx, number):
    """
    One child under an ID of the parent's choice, one under the SDK's; both run at once.
    """
    named = ctx.call_child_workflow(activities, input=number, instance_id=f"{ctx.instance_id}-child")
    return (yield wf.when_all([named, ctx.call_child_workflow(activities, input=number + 1)]))


def fan_out(ctx, width):
    results = yield wf.when_all([ctx.call_activity(double, input=n) for n in range(1, width + 1)])
    return sum(results)


def retries(ctx, _):
    return (yield ctx.call_activity(flaky, input=ctx.instance_id, retry_policy=RETRY))


def flaky_child(ctx, key):
    return (yield ctx.call_activity(flaky, input=key))


def child_retries(ctx, _):
    return (yield ctx.call_child_workflow(flaky_child, input=ctx.instance_id, retry_policy=RETRY))


def exhausted(ctx, _):
    yield ctx.call_activity(broken, input="always", retry_policy=RETRY)


def counts(ctx, state):
    """
    Continues as new until nothing is left.
    """
    done = yield ctx.call_activity(double, input=state["done"] + 1)
    if state["left"] == 0:
        return done
    ctx.continue_as_new({"left": state["left"] - 1, "done": done})


def collects(ctx, values):
    """
    Continues as new with the events that are still waiting.
    """
    values = [*values, (yield ctx.wait_for_external_event("item"))]
    if len(values) == 3:
        return values
    ctx.continue_as_new(values, save_events=True)


def failing_activity(ctx, message):
    yield ctx.call_activity(broken, input=message)


def caught(ctx, message):
    try:
        yield ctx.call_activity(broken, input=message)
    except Exception as error:
        return message in str(error)


def failing(ctx, message):
    raise ValueError(message)


def failing_child(ctx, message):
    yield ctx.call_child_workflow(failing_activity, input=message)


def guardian(ctx, names):
    return (yield ctx.call_child_workflow(events, input=names, instance_id=f"{ctx.instance_id}-child"))


def status(ctx, text):
    ctx.set_custom_status(text)
    return (yield ctx.wait_for_external_event("go"))


ACTIVITIES = [double, echo, broken, flaky]
WORKFLOWS = [
    *(noop, activities, falsy, nothing, timer, events, patient, children, fan_out, retries, flaky_child),
    *(child_retries, exhausted, counts, collects, failing_activity, caught, failing, failing_child, guardian, status),
]


def main():
    runtime = wf.WorkflowRuntime()
    for activity in ACTIVITIES:
        runtime.register_activity(activity)
    for workflow in WORKFLOWS:
        runtime.register_workflow(workflow)
    runtime.start()
    print(json.dumps({"ok": "ready"}), flush=True)
    sys.stdin.read()
    runtime.shutdown()


main()
