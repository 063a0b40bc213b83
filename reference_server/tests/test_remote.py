"""
The worker half of TaskHub, against workers made of raw messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from typing import TYPE_CHECKING, Any

import pytest

from spec import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Story = Callable[[Any], Awaitable[None]]

WORK = wire.services()["TaskHubSidecarService"]["GetWorkItems"]
COMPLETED, CONTINUED, FAILED, TERMINATED = 1, 2, 3, 5
FAR = 253_402_300_799
"""The last second of the year 9999: timers of waits without a time-out."""


class Worker:
    """
    One GetWorkItems call.
    """

    def __init__(self, talk: Any, **request: Any) -> None:
        self.talk = talk
        content = WORK.request(**request).SerializeToString()
        self.call = talk.channel.unary_stream(WORK.path)(content)

    async def item(self) -> Any:
        async with asyncio.timeout(30):
            return WORK.response.FromString(await self.call.read())

    async def decide(self, item: Any, *actions: Any, method: str = "CompleteWorkflowTask", **fields: Any) -> Any:
        name = item.workflowRequest.instanceId
        given = {"instanceId": name, "completionToken": item.completionToken, **fields}
        return await self.talk.call(method, actions=list(actions), **given)

    async def do(self, item: Any, **fields: Any) -> Any:
        request = item.activityRequest
        given = {"completionToken": item.completionToken, **fields}
        name = request.workflowInstance.instanceId
        return await self.talk.call("CompleteActivityTask", instanceId=name, taskId=request.taskId, **given)

    async def leave(self) -> None:
        self.call.cancel()
        await gone(self.talk)


def action(number: int, **fields: Any) -> Any:
    return wire.message("WorkflowAction")(id=number, **fields)


def done(result: str = "1", number: int = 9, status: int = COMPLETED, **fields: Any) -> Any:
    return action(number, completeWorkflow={"workflowStatus": status, "result": {"value": result}, **fields})


def task(number: int = 0, name: str = "act", **fields: Any) -> Any:
    return action(number, scheduleTask={"name": name, "input": {"value": "7"}, **fields})


def kinds(events: Any) -> list[str]:
    return [event.WhichOneof("eventType") for event in events]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what the server does is seen only by looking
            await asyncio.sleep(0.002)


async def gone(talk: Any, workers: int = 0) -> None:
    await until(lambda: len(talk.server.pump.workers) <= workers)


async def start(talk: Any, name: str = "a", **fields: Any) -> asyncio.Task[Any]:
    begun = asyncio.ensure_future(talk.call("StartInstance", instanceId=name, name="W", **fields))
    await until(lambda: talk.server.engine.instance(name) is not None)
    return begun


async def ended(talk: Any, name: str = "a") -> Any:
    return (await talk.call("WaitForInstanceCompletion", instanceId=name, getInputsAndOutputs=True)).workflowState


@contextlib.asynccontextmanager
async def working(talking: Any, **settings: Any) -> AsyncIterator[tuple[Any, Worker]]:
    async with talking(executor=False, **settings) as talk:
        worker = Worker(talk)
        await until(lambda: len(talk.server.pump.workers) == 1)
        yield talk, worker
        worker.call.cancel()
        await gone(talk)


def told(talking: Any, story: Callable[[Any, Worker], Awaitable[None]], **settings: Any) -> None:
    """
    Tell a story of a worker, and see that no task, no stream and no work is left of it.
    """

    async def whole() -> None:
        gc.collect()
        before = len(asyncio.all_tasks())
        async with working(talking, **settings) as (talk, worker):
            await story(talk, worker)
        remote = talk.server.pump.workers
        assert (len(remote), remote.owed, len(talk.server.waiting)) == (0, 0, 0)
        await until(lambda: len(asyncio.all_tasks()) <= before)

    asyncio.run(whole())


def test_a_turn_carries_the_history_and_what_is_new(talking: Any) -> None:
    """
    The first turn brings the start, the second the past with what was scheduled, each begun by the turn's own event.
    """

    async def again(talk: Any, worker: Worker) -> None:
        await start(talk, input={"value": "5"})
        item = await worker.item()
        first = item.workflowRequest
        assert (first.instanceId, len(first.executionId.value), kinds(first.pastEvents)) == ("a", 32, [])
        assert kinds(first.newEvents) == ["workflowStarted", "executionStarted"]
        started = first.newEvents[1].executionStarted
        assert (started.name, started.input.value, started.workflowInstance.instanceId) == ("W", "5", "a")
        await worker.decide(item, task(taskExecutionId="x", version={"value": "2"}), method="CompleteOrchestratorTask")
        activity = await worker.item()
        request = activity.activityRequest
        assert (request.name, request.taskId, request.input.value) == ("act", 0, "7")
        assert (request.taskExecutionId, request.version.value) == ("x", "2")
        await worker.do(activity, result={"value": "8"})
        second = await worker.item()
        past, new = second.workflowRequest.pastEvents, second.workflowRequest.newEvents
        assert kinds(past) == ["workflowStarted", "executionStarted", "taskScheduled"]
        assert (past[2].eventId, past[2].taskScheduled.taskExecutionId) == (0, "x")
        assert past[0].timestamp == item.workflowRequest.newEvents[0].timestamp
        assert kinds(new) == ["workflowStarted", "taskCompleted"]
        completed = new[1].taskCompleted
        assert (completed.taskScheduledId, completed.result.value, completed.taskExecutionId) == (0, "8", "x")
        await worker.decide(second, done('"end"'))
        assert (await ended(talk)).output.value == '"end"'

    async def whole(talk: Any, worker: Worker) -> None:
        begun = await start(talk, "b")
        item = await worker.item()
        assert not begun.done()
        await worker.decide(item, done())
        assert (await begun).instanceId == "b"
        await again(talk, worker)

    told(talking, whole)


@pytest.mark.parametrize(
    ("made", "field", "answer", "check"),
    [
        (
            action(0, createTimer={"fireAt": {"seconds": 1}, "name": "t", "createTimer": {}}),
            "timerCreated",
            "timerFired",
            lambda past, new: (
                (past.fireAt.seconds, past.name, past.WhichOneof("origin"), new.timerId, new.fireAt.seconds)
                == (1, "t", "createTimer", 0, 1)
            ),
        ),
        (
            action(0, createChildWorkflow={"name": "C", "instanceId": "kid", "version": {"value": "3"}}),
            "childWorkflowInstanceCreated",
            "childWorkflowInstanceCompleted",
            lambda past, new: (
                (past.instanceId, past.name, past.version.value, new.taskScheduledId) == ("kid", "C", "3", 0)
            ),
        ),
        (
            action(3, createChildWorkflow={"name": "C"}),
            "childWorkflowInstanceCreated",
            "childWorkflowInstanceCompleted",
            lambda past, new: (past.instanceId, new.taskScheduledId, new.result.value) == ("a:0003", 3, "1"),
        ),
    ],
)
def test_a_task_is_carried_out_and_comes_back(
    talking: Any, made: Any, field: str, answer: str, check: Callable[[Any, Any], bool]
) -> None:
    """
    Timers and children keep their details in the history, and their results name their number, from 0 on.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        await worker.decide(await worker.item(), made)
        item = await worker.item()
        if item.workflowRequest.instanceId != "a":
            parent = item.workflowRequest.newEvents[1].executionStarted.parentInstance
            assert (parent.workflowInstance.instanceId, parent.name.value, parent.taskScheduledId) == (
                "a",
                "W",
                made.id,
            )
            await worker.decide(item, done())
            item = await worker.item()
        past, new = item.workflowRequest.pastEvents[2], item.workflowRequest.newEvents[1]
        assert (past.WhichOneof("eventType"), past.eventId, new.WhichOneof("eventType")) == (field, made.id, answer)
        assert check(getattr(past, field), getattr(new, answer))
        await worker.decide(item, done())

    told(talking, story)


def test_a_timer_of_the_year_9999_waits(talking: Any) -> None:
    """
    A timer far away costs nothing and does no harm; an event overtakes it.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        origin = {"name": "go"}
        await worker.decide(
            await worker.item(), action(1, createTimer={"fireAt": {"seconds": FAR}, "externalEvent": origin})
        )
        await talk.call("RaiseEvent", instanceId="a", name="go", input={"value": "1"})
        item = await worker.item()
        created = item.workflowRequest.pastEvents[2].timerCreated
        assert (created.fireAt.seconds, created.externalEvent.name) == (FAR, "go")
        assert item.workflowRequest.newEvents[1].eventRaised.name == "go"
        await worker.decide(item, done())
        assert (await ended(talk)).workflowStatus == COMPLETED

    told(talking, story)


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (COMPLETED, {"result": {"value": "[1]"}}),
        (FAILED, {"failureDetails": {"errorType": "E", "errorMessage": "m", "stackTrace": {"value": "s"}}}),
        (TERMINATED, {"result": {"value": "0"}}),
    ],
)
def test_every_outcome_ends_the_instance(talking: Any, status: int, fields: Any) -> None:
    """
    A workflow completes, fails or ends as terminated, with its result or its failure.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        await worker.decide(await worker.item(), action(1, completeWorkflow={"workflowStatus": status, **fields}))
        state = await ended(talk)
        assert state.workflowStatus == status
        if "result" in fields:
            assert state.output.value == fields["result"]["value"]
        else:
            details = state.failureDetails
            assert (details.errorType, details.errorMessage, details.stackTrace.value) == ("E", "m", "s")

    told(talking, story)


def test_a_failure_keeps_what_is_behind_it(talking: Any) -> None:
    """
    The failure of an activity reaches the workflow with all that is nested in it, and that it is final.
    """
    inner = {"errorType": "I", "errorMessage": "inner", "isNonRetriable": True}

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        await worker.decide(await worker.item(), task(4))
        details = {"errorType": "O", "errorMessage": "outer", "innerFailure": inner}
        await worker.do(await worker.item(), failureDetails=details)
        item = await worker.item()
        failed = item.workflowRequest.newEvents[1].taskFailed
        assert (failed.taskScheduledId, failed.failureDetails) == (4, wire.message("TaskFailureDetails")(**details))
        await worker.decide(item, done())

    told(talking, story)


def test_continue_as_new_keeps_what_the_worker_carries_over(talking: Any) -> None:
    """
    The next generation has another execution ID, the new input, the events carried over, and no past; a timer of the
    old one does not reach it.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        item = await worker.item()
        await worker.decide(item, action(1, createTimer={"fireAt": {"seconds": FAR}}))
        await talk.call("RaiseEvent", instanceId="a", name="x", input={"value": "1"})
        second = await worker.item()
        kept = [second.workflowRequest.newEvents[1]]
        await worker.decide(second, task(2), done("5", 3, CONTINUED, carryoverEvents=kept))
        last = await worker.item()
        third = last.workflowRequest
        assert third.executionId.value != item.workflowRequest.executionId.value
        assert (kinds(third.pastEvents), kinds(third.newEvents)) == (
            [],
            ["workflowStarted", "executionStarted", "eventRaised"],
        )
        assert third.newEvents[1].executionStarted.input.value == "5"
        assert (third.newEvents[2].eventRaised, third.newEvents[2].timestamp) == (
            kept[0].eventRaised,
            kept[0].timestamp,
        )
        await worker.decide(last, done())

    told(talking, story)


def test_terminate_waits_for_the_turn_and_is_enforced(talking: Any) -> None:
    """
    A terminate comes after the turn that is out; a worker that ignores it is overruled, whatever it decided beside.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        first = await worker.item()
        ending = asyncio.ensure_future(talk.call("TerminateInstance", instanceId="a", output={"value": "0"}))
        await until(lambda: len(talk.server.engine.instance("a").inbox) == 2)
        await worker.decide(first, task())
        assert (await worker.item()).HasField("activityRequest")
        second = await worker.item()
        assert kinds(second.workflowRequest.newEvents) == ["workflowStarted", "executionTerminated"]
        await worker.decide(second, task(5), done("1", 6, CONTINUED))
        await ending
        state = await ended(talk)
        assert (state.workflowStatus, state.output.value) == (TERMINATED, "0")

    told(talking, story)


def test_an_action_of_a_finished_workflow_still_happens(talking: Any) -> None:
    """
    A child or an activity that nobody waits for runs although its workflow has completed.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        child = action(1, createChildWorkflow={"name": "C", "instanceId": "kid"})
        await worker.decide(await worker.item(), task(0), child, done())
        items = [await worker.item(), await worker.item()]
        (turn,) = (item for item in items if item.HasField("workflowRequest"))
        (activity,) = (item for item in items if item.HasField("activityRequest"))
        await worker.do(activity)
        await worker.decide(turn, done("2"))
        assert ((await ended(talk)).output.value, (await ended(talk, "kid")).output.value) == ("1", "2")

    told(talking, story)


def test_detached_workflows_are_nobodys_children(talking: Any) -> None:
    """
    A detached workflow starts without a parent, with its tags, and its end is told to nobody.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        made = {"name": "D", "instanceId": "d", "input": {"value": "3"}, "tags": {"k": "v"}}
        await worker.decide(await worker.item(), action(0, createDetachedWorkflow=made), done())
        item = await worker.item()
        started = item.workflowRequest.newEvents[1].executionStarted
        assert (started.name, started.input.value, dict(started.tags)) == ("D", "3", {"k": "v"})
        assert not started.HasField("parentInstance")
        await worker.decide(item, done())
        history = await talk.call("GetInstanceHistory", instanceId="a")
        assert kinds(history.events)[2] == "detachedWorkflowInstanceCreated"

    told(talking, story)


def test_a_turn_that_sends_an_event_is_undone(talking: Any) -> None:
    """
    As on daprd: the turn has no effect at all, and comes again with the next event.
    """

    async def story(talk: Any, worker: Worker) -> None:
        begun = await start(talk)
        sent = action(1, sendEvent={"instance": {"instanceId": "b"}, "name": "x"})
        await worker.decide(await worker.item(), task(0), sent)
        assert (await talk.call("GetInstance", instanceId="a")).workflowState.workflowStatus == 6
        assert not begun.done()
        await talk.call("RaiseEvent", instanceId="a", name="x")
        item = await worker.item()
        assert kinds(item.workflowRequest.newEvents) == ["workflowStarted", "executionStarted", "eventRaised"]
        await worker.decide(item, done())
        assert (await begun).instanceId == "a"

    told(talking, story)


def test_a_workflow_can_terminate_another(talking: Any) -> None:
    """
    The other one gets the reason as its output.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk, "other")
        await worker.decide(await worker.item())
        await start(talk)
        ending = {"instanceId": "other", "reason": {"value": "0"}, "recurse": True}
        await worker.decide(await worker.item(), action(1, terminateWorkflow=ending), done())
        item = await worker.item()
        assert item.workflowRequest.newEvents[1].executionTerminated.recurse
        await worker.decide(item)
        state = await ended(talk, "other")
        assert (state.workflowStatus, state.output.value) == (TERMINATED, "0")

    told(talking, story)


@pytest.mark.parametrize("versioned", [False, True])
def test_code_that_does_not_fit_stalls_until_another_worker_comes(talking: Any, versioned: bool) -> None:  # noqa: FBT001 - a row
    """
    A version that is not there, or patches that differ, stall the instance once; with the right code it goes on from
    where it was, also from a pause.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        await worker.decide(await worker.item(), version={"patches": [b"p", b"q"], "name": b"v1"})
        await talk.call("RaiseEvent", instanceId="a", name="x")
        wrong = [action(1, workflowVersionNotAvailable={})] if versioned else []
        await worker.decide(await worker.item(), *wrong, version={"patches": [b"p"]})
        assert (await talk.call("GetInstance", instanceId="a")).workflowState.workflowStatus == 8
        assert (await talk.call("RaiseEvent", instanceId="a", name="y"))[0] != "OK"
        await worker.leave()
        other = Worker(talk)
        again = await other.item()
        assert kinds(again.workflowRequest.newEvents) == ["workflowStarted", "eventRaised"]
        assert again.workflowRequest.pastEvents[0].workflowStarted.version.patches == [b"p", b"q"]
        stalled = again.workflowRequest.pastEvents[-1].executionStalled
        assert ("v1" in stalled.description) is versioned
        await worker.decide(again, version={"patches": [b"p", b"q", b"r"]})
        assert (await talk.call("GetInstance", instanceId="a")).workflowState.workflowStatus == 0
        await talk.call("RaiseEvent", instanceId="a", name="x")
        await worker.decide(await other.item(), done(), version={"patches": [b"p", b"q", b"r"]})
        assert (await ended(talk)).workflowStatus == COMPLETED
        await other.leave()

    told(talking, story)


def test_each_item_goes_to_one_of_the_workers(talking: Any) -> None:
    """
    Two workers share what there is: nobody gets what the other has, and both get some.
    """

    async def story(talk: Any, worker: Worker) -> None:
        other = Worker(talk)
        await until(lambda: len(talk.server.pump.workers) == 2)
        for number in range(20):
            await start(talk, f"i{number}")
        mine = [await worker.item() for _ in range(10)]
        theirs = [await other.item() for _ in range(10)]
        names = {item.workflowRequest.instanceId for item in (*mine, *theirs)}
        assert len(names) == 20
        for item in (*mine, *theirs):
            await worker.decide(item, done())
        other.call.cancel()
        await gone(talk, 1)

    told(talking, story)


def test_a_worker_gets_no_more_than_it_asks_for(talking: Any) -> None:
    """
    Workers that say how much they take at a time get the next item when one comes back.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await worker.leave()
        small = Worker(talk, maxConcurrentWorkflowWorkItems=1)
        await until(lambda: len(talk.server.pump.workers) == 1)
        await start(talk, "one")
        await start(talk, "two")
        first = await small.item()
        assert talk.server.pump.workers.owed == 1
        await small.decide(first, done())
        second = await small.item()
        assert {one.workflowRequest.instanceId for one in (first, second)} == {"one", "two"}
        await small.decide(second, done())
        await small.leave()

    told(talking, story)


def test_a_lost_stream_gives_its_work_to_the_next(talking: Any) -> None:
    """
    Turns and activities that were out come again, to whoever is there; the same turn is handed out, not a new one.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        await start(talk, "b")
        items = [await worker.item(), await worker.item()]
        await worker.decide(items[0], task())
        activity = await worker.item()
        await worker.leave()
        await talk.call("RaiseEvent", instanceId="b", name="x")
        other = Worker(talk)
        again = [await other.item(), await other.item()]
        (turn,) = (item for item in again if item.HasField("workflowRequest"))
        (act,) = (item for item in again if item.HasField("activityRequest"))
        assert turn.workflowRequest == items[1].workflowRequest
        assert act.activityRequest == activity.activityRequest
        assert turn.completionToken != items[1].completionToken
        assert await worker.decide(items[1], done('"late"')) == wire.message("CompleteTaskResponse")()
        await other.decide(turn, done('"right"'))
        await other.do(act, result={"value": "1"})
        await other.decide(await other.item(), done())
        assert ((await ended(talk)).output.value, (await ended(talk, "b")).output.value) == ("1", '"right"')
        await other.leave()

    told(talking, story)


def test_a_second_answer_changes_nothing(talking: Any) -> None:
    """
    What is answered twice counts once: with a token it is dropped, without one it is refused or known as a repetition.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        item = await worker.item()
        await worker.decide(item, task())
        await worker.decide(item, task(), done('"twice"'))
        activity = await worker.item()
        await worker.do(activity, result={"value": "1"})
        await worker.do(activity, result={"value": "2"})
        second = await worker.item()
        assert second.workflowRequest.newEvents[1].taskCompleted.result.value == "1"
        await worker.decide(item, task(), completionToken="")
        assert talk.server.pump.workers.owed == 1
        await worker.decide(second, done('"once"'))
        assert (await ended(talk)).output.value == '"once"'
        code, message = await worker.decide(second, done(), completionToken="")
        assert (code, message) == ("UNKNOWN", "no such instance exists: a")
        assert (await worker.do(activity, completionToken=""))[0] == "UNKNOWN"

    told(talking, story)


def test_tokens_are_optional(talking: Any) -> None:
    """
    A worker that sends no token is known by instance and task.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        await worker.decide(await worker.item(), task(), task(1), completionToken="")
        for item in [await worker.item(), await worker.item()]:
            await worker.do(item, result={"value": str(item.activityRequest.taskId)}, completionToken="")
        seen = []
        while len(seen) < 2:
            item = await worker.item()
            seen += [event.taskCompleted.result.value for event in item.workflowRequest.newEvents[1:]]
            await worker.decide(item, *([done()] if len(seen) == 2 else []), completionToken="")
        assert sorted(seen) == ["0", "1"]
        assert (await ended(talk)).workflowStatus == COMPLETED

    told(talking, story)


def test_what_is_no_answer_is_refused_and_the_turn_stays_out(talking: Any) -> None:
    """
    Unknown statuses, actions that are none, tokens of other work and bytes that are no message get a status.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk)
        item = await worker.item()
        for wrong in (done(status=99), done(status=0), done(status=4), action(1), action(1, createDetachedWorkflow={})):
            code, _ = await worker.decide(item, wrong)
            assert code == "INTERNAL"
        code, _ = await worker.decide(item, done(), instanceId="b")
        assert code == "INTERNAL"
        code, _ = await talk.call(
            "CompleteActivityTask", instanceId="a", taskId=0, completionToken=item.completionToken
        )
        assert code == "INTERNAL"
        for method in ("CompleteWorkflowTask", "CompleteActivityTask", "GetWorkItems"):
            path = f"/TaskHubSidecarService/{method}"
            if method != "GetWorkItems":
                assert (await talk.bytes(path, b"\xff\xff"))[0] == "INTERNAL"
        assert talk.server.pump.workers.owed == 1
        await worker.decide(item, done())
        assert (await ended(talk)).workflowStatus == COMPLETED

    told(talking, story)


def test_a_worker_that_never_answers_holds_its_instance_only(talking: Any) -> None:
    """
    Its instance waits, others go on; a purge by force gets rid of it, and its late answer reaches nobody.
    """

    async def story(talk: Any, worker: Worker) -> None:
        begun = await start(talk)
        item = await worker.item()
        await start(talk, "b")
        await worker.decide(await worker.item(), done())
        assert (await ended(talk, "b")).workflowStatus == COMPLETED
        begun.cancel()
        await talk.call("RaiseEvent", instanceId="a", name="x")
        talk.server.engine._erase("a")
        await start(talk)
        fresh = await worker.item()
        await worker.decide(item, done('"old"'))
        await worker.decide(fresh, done('"new"'))
        assert (await ended(talk)).output.value == '"new"'

    told(talking, story)


def test_new_instances_go_to_workers_while_there_are_any(talking: Any) -> None:
    """
    An instance keeps the executor of its first turn, also when a worker comes later or has gone.
    """
    script = '{"do":[{"wait_event":"go"}]}'

    async def story(talk: Any) -> None:
        async def begin(name: str) -> None:
            await talk.call("StartInstance", instanceId=name, name="ConformanceScript", input={"value": script})

        await begin("here")
        worker = Worker(talk)
        await until(lambda: len(talk.server.pump.workers) == 1)
        assert talk.server.pump.connected == 2
        there = asyncio.ensure_future(begin("there"))
        item = await worker.item()
        await worker.decide(item)
        await there
        await talk.call("RaiseEvent", instanceId="here", name="go")
        assert (await ended(talk, "here")).output.value == "[null]"
        await worker.leave()
        await begin("after")
        await talk.call("RaiseEvent", instanceId="there", name="go")
        await talk.call("RaiseEvent", instanceId="after", name="go")
        assert (await ended(talk, "after")).output.value == "[null]"
        assert (await talk.call("GetInstance", instanceId="there")).workflowState.workflowStatus == 0
        other = Worker(talk)
        await other.decide(await other.item(), done())
        assert (await ended(talk, "there")).output.value == "1"
        await other.leave()

    async def whole() -> None:
        async with talking() as talk:
            await story(talk)

    asyncio.run(whole())


def test_a_worker_that_keeps_histories_is_sent_what_is_new(talking: Any) -> None:
    """
    It gets the rest of the past and how much it has; another worker gets everything.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await worker.leave()
        keeper = Worker(talk, capabilities=[2, 3])
        await until(lambda: len(talk.server.pump.workers) == 1)
        await start(talk)
        await keeper.decide(await keeper.item())
        for count in range(2):
            await talk.call("RaiseEvent", instanceId="a", name="x")
            item = await keeper.item()
            request = item.workflowRequest
            assert request.cachedHistory.eventCount == (2 if count else 0)
            assert kinds(request.pastEvents) == (
                ["workflowStarted", "eventRaised"] if count else ["workflowStarted", "executionStarted"]
            )
            if not count:
                await keeper.decide(item)
        await keeper.leave()
        other = Worker(talk)
        item = await other.item()
        assert not item.workflowRequest.HasField("cachedHistory")
        assert len(item.workflowRequest.pastEvents) == 4
        await other.decide(item, done())
        await other.leave()

    told(talking, story)


@pytest.mark.parametrize("seed", range(4))
def test_a_client_may_go_at_any_moment(talking: Any, seed: int) -> None:
    """
    Calls and streams that are cancelled wherever they are leave no task, no stream and no work behind.
    """
    chance = random.Random(seed)

    async def story(talk: Any, worker: Worker) -> None:
        await worker.leave()
        for number in range(25):
            name = f"i{number}"
            calls = [Worker(talk).call, *(asyncio.ensure_future(one) for one in _calls(talk, name))]
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.01]))
            for call in chance.sample(calls, len(calls)):
                call.cancel()
                await asyncio.sleep(chance.choice([0, 0, 0.001]))
        await gone(talk)
        await until(lambda: len(talk.server.waiting) == 0)

    def _calls(talk: Any, name: str) -> list[Any]:
        return [
            talk.call("StartInstance", instanceId=name, name="W"),
            talk.call("WaitForInstanceCompletion", instanceId=name),
            talk.call("SuspendInstance", instanceId=name),
            talk.call("TerminateInstance", instanceId=name),
        ]

    told(talking, story)


def test_a_start_waits_for_a_worker(talking: Any) -> None:
    """
    With no worker and no executor of its own the server answers no start, over either service, and keeps nothing of
    one whose client has left; the first worker lets the others go on.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await worker.leave()
        calls = [
            asyncio.ensure_future(talk.call("StartInstance", instanceId="a", name="W")),
            asyncio.ensure_future(talk.call("StartWorkflowBeta1", instance_id="b", workflow_name="W")),
            asyncio.ensure_future(talk.call("StartWorkflowBeta1", instance_id="c", workflow_name="W")),
        ]
        await until(lambda: len(talk.server.pump._waits) == 3)
        calls.pop().cancel()
        await until(lambda: len(talk.server.pump._waits) == 2)
        assert (len(talk.server.engine), [call.done() for call in calls]) == (0, [False, False])
        assert not (await talk.call("GetInstance", instanceId="a")).exists
        other = Worker(talk)
        for _ in calls:
            await other.decide(await other.item(), done())
        assert ((await calls[0]).instanceId, (await calls[1]).instance_id) == ("a", "b")
        assert (len(talk.server.engine), len(talk.server.pump._waits)) == (2, 0)
        await other.leave()

    told(talking, story)


def test_a_worker_finds_again_what_the_client_gave(talking: Any) -> None:
    """
    The version and the tags of a start reach the worker, and so do the reasons of a pause and a resume.
    """

    async def story(talk: Any, worker: Worker) -> None:
        await start(talk, version={"value": "1.2"}, tags={"k": "v"})
        item = await worker.item()
        started = item.workflowRequest.newEvents[1].executionStarted
        assert (started.version.value, dict(started.tags), started.name) == ("1.2", {"k": "v"}, "W")
        await worker.decide(item)
        asking = asyncio.ensure_future(talk.call("SuspendInstance", instanceId="a", reason={"value": "why"}))
        item = await worker.item()
        assert item.workflowRequest.newEvents[1].executionSuspended.input.value == "why"
        await worker.decide(item)
        await asking

    told(talking, story)


@pytest.mark.parametrize("stays", [True, False])
def test_a_start_over_http_waits_for_a_worker(talking: Any, stays: bool) -> None:  # noqa: FBT001 - a row
    """
    It is answered once there is one; a client that leaves before has started nothing.
    """

    async def whole() -> None:
        async with talking(executor=False) as talk:
            sent: list[Any] = []
            left = asyncio.Event()
            messages = [{"type": "http.request", "body": b""}]

            async def receive() -> Any:
                if messages:
                    return messages.pop()
                await left.wait()
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                sent.append(message)

            path = b"/v1.0/workflows/dapr/W/start"
            scope = {"type": "http", "method": "POST", "path": path.decode(), "raw_path": path, "root_path": ""}
            scope |= {"query_string": b"instanceID=a", "headers": []}
            asked = asyncio.ensure_future(talk.server.app(scope, receive, send))
            await until(lambda: len(talk.server.pump._waits) == 1)
            if stays:
                worker = Worker(talk)
                await worker.decide(await worker.item(), done())
                await asked
                await worker.leave()
            else:
                left.set()
                await asked
            assert [message.get("status") for message in sent][:1] == ([202] if stays else [])
            assert (len(talk.server.engine), len(talk.server.pump._waits)) == (int(stays), 0)

    asyncio.run(whole())
