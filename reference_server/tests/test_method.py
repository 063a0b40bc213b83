from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import spec
import spec.places
from reference_server import assembly
from reference_server.instance import START
from reference_server.methods import methods
from reference_server.statuses import Refused
from spec import wire

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT = '{"do":[{"wait_event":"go"}]}'
WAYS: dict[str, tuple[str, str]] = {
    "ABSENT": ("", ""),
    "PENDING": (WAIT, ""),
    "RUNNING": (WAIT, ""),
    "SUSPENDED": (WAIT, "pause"),
    "COMPLETED": ('{"do":[]}', ""),
    "FAILED": ('{"do":[{"fail":"no"}]}', ""),
    "TERMINATED": (WAIT, "terminate"),
    "STALLED": (WAIT, ""),
}
CELLS = [
    (profile, surface.name, version, state, form.operation)
    for profile in spec.profiles()
    for surface in spec.grpc().values()
    for version in surface.versions
    for state in WAYS
    for form in surface.forms.values()
    if not form.beyond
]


def reached(make_world: Callable[..., Any], profile: str, state: str) -> Any:
    world = make_world(profile=profile, hold=state if state in ("PENDING", "STALLED") else "")
    data, operation = WAYS[state]
    if data:
        world.start("a", data=data)
        world.settle()
    if operation:
        world.call(operation, "a")
        world.settle()
    assert state == world.state("a")
    return world


def every(world: Any) -> dict[str, Any]:
    server = world.server
    loaded = assembly.acting(spec.load(world.settings.profile))
    parts = {"engine": server.engine, "pump": server.pump, "clock": world.clock, "waiting": server.waiting}
    return methods(loaded, dict, spec.grpc(), ids=assembly.RandomIds(), **parts)


async def answered(world: Any, handle: Any, request: bytes) -> Any:
    """
    The bytes or the Refused that come of a request; None for a call that waits, which is then cancelled.
    """
    world.pump.start(asyncio.get_running_loop())
    call = asyncio.ensure_future(handle(request))
    for _ in range(20):
        await asyncio.sleep(0)
    world.pump.stop()
    if not call.done():
        assert len(world.server.waiting) == 1
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert len(world.server.waiting) == 0
        return None
    error = call.exception()
    return error if isinstance(error, Refused) else call.result()


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_every_cell_answers_with_its_row(make_world: Callable[..., Any], cell: tuple[str, ...]) -> None:
    """
    In every state every operation of a surface gets the code of its row; what waits goes on without an answer.
    """
    profile, name, version, state, operation = cell
    surface = spec.grpc()[name]
    loaded = assembly.acting(spec.load(profile))
    column = loaded.replies[loaded.machine.cell(state, operation).acts].surfaces[name]
    world = reached(make_world, profile, state)
    form = surface.forms[operation]
    method = wire.services()[surface.service][form.method + version]
    request = filled(method.request(), form)

    answer = asyncio.run(answered(world, every(world)[method.path], request))

    if isinstance(answer, Refused):
        assert answer.status.code == column["code"]
    elif answer is None:
        held = state == "PENDING" or (operation == START and world.state("a") == "PENDING")
        assert column["code"] == "DEADLINE_EXCEEDED" or held
    else:
        assert column["code"] == "OK"
        method.response.FromString(answer)


def filled(message: Any, form: spec.Form) -> bytes:
    given = {"instance": "a", "workflow": "ConformanceEcho", "event": "go", "data": "1", **form.fixed}
    for word, place in form.fields.items():
        if word in given:
            spec.places.writer(message.DESCRIPTOR, place)(message, given[word])
    found: bytes = message.SerializeToString()
    return found


def test_a_field_tells_two_operations_apart(make_world: Callable[..., Any]) -> None:
    """
    The same method purges with force where its field says so, whatever else it says.
    """
    method = wire.services()["TaskHubSidecarService"]["PurgeInstances"]
    for fields, gone in [({}, False), ({"recursive": True}, False), ({"force": True}, True)]:
        world = reached(make_world, "dapr-1.18", "RUNNING")
        request = method.request(instanceId="a", **fields).SerializeToString()
        answer = asyncio.run(answered(world, every(world)[method.path], request))
        assert (world.state("a") == "ABSENT") is gone
        assert isinstance(answer, Refused) is not gone


def test_whatever_the_bytes_are_the_engine_is_whole(make_world: Callable[..., Any]) -> None:
    """
    Every method answers or refuses every short sequence of bytes, and each leaves the one instance as it was.
    """
    world = reached(make_world, "dapr-1.18", "SUSPENDED")
    before = world.engine.instance("a")
    samples = [bytes([one, two, three]) for one in range(0, 256, 5) for two in (0, 1, 127, 255) for three in (0, 98)]

    async def story() -> None:
        for path, handle in every(world).items():
            for sample in samples:
                try:
                    async with asyncio.timeout(0):
                        await handle(sample)
                except (Refused, TimeoutError):
                    pass
                assert world.engine.instance("a") is before, (path, sample)

    asyncio.run(story())
    assert len(world.server.waiting) == 0
