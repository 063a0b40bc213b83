"""
Programs on published SDKs, and the servers they talk to.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reference_server.tests.sdks import environments

HERE = Path(__file__).parent
PATIENCE = 120.0
"""
Seconds until a program that says nothing is taken for dead.
"""


def first(wanted: Callable[[Any], Any], look: Callable[[], Any]) -> Any:
    """
    The first thing seen that is as wanted: effects take a moment.
    """
    end = time.monotonic() + PATIENCE
    while not wanted(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.005)
    return seen


class Program:
    """
    A process that speaks in lines of JSON; what it writes to stderr is shown when it fails.
    """

    def __init__(self, command: list[str], **variables: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - close() closes it
        ours = {name: value for name, value in os.environ.items() if not name.startswith("DAPR_")}
        self.process = subprocess.Popen(
            command,
            env={**ours, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def line(self) -> Any:
        try:
            text = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            text = ""
        assert text, f"{self.process.args} says nothing more:\n{self.errors()}"
        return json.loads(text)

    def say(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(message)}\n")
        self.process.stdin.flush()

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-8000:]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self._errors.close()


class SdkError(Exception):
    """
    What an SDK raised: its type, what it says, and a code where it has one.
    """

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['type']}: {error['message']}")
        self.type, self.message, self.code = error["type"], error["message"], error["code"]


class Client(Program):
    """
    An SDK's client in a process of its own.
    """

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        self.say({"call": name, "with": list(arguments) or named})
        answer = self.line()
        if "error" in answer:
            raise SdkError(answer["error"])
        return answer["ok"]

    def until(self, wanted: Callable[[Any], Any], name: str, *arguments: Any, **named: Any) -> Any:
        """
        The first answer that is as wanted.
        """
        return first(wanted, lambda: self.call(name, *arguments, **named))


class Server(Program):
    """
    The reference server as users start it, on free ports.
    """

    def __init__(self, *arguments: str, token: str = "") -> None:
        ports = ("--dapr-http-port", "0", "--dapr-grpc-port", "0", "--ready-json")
        command = [sys.executable, "-P", "-m", "conformance", "serve", *ports, *arguments]
        super().__init__(command, PYTHONPATH=str(environments.ROOT), DAPR_API_TOKEN=token)
        ready = self.line()
        self.http, self.grpc, self.token = ready["http"].removeprefix("http://"), ready["grpc"], token

    @property
    def variables(self) -> dict[str, str]:
        """
        Where the SDKs find the server, in the variables that a sidecar gives an application.
        """
        (host, http_port), (_, grpc_port) = self.http.rsplit(":", 1), self.grpc.rsplit(":", 1)
        return {
            "DAPR_RUNTIME_HOST": host,
            "DAPR_HTTP_PORT": http_port,
            "DAPR_GRPC_PORT": grpc_port,
            **({"DAPR_API_TOKEN": self.token} if self.token else {}),
        }

    def ask(self, method: str, path: str, data: Any = None) -> Any:
        """
        The body that answers a request to the workflow API over HTTP, the error's too.
        """
        connection = http.client.HTTPConnection(self.http, timeout=PATIENCE)
        try:
            connection.request(method, f"/v1.0/workflows/dapr/{path}", None if data is None else json.dumps(data))
            text = connection.getresponse().read()
        finally:
            connection.close()
        return json.loads(text) if text else None

    def until(self, instance: str, *statuses: str) -> Any:
        return first(lambda state: state.get("runtimeStatus") in statuses, lambda: self.ask("GET", instance))


@pytest.fixture(scope="session")
def environment() -> Callable[[str], environments.Environment]:
    made: dict[str, environments.Environment] = {}

    def get(name: str) -> environments.Environment:
        if name not in made:
            try:
                made[name] = environments.make(name)
            except environments.MissingToolError as missing:
                pytest.skip(f"{name} is not driven: {missing}")
        return made[name]

    return get


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Server]]:
    """
    Servers by their options, each started once.
    """
    running: dict[Any, Server] = {}

    def get(*arguments: str, token: str = "") -> Server:
        if (arguments, token) not in running:
            running[arguments, token] = Server(*arguments, token=token)
        return running[arguments, token]

    yield get
    for server in running.values():
        server.close()


Environments = Callable[[str], environments.Environment]


def programs(environment: Environments) -> Iterator[Callable[..., Program]]:
    """
    Runs programs of this folder on an environment's packages; `kind` is Program or a class of it.
    """
    running: list[Program] = []

    def start(name: str, source: str, *arguments: str, kind: type[Program] = Program, **variables: str) -> Program:
        on = environment(name)
        command = [on.interpreter, str(HERE / source), *arguments]
        running.append(kind(command, **{**on.variables, **variables}))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def program(environment: Environments) -> Iterator[Callable[..., Program]]:
    """
    Programs that end with the test.
    """
    yield from programs(environment)


@pytest.fixture(scope="module")
def lasting_program(environment: Environments) -> Iterator[Callable[..., Program]]:
    """
    Programs that end with the module.
    """
    yield from programs(environment)


@pytest.fixture(scope="module")
def hosted(environment: Environments, lasting_program: Callable[..., Program]) -> Iterator[Callable[[str], Server]]:
    """
    A server that executes nothing itself, with the worker of an environment on it; each pair is started once.
    """
    running: dict[str, Server] = {}

    def get(name: str) -> Server:
        if name not in running:
            environment(name)
            running[name] = Server("--no-executor")
            source = "python_worker.py" if name.startswith("python") else "javascript_worker.mjs"
            assert lasting_program(name, source, **running[name].variables).line() == {"ok": "ready"}
        return running[name]

    yield get
    for server in running.values():
        server.close()


@pytest.fixture(scope="session")
def session_program(environment: Environments) -> Iterator[Callable[..., Program]]:
    """
    Programs that end with the session.
    """
    yield from programs(environment)


@pytest.fixture(scope="session")
def client(session_program: Callable[..., Any]) -> Callable[..., Client]:
    """
    Clients by what they are and whom they call, each started once: importing an SDK takes a second.
    """
    running: dict[Any, Client] = {}

    def get(name: str, kind: str, server: Server, **variables: str) -> Client:
        key = (name, kind, server.grpc, *variables.items())
        if key not in running or running[key].process.poll() is not None:
            source = "python_client.py" if name.startswith("python") else "javascript_client.mjs"
            running[key] = session_program(name, source, kind, kind=Client, **{**server.variables, **variables})
            assert running[key].line() == {"ok": "ready"}
        return running[key]

    return get
