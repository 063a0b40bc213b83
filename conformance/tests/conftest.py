"""
Peers for the runner's tests: a toy that is true to the table, liars that are true to nothing, and the command line.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

import spec
from conformance import cli, derive
from conformance.believe import nowhere, settled
from conformance.connection import Http

ROOT = Path(__file__).resolve().parents[2]


class Peer:
    """
    A server on a free port: `answer(method, target, headers, body)` gives the bytes to send, None to hang up.
    """

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked, self.raw = answer, [], []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Any) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as file:
            while head := self._head(file):
                method, target = head[0].split(b" ", 1)
                headers = {k.lower(): v.strip() for k, _, v in (line.decode().partition(":") for line in head[1:])}
                self.raw.append(target.rsplit(b" ", 1)[0])
                body = file.read(int(headers.get("content-length", 0)))
                self.asked.append((method.decode(), target.rsplit(b" ", 1)[0].decode(), headers, body))
                answer = self.answer(*self.asked[-1])
                if answer is None:
                    return
                for part in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(part)

    def _head(self, file: Any) -> Any:
        lines = []
        while (line := file.readline()) not in (b"\r\n", b""):
            lines.append(line.rstrip(b"\r\n"))
        return lines

    def close(self) -> None:
        self._socket.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def reply(status: Any, body: Any = b"", media: Any = "application/json") -> Any:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Toy:
    """
    An engine of a few lines that does what the table says, but where `wrong` names another reply for a cell.
    """

    def __init__(self, wrong: Any = None, profile: Any = spec.DEFAULT_PROFILE) -> None:
        self.spec, self.wrong, self.instances = spec.load(profile), wrong or {}, {}
        self.lock = threading.Lock()

    def __call__(self, method: Any, target: Any, headers: Any, body: Any) -> Any:
        with self.lock:
            return self.serve(method, target, headers, body)

    def serve(self, method: Any, target: Any, headers: Any, body: Any) -> Any:
        del headers
        path = urlsplit(target)
        parts = [unquote(part) for part in path.path.split("/")][1:]
        if parts[1:] == ["metadata"]:
            return reply(200, {"id": "toy", "runtimeVersion": "1.18.3"})
        match parts[3:]:
            case [workflow, "start"] if method == "POST":
                return self.start(workflow, parse_qs(path.query).get("instanceID", ["made-up"])[0], body)
            case [name] if method == "GET":
                return self.operation("get", name)
            case [name, "raiseEvent", event]:
                return self.operation("raise_event", name, event, body)
            case [name, operation] if operation in self.spec.machine.operations:
                return self.operation(operation, name)
        return self.row("route.unknown")

    def row(self, name: Any) -> Any:
        column = self.spec.replies[name].surfaces["http"]
        return reply(column["status"], {"errorCode": column["errorCode"], "message": "no"})

    def cell(self, name: Any, operation: Any) -> Any:
        state = self.instances[name]["state"] if name in self.instances else nowhere(self.spec.machine)
        return self.spec.machine.cell(state, operation)

    def refusal(self, cell: Any) -> Any:
        row = self.wrong.get((cell.state, cell.event), cell.acts)
        return None if self.spec.replies[row].outcome == "accepted" else self.row(row)

    def start(self, workflow: Any, name: Any, body: Any) -> Any:
        column = self.spec.openapi["paths"]["/workflows/{workflowComponent}/{workflowName}/start"]["post"]
        schema = next(one["schema"] for one in column["parameters"] if one.get("name") == "instanceID")
        if not re.fullmatch(r"[\w-]{1,64}", name):
            return self.row("start.id_invalid" if len(name) <= schema["maxLength"] else "start.id_too_long")
        cell = self.cell(name, "start")
        if refused := self.refusal(cell):
            return refused
        done = workflow == "ConformanceEcho"
        state = (
            next(iter(self.spec.machine.cell("RUNNING", "complete").settles))
            if done
            else settled(self.spec.machine, cell)
        )
        self.instances[name] = {
            "state": state,
            "input": body.decode(),
            "workflow": workflow,
            "output": body.decode() if done else None,
        }
        return reply(202, {"instanceID": name})

    def operation(self, operation: Any, name: Any, event: Any = "", body: Any = b"") -> Any:
        cell = self.cell(name, operation)
        if refused := self.refusal(cell):
            return refused
        if operation == "get":
            return reply(200, self.shown(name)) if name in self.instances else reply(200, {})
        self.settle(cell, name, event, body)
        return reply(202, {})

    def settle(self, cell: Any, name: Any, event: Any, body: Any) -> None:
        after = settled(self.spec.machine, cell)
        if not self.spec.machine.states[after].exists:
            self.instances.pop(name, None)
        elif name in self.instances:
            one = self.instances[name]
            one["state"] = after
            one["held"] = one.get("held") or event == "go"
            if one["held"] and after == "RUNNING":
                self.go(one, body)

    def go(self, one: Any, body: Any) -> None:
        one["held"] = False
        script = json.loads(one["input"])["do"]
        following = next((step["continue_as_new"] for step in script if "continue_as_new" in step), None)
        if following:
            one["input"] = json.dumps(following, separators=(",", ":"))
            return
        happens = "fail" if '"fail"' in one["input"] else "complete"
        one["state"] = self.spec.machine.cell(one["state"], happens).settles[0]
        one["output"] = f"[{body.decode() or 'null'}]"

    def shown(self, name: Any) -> Any:
        one = self.instances[name]
        properties = {"dapr.workflow.input": one["input"]}
        if one["output"] is not None:
            properties["dapr.workflow.output"] = one["output"]
        return {
            "instanceID": name,
            "workflowName": one["workflow"],
            "createdAt": "2026-01-12T21:31:13Z",
            "lastUpdatedAt": "2026-01-12T21:31:13.5Z".replace(".5", ".500"),
            "runtimeStatus": self.spec.machine.states[one["state"]].reported["http"],
            "properties": properties,
        }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    What is marked `first` begins before the others, so that these run beside it.
    """
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """
    Count and name what was left out for lack of a toolchain.
    """
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ())]
    left = Counter(reason.removeprefix("Skipped: ") for reason in reasons if "is not on the PATH" in reason)
    if left:
        terminalreporter.section(f"{left.total()} tests left out for lack of a toolchain")
    for reason, number in sorted(left.items()):
        terminalreporter.write_line(f"{number:4} {' '.join(reason.split())}")


@pytest.fixture
def peer() -> Any:
    peers = []

    def make(answer: Any) -> Any:
        peers.append(Peer(answer))
        return peers[-1]

    yield make
    for one in peers:
        one.close()


@pytest.fixture
def reach() -> Any:
    """
    Connections that are closed when the test is over.
    """
    clients = []

    def make(url: Any, **more: Any) -> Any:
        clients.append(Http(url, **more))
        return clients[-1]

    yield make
    for one in clients:
        one.close()


@pytest.fixture
def answering() -> Any:
    return reply


@pytest.fixture
def toy() -> Any:
    return Toy


@pytest.fixture(scope="session")
def cells() -> Any:
    return derive.cells(spec.load())


@pytest.fixture
def folder(tmp_path: Any) -> Any:
    """
    Writes scenario files, given as text by path, into a folder.
    """

    def make(**files: Any) -> Any:
        for name, text in files.items():
            path = tmp_path / "scenarios" / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "scenarios"

    return make


@pytest.fixture
def command(monkeypatch: Any, capsys: Any, tmp_path: Any) -> Any:
    """
    The command line, in this process: exit code, stdout, stderr.
    """
    monkeypatch.delenv("DAPR_API_TOKEN", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def call(*arguments: Any, out: Any = tmp_path / "out") -> Any:
        arguments = [*map(str, arguments)]
        if arguments[0] == "run":
            arguments += ["--out", str(out)]
        monkeypatch.setattr(sys, "argv", ["workflow-conformance", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return ended.value.code, shown.out, shown.err

    return call


@pytest.fixture
def events(tmp_path: Any) -> Any:
    """
    The record of the last run.
    """

    def read(kind: Any = None, out: Any = tmp_path / "out") -> Any:
        lines = [json.loads(line) for line in (out / "run.jsonl").read_text().splitlines()]
        return [one for one in lines if kind in (None, one["event"])]

    return read
