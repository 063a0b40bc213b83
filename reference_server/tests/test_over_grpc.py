from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

import spec
from reference_server.over_grpc import Port
from reference_server.serving import CannotListen, listen
from reference_server.statuses import Refused, Status
from spec import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Story = Callable[[Any], Awaitable[None]]

WAIT = '{"do":[{"wait_event":"go"}]}'
GET = "/TaskHubSidecarService/GetInstance"


def told(talking: Any, story: Story, **settings: Any) -> None:
    """
    Tell a story to a server, and see that it leaves no task and no wait behind.
    """

    async def whole() -> None:
        async with talking(**settings) as talk:
            await talk.call("GetInstance", instanceId="nobody")
            before = len(asyncio.all_tasks())
            await story(talk)
            await quiet(lambda: len(asyncio.all_tasks()) <= before and not len(talk.server.waiting))

    asyncio.run(whole())


async def quiet(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what happens in a server tells nobody
            await asyncio.sleep(0.001)


async def waiting(talk: Any, number: int) -> None:
    await quiet(lambda: len(talk.server.waiting) == number)


async def begun(talk: Any, name: str = "a", data: str = WAIT) -> None:
    await talk.call("StartInstance", instanceId=name, name="ConformanceScript", input={"value": data})


@pytest.mark.parametrize("version", ["Alpha1", "Beta1"])
def test_a_life_over_the_service_of_the_sidecar(talking: Any, version: str) -> None:
    """
    Start, read, pause, resume, raise, terminate and purge, in both versions.
    """

    async def story(talk: Any) -> None:
        named = {"instance_id": "a", "workflow_component": "dapr"}
        started = await talk.call(
            f"StartWorkflow{version}", **named, workflow_name="ConformanceScript", input=WAIT.encode()
        )
        for name in ("Pause", "Resume"):
            assert await talk.call(f"{name}Workflow{version}", **named)
        await quiet(lambda: talk.server.engine.instance("a").state == "RUNNING")
        read = await talk.call(f"GetWorkflow{version}", **named)
        assert (started.instance_id, read.instance_id, read.workflow_name) == ("a", "a", "ConformanceScript")
        assert (read.runtime_status, dict(read.properties)) == ("RUNNING", {"dapr.workflow.input": WAIT})
        assert read.created_at.seconds > 0
        await talk.call(f"RaiseEventWorkflow{version}", **named, event_name="go", event_data=b'"x"')
        await quiet(lambda: talk.server.engine.instance("a").state == "COMPLETED")
        read = await talk.call(f"GetWorkflow{version}", **named)
        assert read.properties["dapr.workflow.output"] == '["x"]'
        await talk.call(f"TerminateWorkflow{version}", **named)
        await talk.call(f"PurgeWorkflow{version}", **named)
        gone = await talk.call(f"GetWorkflow{version}", **named)
        assert gone == wire.message("dapr.proto.runtime.v1.GetWorkflowResponse")(instance_id="a")

    told(talking, story)


def test_the_next_read_sees_what_was_answered(talking: Any) -> None:
    """
    Over TaskHub a start, a pause, a resume and a terminate are answered with their effect, however long it takes.
    """

    async def story(talk: Any) -> None:
        steps = [
            ("StartInstance", {"name": "ConformanceScript", "input": {"value": WAIT}}, 0),
            ("SuspendInstance", {}, 7),
            ("ResumeInstance", {}, 0),
            ("SuspendInstance", {"reason": {"value": "why"}}, 7),
            ("TerminateInstance", {"output": {"value": '"x"'}}, 5),
        ]
        for name, fields, status in steps:
            await talk.call(name, instanceId="a", **fields)
            read = await talk.call("GetInstance", instanceId="a", getInputsAndOutputs=True)
            assert read.exists
            assert read.workflowState.workflowStatus == status, name
        assert read.workflowState.output.value == '"x"'

    told(talking, story, settle=20)


def test_payloads_come_where_they_are_asked_for(talking: Any) -> None:
    """
    Input, output, custom status and failure are left out of an answer that did not ask for them.
    """

    async def story(talk: Any) -> None:
        await begun(talk, data='{"do":[{"set_status":"s"},{"fail":"no"}]}')
        await talk.call("WaitForInstanceCompletion", instanceId="a")
        less = (await talk.call("GetInstance", instanceId="a")).workflowState
        more = (await talk.call("GetInstance", instanceId="a", getInputsAndOutputs=True)).workflowState
        fields = ("input", "customStatus", "failureDetails")
        assert [less.HasField(name) for name in fields] == [False] * 3
        assert [more.HasField(name) for name in fields] == [True] * 3
        assert more.failureDetails.errorMessage == "no"

    told(talking, story)


def test_a_wait_is_answered_when_it_comes_true(talking: Any) -> None:
    """
    A wait without a deadline goes on, and all that wait for one instance are answered at once.
    """

    async def story(talk: Any) -> None:
        await begun(talk)
        waits = [
            asyncio.ensure_future(talk.call("WaitForInstanceCompletion", {"timeout": None}, instanceId="a"))
            for _ in range(5)
        ]
        await waiting(talk, 5)
        await talk.call("SuspendInstance", instanceId="a")
        await talk.call("ResumeInstance", instanceId="a")
        await waiting(talk, 5)
        await talk.call("RaiseEvent", instanceId="a", name="go")
        answers = await asyncio.gather(*waits)
        assert [one.workflowState.workflowStatus for one in answers] == [1] * 5

    told(talking, story)


def test_more_calls_than_are_taken_at_once_wait_their_turn(talking: Any) -> None:
    """
    Of 1,500 waits that come in one moment none is dropped.
    """

    async def story(talk: Any) -> None:
        await begun(talk)
        waits = [asyncio.ensure_future(talk.call("WaitForInstanceCompletion", instanceId="a")) for _ in range(1500)]
        await waiting(talk, 1500)
        await talk.call("RaiseEvent", instanceId="a", name="go")
        assert {one.workflowState.workflowStatus for one in await asyncio.gather(*waits)} == {1}

    told(talking, story)


def test_a_wait_ends_with_its_client(talking: Any) -> None:
    """
    A deadline, a cancellation and a connection that closes each end a wait, and nothing of it is left.
    """

    async def story(talk: Any) -> None:
        await begun(talk)
        late = await talk.call("WaitForInstanceCompletion", {"timeout": 0.05}, instanceId="a")
        assert late[0] == "DEADLINE_EXCEEDED"
        await waiting(talk, 0)
        wait = asyncio.ensure_future(talk.call("WaitForInstanceCompletion", instanceId="a"))
        await waiting(talk, 1)
        wait.cancel()
        await waiting(talk, 0)
        assert talk.server.engine.instance("a").state == "RUNNING"

    told(talking, story)


def test_cancelling_at_any_moment_harms_nothing(talking: Any) -> None:
    """
    Calls of every kind that are dropped by their client after a moment leave an engine that goes on.
    """

    async def story(talk: Any) -> None:
        names = ["StartInstance", "WaitForInstanceStart", "SuspendInstance", "ResumeInstance", "TerminateInstance"]
        for moment in range(40):
            fields = {"name": "ConformanceScript"} if moment % 5 == 0 else {}
            call = asyncio.ensure_future(talk.call(names[moment % 5], instanceId=f"i{moment // 5}", **fields))
            await asyncio.sleep(moment % 7 * 0.001)
            call.cancel()
        await waiting(talk, 0)
        assert await talk.call("GetWorkflowBeta1", instance_id="nobody")

    told(talking, story, settle=5)


def test_a_wait_for_what_is_purged_is_refused(talking: Any) -> None:
    """
    Whoever waits for an instance that goes away is told so, and its child's waiters too.
    """

    async def story(talk: Any) -> None:
        await begun(talk, data='{"do":[{"call_child":{"id":"c","do":[{"wait_event":"go"}]}}]}')
        await quiet(lambda: talk.server.engine.instance("c") is not None)
        waits = [asyncio.ensure_future(talk.call("WaitForInstanceCompletion", instanceId=name)) for name in ("a", "c")]
        await waiting(talk, 2)
        purged = await talk.call("PurgeInstances", instanceId="a", recursive=True, force=True)
        assert purged.deletedInstanceCount == 2
        assert await asyncio.gather(*waits) == [("UNKNOWN", "no such instance exists")] * 2

    told(talking, story)


def test_a_start_for_a_time_to_come_is_answered_at_once(talking: Any) -> None:
    """
    It is pending until its time, over both services, and takes its turn then.
    """

    async def story(talk: Any) -> None:
        later = {"seconds": 4_000_000_000}
        await talk.call("StartInstance", instanceId="a", name="ConformanceEcho", scheduledStartTimestamp=later)
        await talk.call(
            "StartWorkflowBeta1",
            instance_id="b",
            workflow_name="ConformanceEcho",
            options={"dapr.workflow.start_time": "2096-10-02T07:06:40+00:00"},
        )
        await talk.call("StartInstance", instanceId="c", name="ConformanceEcho", scheduledStartTimestamp={"seconds": 1})
        assert (await talk.call("GetWorkflowBeta1", instance_id="a")).runtime_status == "PENDING"
        assert (await talk.call("GetInstance", instanceId="b")).workflowState.workflowStatus == 6
        assert (await talk.call("WaitForInstanceCompletion", instanceId="c")).workflowState.workflowStatus == 1

    told(talking, story)


def test_a_start_waits_for_the_first_turn(talking: Any) -> None:
    """
    Where no instance begins, a start goes on until its client gives up; the instance is there.
    """

    async def story(talk: Any) -> None:
        late = await talk.call("StartInstance", {"timeout": 0.1}, instanceId="a", name="W")
        assert late[0] == "DEADLINE_EXCEEDED"
        assert (await talk.call("GetWorkflowBeta1", instance_id="a")).runtime_status == "PENDING"

    told(talking, story, hold="PENDING")


def test_what_is_not_recursive_reaches_the_instance_alone(talking: Any) -> None:
    """
    A terminate or a purge that is not recursive leaves the children as they were.
    """

    async def story(talk: Any) -> None:
        for name in ("a", "b"):
            await begun(talk, name, f'{{"do":[{{"call_child":{{"id":"{name}1","do":[{{"wait_event":"go"}}]}}}}]}}')
        await quiet(lambda: len(talk.server.engine) == 4)
        await talk.call("TerminateInstance", instanceId="a")
        await talk.call("TerminateInstance", instanceId="b", recursive=True)
        await talk.call("WaitForInstanceCompletion", instanceId="b1")
        purged = await talk.call("PurgeInstances", instanceId="a")
        assert purged.deletedInstanceCount == 1
        assert talk.server.engine.instance("a1").state == "RUNNING"
        purged = await talk.call("PurgeInstances", instanceId="b", recursive=True)
        assert purged.deletedInstanceCount == 2

    told(talking, story)


@pytest.mark.parametrize(
    ("path", "request_", "code"),
    [
        ("/TaskHubSidecarService/GetEverything", b"", "UNIMPLEMENTED"),
        ("/other.Service/Get", b"", "UNIMPLEMENTED"),
        (GET, b"\xff\xff\xff", "INTERNAL"),
        (GET, b"\x0a\x7f", "INTERNAL"),
        (GET, b"\x0a\x02\xff\xfe", "INTERNAL"),
        ("/TaskHubSidecarService/RaiseEvent", b"\x0a\x01a\x1a\x04\x0a\x02\xff\xfe", "INTERNAL"),
        ("/TaskHubSidecarService/StartInstance", bytes.fromhex("2a0a08808080808080808040"), "INTERNAL"),
        (GET, b"\x0a\x80\x80\xc0\x02" + b"a" * (5 << 20), "RESOURCE_EXHAUSTED"),
        ("/TaskHubSidecarService/PurgeInstances", bytes.fromhex("12021863"), "UNKNOWN"),  # an unknown status
    ],
)
def test_what_is_no_request_has_a_clear_status(talking: Any, path: str, request_: bytes, code: str) -> None:
    """
    Unknown methods, bytes that are no message, text that is none, times beyond all, messages that are too large.
    """

    async def story(talk: Any) -> None:
        refused = await talk.bytes(path, request_)
        assert refused[0] == code
        assert refused[1]
        assert (await talk.call("GetInstance", instanceId="a")).exists is False

    told(talking, story)


def test_arguments_are_refused_by_their_rows(talking: Any) -> None:
    """
    What is missing or invalid gets the code and the text of its row.
    """

    async def story(talk: Any) -> None:
        start: dict[str, Any] = {"workflow_name": "W"}
        for name, fields, row in [
            ("GetWorkflowBeta1", {}, "instance.missing"),
            ("PurgeWorkflowAlpha1", {}, "instance.missing"),
            ("StartWorkflowBeta1", {}, "workflow.missing"),
            ("RaiseEventWorkflowBeta1", {"instance_id": "a"}, "event.missing"),
            ("StartWorkflowBeta1", {**start, "instance_id": "a" * 65}, "start.id_too_long"),
            ("StartWorkflowBeta1", {**start, "instance_id": "a.b"}, "start.id_invalid"),
            ("StartWorkflowBeta1", {**start, "input": b"\xff"}, "start.not_utf8"),
            ("StartWorkflowBeta1", {**start, "options": {"dapr.workflow.start_time": "now"}}, "start.time_invalid"),
            ("RaiseEventWorkflowBeta1", {"instance_id": "a", "event_name": "e", "event_data": b"\xff"}, ""),
            ("PurgeInstances", {"purgeInstanceFilter": {}}, "purge.by_filter"),
        ]:
            refused = await talk.call(name, **fields)
            surface = "taskhub" if name == "PurgeInstances" else "dapr_grpc"
            column = spec.load().replies[row or "raise_event.not_utf8"].surfaces[surface]
            assert refused[0] == column["code"], name
            assert refused[1].startswith(column["message"].partition("{")[0]), name

    told(talking, story)


def test_the_application_is_checked_where_the_profile_reads_it(talking: Any) -> None:
    """
    A forbidden app_id is refused by the main branch of the runtime, and not read by the others.
    """

    async def story(talk: Any) -> None:
        refused = await talk.call("GetWorkflowBeta1", instance_id="a", app_id="a b")
        assert refused[0] == "INVALID_ARGUMENT"

    async def read(talk: Any) -> None:
        assert (await talk.call("GetWorkflowBeta1", instance_id="a", app_id="a b")).instance_id == "a"

    told(talking, story, profile="dapr-edge")
    told(talking, read)


def test_reading_nobody_is_as_the_profile_says(talking: Any) -> None:
    """
    OK and empty, or NOT_FOUND; over TaskHub an answer without an instance in any profile.
    """

    async def documented(talk: Any) -> None:
        assert (await talk.call("GetWorkflowBeta1", instance_id="a"))[0] == "NOT_FOUND"
        assert (await talk.call("GetInstance", instanceId="a")).exists is False

    told(talking, documented, profile="documented")


def test_an_id_is_made_up_over_one_service_only(talking: Any) -> None:
    """
    The sidecar's service names an instance that has no ID; over TaskHub clients do, and any ID will do.
    """

    async def story(talk: Any) -> None:
        made = await talk.call("StartWorkflowBeta1", workflow_name="ConformanceEcho")
        assert talk.server.engine.instance(made.instance_id).input == ""
        odd = "a||b 6671@device/é" * 10
        assert (await talk.call("StartInstance", instanceId=odd, name="ConformanceEcho")).instanceId == odd
        assert talk.server.engine.instance(odd).input is None

    told(talking, story)


def test_a_token_is_asked_for(talking: Any) -> None:
    """
    With a token set, calls without it or with another are refused; probes are not.
    """

    async def story(talk: Any) -> None:
        for metadata in ((), (("dapr-api-token", "x"),), (("dapr-api-token", ""),)):
            refused = await talk.call("GetMetadata", {"metadata": metadata})
            assert refused == ("UNAUTHENTICATED", "invalid api token")
        allowed = await talk.call("GetMetadata", {"metadata": (("dapr-api-token", "secret"),)})
        assert (allowed.id, allowed.runtime_version) == ("reference", spec.load().profile.runtime)
        assert allowed.workflows.connected_workers == 1
        assert await talk.bytes("/grpc.health.v1.Health/Check", b"") == b"\x08\x01"

    told(talking, story, token="secret")


def test_old_clients_find_a_hub(talking: Any) -> None:
    """
    Creating and deleting a task hub is answered, and does nothing.
    """

    async def story(talk: Any) -> None:
        await begun(talk)
        await talk.call("CreateTaskHub", recreateIfExists=True)
        await talk.call("DeleteTaskHub")
        assert (await talk.call("GetInstance", instanceId="a")).exists

    told(talking, story)


def test_methods_of_others_take_the_place_of_ours(talking: Any) -> None:
    """
    A method given by its path is served: it returns, streams, refuses or breaks, and is cancelled with its client.
    """
    ended = []

    async def mine(request: bytes) -> bytes:
        if request == b"refuse":
            raise Refused(Status("ABORTED", "no"))
        if request == b"break":
            raise RuntimeError("a bug")
        return request + b"!"

    async def items(request: bytes) -> AsyncIterator[bytes]:
        try:
            yield request
            await asyncio.Event().wait()
        finally:
            ended.append(request)

    hello, stream = "/TaskHubSidecarService/Hello", "/TaskHubSidecarService/GetWorkItems"

    async def story(talk: Any) -> None:
        assert await talk.bytes(hello, b"x") == b"x!"
        assert await talk.bytes(hello, b"refuse") == ("ABORTED", "no")
        assert await talk.bytes(hello, b"break") == ("INTERNAL", "the server has a bug: RuntimeError")
        call = talk.channel.unary_stream(stream)(b"s")
        assert await call.read() == b"s"
        call.cancel()
        await quiet(lambda: ended == [b"s"])

    told(talking, story, others={hello: mine, stream: items})


def test_a_port_in_use_is_told_with_a_remedy() -> None:
    """
    A port that somebody listens on is not shared.
    """
    (taken,) = listen(["127.0.0.1"], 0)

    async def opened() -> None:
        await Port(grpc.method_handlers_generic_handler("x", {}), ["127.0.0.1"], taken.getsockname()[1], 1).open()

    with taken, pytest.raises(CannotListen, match="in use; choose another with --dapr-grpc-port"):
        asyncio.run(opened())
    gc.collect()


def test_several_addresses_have_one_port() -> None:
    """
    Port 0 is picked once.
    """

    async def opened() -> list[str]:
        port = Port(grpc.method_handlers_generic_handler("x", {}), ["127.0.0.1", "127.0.0.2"], 0, 1)
        await port.open()
        await port.close()
        return port.places

    first, second = asyncio.run(opened())
    assert first.partition(":")[2] == second.partition(":")[2] != "0"
    assert (first.partition(":")[0], second.partition(":")[0]) == ("127.0.0.1", "127.0.0.2")
