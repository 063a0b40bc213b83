"""
Lists, histories and reruns over TaskHub.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CALLS = {"do": [{"call_activity": 1}, {"call_activity": 2}, {"sleep": 0.01}, {"call_child": {"do": [{"return": 3}]}}]}
NOT_FOUND, INVALID = "NOT_FOUND", "INVALID_ARGUMENT"


def told(talking: Any, story: Callable[[Any], Awaitable[None]], **settings: Any) -> None:
    async def whole() -> None:
        async with talking(**settings) as talk:
            await story(talk)

    asyncio.run(whole())


async def run(talk: Any, name: str, script: Any = None, workflow: str = "ConformanceScript") -> None:
    text = json.dumps(script or CALLS)
    await talk.call("StartInstance", instanceId=name, name=workflow, input={"value": text})


async def output(talk: Any, name: str) -> Any:
    state = (await talk.call("WaitForInstanceCompletion", instanceId=name, getInputsAndOutputs=True)).workflowState
    return json.loads(state.output.value or "null")


def test_ids_come_in_pages(talking: Any) -> None:
    """
    Every ID is on exactly one page, whatever the size; without one a page has 1,024, and new instances show at once.
    """

    async def story(talk: Any) -> None:
        assert not (await talk.call("ListInstanceIDs")).instanceIds
        names = [f"i{number:04}" for number in range(1030)]
        await asyncio.gather(*(run(talk, name, "x", "ConformanceEcho") for name in names))
        whole = await talk.call("ListInstanceIDs")
        assert (len(whole.instanceIds), whole.continuationToken) == (1024, "i1023")
        seen, token = [], {}
        while True:
            page = await talk.call("ListInstanceIDs", pageSize=500, **token)
            seen.append(list(page.instanceIds))
            if not page.HasField("continuationToken"):
                break
            token = {"continuationToken": page.continuationToken}
        assert ([len(part) for part in seen], [name for part in seen for name in part]) == ([500, 500, 30], names)
        await talk.call("PurgeInstances", instanceId="i0000")
        await run(talk, "a", "x", "ConformanceEcho")
        assert list((await talk.call("ListInstanceIDs", pageSize=2)).instanceIds) == ["a", "i0001"]

    told(talking, story)


def test_a_history_tells_the_life_of_an_instance(talking: Any) -> None:
    """
    It begins with the first turn and the start, and ends with the end, in the order of time; nobody has another.
    """

    async def story(talk: Any) -> None:
        await run(talk, "a")
        await output(talk, "a")
        events = (await talk.call("GetInstanceHistory", instanceId="a")).events
        kinds = [event.WhichOneof("eventType") for event in events]
        assert kinds[:3] == ["workflowStarted", "executionStarted", "taskScheduled"]
        assert (kinds[-1], events[-1].executionCompleted.workflowStatus) == ("executionCompleted", 1)
        assert [event.eventId for event in events if event.HasField("taskScheduled")] == [1, 2]
        child = next(event.childWorkflowInstanceCreated for event in events if event.eventId == 4)
        started = (await talk.call("GetInstanceHistory", instanceId=child.instanceId)).events[1].executionStarted
        assert started.parentInstance.workflowInstance.instanceId == "a"
        assert await talk.call("GetInstanceHistory", instanceId="b") == (NOT_FOUND, "workflow instance 'b' not found")

    told(talking, story)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"eventID": 1}, [1, 2, 3]),
        ({"eventID": 2}, [1, 2, 3]),
        ({"eventID": 2, "overwriteInput": True, "input": {"value": "9"}}, [1, 9, 3]),
        ({"eventID": 1, "overwriteInput": True}, [None, 2, 3]),
        ({"eventID": 3}, [1, 2, 3]),
        ({"eventID": 4, "newChildWorkflowInstanceID": "kid"}, [1, 2, 3]),
    ],
)
def test_a_rerun_does_again_what_comes_from_an_event_on(talking: Any, fields: Any, expected: Any) -> None:
    """
    What came before keeps its results; the event itself may get another input, and a child another ID.
    """

    async def story(talk: Any) -> None:
        await run(talk, "a")
        before = await output(talk, "a")
        answer = await talk.call("RerunWorkflowFromEvent", sourceInstanceID="a", newInstanceID="b", **fields)
        assert answer.newInstanceID == "b"
        assert await output(talk, "b") == expected
        assert before == await output(talk, "a")
        history = (await talk.call("GetInstanceHistory", instanceId="b")).events
        numbers = [event.eventId for event in history if event.eventId > 0]
        assert sorted(numbers) == [1, 2, 3, 4]
        if "newChildWorkflowInstanceID" in fields:
            assert (await talk.call("GetInstance", instanceId="kid")).exists
        other = await talk.call("RerunWorkflowFromEvent", sourceInstanceID="b", eventID=1)
        assert len(other.newInstanceID) == 36

    told(talking, story)


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"sourceInstanceID": ""}, INVALID, "source instance ID is required"),
        ({"sourceInstanceID": "nobody"}, NOT_FOUND, "does not exist with ID 'nobody'"),
        ({"sourceInstanceID": "waits"}, INVALID, "'waits' is not in a terminal state"),
        ({"sourceInstanceID": "a:0004"}, INVALID, "cannot rerun from child-workflows"),
        ({"newInstanceID": "a"}, INVALID, "must be different"),
        ({"newInstanceID": "waits"}, "ALREADY_EXISTS", "workflow 'waits' has already been created"),
        ({"eventID": 77}, NOT_FOUND, "does not have history event with ID '77'"),
        ({"eventID": 3, "overwriteInput": True}, INVALID, "event '3'"),
        ({"eventID": 1, "newChildWorkflowInstanceID": "x"}, INVALID, "event '1'"),
    ],
)
def test_a_rerun_that_cannot_be_is_refused(talking: Any, fields: Any, code: str, said: str) -> None:
    """
    Each condition has its status, and nothing comes of it.
    """

    async def story(talk: Any) -> None:
        await run(talk, "a")
        await output(talk, "a")
        await run(talk, "waits", {"do": [{"wait_event": "go"}]})
        before = list((await talk.call("ListInstanceIDs")).instanceIds)
        given = {"sourceInstanceID": "a", "newInstanceID": "b", "eventID": 1, **fields}
        refused = await talk.call("RerunWorkflowFromEvent", **given)
        assert refused[0] == code
        assert said in refused[1]
        assert list((await talk.call("ListInstanceIDs")).instanceIds) == before

    told(talking, story)


def test_bytes_that_are_no_message_are_refused(talking: Any) -> None:
    """
    As for every other method.
    """

    async def story(talk: Any) -> None:
        for method in ("ListInstanceIDs", "GetInstanceHistory", "RerunWorkflowFromEvent"):
            assert (await talk.bytes(f"/TaskHubSidecarService/{method}", b"\xff\xff"))[0] == "INTERNAL"

    told(talking, story)
