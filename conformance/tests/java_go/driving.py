"""
The reference server and the drivers of the Go and Java SDKs, as processes that a test talks to.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.process import Answer, Process, checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.build import Ready

CLIENTS = ("go", "go-daprclient", "java")
WORKERS = ("go", "java")
BOTH = [*(("client", name) for name in CLIENTS), *(("worker", name) for name in WORKERS)]
KINDS = ["text", "", 5, 0, -1.5, True, False, None, [], {}, [1, [None]], {"ключ": "ü<&>\u2028😀"}, 2**70 + 1]
WAITING = {"do": [{"wait_event": "go"}]}
ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 120.0
"""
Seconds until what does not come is taken for lost.
"""


class Server:
    """
    The reference server as a process of its own, on free ports; with `executes` it runs workflows itself.
    """

    def __init__(self, token: str = "", *, executes: bool = True) -> None:
        ports = ["--dapr-http-port", "0", "--dapr-grpc-port", "0", "--ready-json", "--log-level", "error"]
        command = [sys.executable, "-P", "-m", "reference_server", *ports, *([] if executes else ["--no-executor"])]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "DAPR_API_TOKEN": token}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.endpoint = {"http": ready["http"], "grpc": ready["grpc"]}
        self.token = token

    def ask(self, method: str, path: str, data: Any = ...) -> Any:
        """
        What the HTTP API answers; an error is an error of the test.
        """
        line = http.client.HTTPConnection(self.endpoint["http"].removeprefix("http://"), timeout=PATIENCE)
        try:
            line.request(method, f"/v1.0/{path}", None if data is ... else json.dumps(data))
            answer = line.getresponse()
            text = answer.read()
        finally:
            line.close()
        assert answer.status < 400, text
        return json.loads(text) if text else None

    def start(self, instance: str, workflow: str, data: Any = ...) -> None:
        self.ask("POST", f"workflows/dapr/{workflow}/start?instanceID={instance}", data)

    def event(self, instance: str, name: str, data: Any = ...) -> None:
        self.ask("POST", f"workflows/dapr/{instance}/raiseEvent/{name}", data)

    def show(self, instance: str) -> Any:
        state = self.ask("GET", f"workflows/dapr/{instance}")
        return {"status": state["runtimeStatus"], **state.get("properties", {})}

    def until(self, instance: str, status: str, **properties: str) -> Any:
        """
        The instance, once it has that status and those properties.
        """
        wanted = {"status": status, **{f"dapr.workflow.{name}": value for name, value in properties.items()}}
        return first(lambda: self.show(instance), lambda state: wanted.items() <= state.items())

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def first(look: Callable[[], Any], wanted: Callable[[Any], Any]) -> Any:
    """
    The first thing seen that is as wanted.
    """
    end = time.monotonic() + PATIENCE
    while not wanted(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.01)
    return seen


class Driven:
    """
    A driver and its hello; every answer is held to the schema.
    """

    def __init__(self, ready: Ready, server: Server, **variables: str) -> None:
        self.process = Process(ready.argv, {**ready.environment, **variables})
        token = {"token": server.token} if server.token else {}
        self.answered = self.ask("hello", protocol=1, endpoint={**server.endpoint, **token})
        self.hello: Any = self.answered.ok

    def ask(self, op: str, **words: Any) -> Answer:
        return checked(self.process.ask(op, words, PATIENCE), op)

    def ok(self, op: str, **words: Any) -> Any:
        answer = self.ask(op, **words)
        assert answer.error is None, answer
        return answer.ok

    def error(self, op: str, **words: Any) -> Any:
        answer = self.ask(op, **words)
        assert answer.error is not None, answer
        return answer.error["class"]

    def told(self, kind: str) -> str:
        """
        The class that an error of a kind comes out as: an SDK that does not tell it apart reports another.
        """
        return kind if kind in self.hello["errors"] else "other"

    def state(self, instance: str) -> Any:
        """
        A state; None where there is no such instance, whichever way the SDK says so.
        """
        answer = self.ask("get", instance=instance)
        if answer.error is not None:
            assert answer.error["class"] == "not_found"
            return None
        assert answer.ok is not None
        return answer.ok["state"]

    def until(self, instance: str, status: str) -> Any:
        named = self.hello["statuses"][status]
        return first(lambda: self.state(instance), lambda state: state and state["status"] == named)

    def output(self, instance: str) -> Any:
        return json.loads(self.until(instance, "COMPLETED")["output"])
