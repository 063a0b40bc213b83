"""
Takes turns and activities from a sidecar's GetWorkItems, and answers them.

Rule 1: a sidecar that goes away is asked again until it is back; what it had handed out it will hand out again.
Rule 2: an answer that does not reach the sidecar is forgotten, for the same reason.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from reference_server.decisions import answered, answered_activity
from reference_server.history import read, text
from reference_server.instance import TURN, Activity, Turn
from spec import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reference_server.instance import Event
    from reference_server.ports import Executor

SERVICE = "TaskHubSidecarService"
TOKEN = "dapr-api-token"  # noqa: S105 - the name of a field of the metadata
FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0
"""Seconds between two tries to reach a sidecar: doubled from the first to the longest."""

_TLS = "https://"
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_log = logging.getLogger("reference_server.worker")


class Host:
    """
    One worker: an executor, and the sidecar at `place` that it works for, HOST:PORT or https://HOST:PORT.

    `delay` is how long each item takes, in seconds; `authorities` are certificates to trust instead of the usual ones.
    """

    def __init__(
        self, place: str, executor: Executor, token: str = "", *, delay: float = 0, authorities: bytes = b""
    ) -> None:
        self._place, self._executor, self._delay, self._authorities = place, executor, delay, authorities
        self._metadata = ((TOKEN, token),) if token else ()
        self._methods = wire.services()[SERVICE]
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """
        Work, until it is cancelled.
        """
        async with self._channel() as channel:
            wait = FIRST_WAIT
            while True:
                begun = False
                try:
                    async for _ in self._work(channel):
                        begun, wait = True, FIRST_WAIT
                except grpc.aio.AioRpcError as error:
                    if begun or wait == FIRST_WAIT:
                        _log.warning("%s: %s %s", self._place, error.code().name, error.details())
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)

    def _channel(self) -> grpc.aio.Channel:
        place = self._place.removeprefix(_TLS)
        if place == self._place:
            return grpc.aio.insecure_channel(place, options=_OPTIONS)
        return grpc.aio.secure_channel(place, grpc.ssl_channel_credentials(self._authorities or None), options=_OPTIONS)

    async def _work(self, channel: grpc.aio.Channel) -> AsyncIterator[None]:
        """
        One stream from its opening to its end; yields when it is open, and with each item.
        """
        await self._call(channel, "Hello", b"")
        _log.info("working for %s", self._place)
        yield
        method = self._methods["GetWorkItems"]
        items: Any = channel.unary_stream(method.path)
        stream = items(b"", metadata=self._metadata)
        try:
            async for content in stream:
                item: Any = method.response.FromString(content)
                task = asyncio.ensure_future(self._answer(channel, item))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                yield
        finally:
            stream.cancel()

    async def _answer(self, channel: grpc.aio.Channel, item: Any) -> None:
        kind = item.WhichOneof("request")
        if self._delay:
            await asyncio.sleep(self._delay)
        try:
            if kind == "workflowRequest":
                await self._call(channel, "CompleteOrchestratorTask", self._turn(item))
            elif kind == "activityRequest":
                await self._call(channel, "CompleteActivityTask", self._activity(item))
        except grpc.aio.AioRpcError as error:
            _log.warning("an answer did not arrive: %s %s", error.code().name, error.details())

    async def _call(self, channel: grpc.aio.Channel, name: str, request: bytes) -> None:
        method: Any = channel.unary_unary(self._methods[name].path)
        await method(request, metadata=self._metadata)

    def _turn(self, item: Any) -> bytes:
        request = item.workflowRequest
        past, new = _events(request.pastEvents), _events(request.newEvents)
        begun = next((event.time for event in reversed(new) if event.kind == TURN), new[-1].time if new else 0)
        turn = Turn(request.instanceId, past, tuple(event for event in new if event.kind != TURN), begun)
        response: Any = wire.message("WorkflowResponse")(
            instanceId=request.instanceId, completionToken=item.completionToken
        )
        answered(self._executor.turn(turn), response)
        return bytes(response.SerializeToString())

    def _activity(self, item: Any) -> bytes:
        request = item.activityRequest
        name = request.workflowInstance.instanceId
        activity = Activity(name, 0, request.taskId, request.name, text(request, "input"))
        response: Any = wire.message("ActivityResponse")(
            instanceId=name, taskId=request.taskId, completionToken=item.completionToken
        )
        answered_activity(self._executor.activity(activity), response)
        return bytes(response.SerializeToString())


def _events(messages: Any) -> tuple[Event, ...]:
    return tuple([event for message in messages if (event := read(message)) is not None])
