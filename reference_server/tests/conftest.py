"""
Worlds with a manual clock, and servers as processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from reference_server import assembly, views
from reference_server.instance import Answer, Call, Instance
from reference_server.over_grpc import Port
from reference_server.ports import CountingIds, ManualClock
from spec import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

ROOT = Path(assembly.__file__).parents[1]
SECOND = 1_000_000_000
NOON = 1_768_000_000 * SECOND


class World:
    """
    A server without sockets under a clock that the test winds.
    """

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock(NOON)
        self.settings = assembly.Settings(**settings)
        self.server = assembly.build(self.settings, clock=self.clock, ids=CountingIds())
        self.engine, self.pump = self.server.engine, self.server.pump

    def call(
        self, operation: str, name: str, *, event: str = "", data: str | None = None, workflow: str = ""
    ) -> Answer:
        return self.engine.handle(Call(operation, name, workflow, event, data), self.clock.now())

    def start(
        self, name: str, *instructions: Any, workflow: str = "ConformanceScript", data: str | None = None
    ) -> Answer:
        text = json.dumps({"do": instructions}) if data is None else data
        return self.call("start", name, workflow=workflow, data=text)

    def settle(self, seconds: float = 0) -> None:
        self.clock.advance(int(seconds * SECOND))
        while self.pump.step():
            pass

    def run(self, name: str, *instructions: Any) -> Instance:
        self.start(name, *instructions)
        self.settle()
        return self.instance(name)

    def instance(self, name: str) -> Instance:
        found = self.engine.instance(name)
        assert found is not None
        return found

    def state(self, name: str) -> str:
        found = self.engine.instance(name)
        return "ABSENT" if found is None else found.state

    def shown(self, name: str) -> dict[str, str]:
        return views.properties(self.instance(name), {"failure_as_output": False})

    def output(self, name: str) -> Any:
        text = self.instance(name).output
        return None if text is None else json.loads(text)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Door:
    """
    Asks the ASGI application, without a socket.
    """

    app: Any
    sent: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, target: str | bytes, body: bytes | list[bytes] = b"", **headers: str) -> Reply:
        raw, _, query = (target.encode() if isinstance(target, str) else target).partition(b"?")
        parts = body if isinstance(body, list) else [body]
        scope = {
            "type": "http",
            "method": method,
            "path": raw.decode("latin-1"),
            "raw_path": raw,
            "query_string": query,
            "root_path": "",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }
        return asyncio.run(self._ask(scope, parts))

    async def _ask(self, scope: dict[str, Any], parts: list[bytes]) -> Reply:
        self.sent = []
        left = list(parts)

        async def receive() -> dict[str, Any]:
            if not left:
                return {"type": "http.disconnect"}
            part = left.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(left)}

        async def send(message: dict[str, Any]) -> None:
            self.sent.append(message)

        await self.app(scope, receive, send)
        start = self.sent[0]
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Reply(start["status"], headers, b"".join(message.get("body", b"") for message in self.sent[1:]))


class Process:
    """
    A server as its users start it.
    """

    def __init__(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-P", "-m", "reference_server", *arguments]
        self.popen = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DAPR_API_TOKEN": "", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.connection: http.client.HTTPConnection | None = None

    def ready(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, self.popen.stderr.read() if self.popen.stderr else ""
        return dict(json.loads(line))

    def connect(self) -> http.client.HTTPConnection:
        self.connection = http.client.HTTPConnection(self.ready()["http"].removeprefix("http://"), timeout=30)
        return self.connection

    def finish(self) -> tuple[int, str, str]:
        out, err = self.popen.communicate(timeout=30)
        return self.popen.returncode, out, err

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make_world() -> Callable[..., World]:
    return World


@pytest.fixture
def make_door() -> Callable[..., tuple[World, Door]]:
    def make(**settings: Any) -> tuple[World, Door]:
        world = World(**settings)
        return world, Door(world.server.app)

    return make


@pytest.fixture
def launch() -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def start(*arguments: str, **environment: str) -> Process:
        running.append(Process(*arguments, **environment))
        return running[-1]

    yield start
    for process in running:
        process.close()


@dataclass
class Talk:
    """
    A client of a gRPC port in this process, on the same loop. A refused call is (code, message).
    """

    server: assembly.Server
    channel: grpc.aio.Channel
    place: str
    running: list[Any] = field(default_factory=list)

    async def bytes(self, path: str, request: bytes, **given: Any) -> Any:
        try:
            return await self.channel.unary_unary(path)(request, **{"timeout": 30, **given})
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details()

    async def call(self, name: str, given: dict[str, Any] | None = None, /, **fields: Any) -> Any:
        (method,) = (methods[name] for methods in wire.services().values() if name in methods)
        answer = await self.bytes(method.path, method.request(**fields).SerializeToString(), **(given or {}))
        return method.response.FromString(answer) if isinstance(answer, bytes) else answer


@contextlib.asynccontextmanager
async def _talking(others: Any = None, **settings: Any) -> AsyncIterator[Talk]:
    chosen = assembly.Settings(**settings)
    server = assembly.build(chosen)
    port = Port(server.services(others or {}), ["127.0.0.1"], 0, chosen.max_body)
    await port.open()
    server.pump.start(asyncio.get_running_loop())
    try:
        async with grpc.aio.insecure_channel(port.places[0]) as channel:
            yield Talk(server, channel, port.places[0])
    finally:
        server.pump.stop()
        await port.close()


@pytest.fixture
def talking() -> Callable[..., contextlib.AbstractAsyncContextManager[Talk]]:
    """
    What opens a gRPC port in this process, with settings: an asynchronous context manager of a Talk.
    """
    return _talking
