"""
What the benchmarks share: figures and tables, child processes, and a client that loads a server.

Rule 1: contestants are warmed up and take turns; a figure is a median with its lowest and highest run beside it.
Rule 2: a run in which any answer has another status than the expected one is no figure but an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
PYTHON = (sys.executable, "-P")
CONNECTIONS = 16
"""Connections that load a server at once, each with one request under way."""


@dataclass(frozen=True, slots=True)
class Figure:
    """
    What several runs came to.
    """

    median: float
    low: float
    high: float

    def text(self, digits: int = 0) -> str:
        """
        The median, and the range in brackets.
        """
        return f"{self.median:,.{digits}f} [{self.low:,.{digits}f}-{self.high:,.{digits}f}]"


def figure(values: Sequence[float]) -> Figure:
    """
    The median and the range of some runs.
    """
    return Figure(statistics.median(values), min(values), max(values))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """
    Ours by theirs, run by run: what disturbs the machine disturbs both of a pair.
    """
    return figure([mine / other for mine, other in zip(ours, theirs, strict=True)])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """
    A table in Markdown.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def versions(*names: str) -> str:
    """
    Python and the packages, with their versions.
    """
    found = [f"Python {platform.python_version()}"]
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join([*found, f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}"])


def environment() -> dict[str, str]:
    """
    The environment of a child process: the checkout comes first, byte code is kept (elsewhere), no token is set.
    """
    dropped = {"DAPR_API_TOKEN", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "workflow-conformance-benchmarks"),
    }


@dataclass(frozen=True, slots=True)
class Child:
    """
    A server in a process of its own; `ready` is the seconds from its start to its ready line.
    """

    pid: int
    host: str
    port: int
    ready: float
    grpc: str = ""

    def cpu(self) -> float:
        """
        The seconds that its first thread has been on a CPU; NaN where the system does not say.
        """
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        except OSError:
            return float("nan")

    def cpu_of_all(self) -> float:
        """
        The seconds that all its threads have been on a CPU; gRPC has its own.
        """
        stats = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(stat.read_text(encoding="ascii").split()[0]) for stat in stats) / 1e9

    def resident(self) -> int:
        """
        Its resident memory in bytes.
        """
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def child(command: Sequence[str]) -> Iterator[Child]:
    """
    Start a server that prints `{"ready": true, "http": URL}` and perhaps `grpc`, and stop it at the end.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=HERE, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        ready = time.perf_counter() - begun
        if not line:
            raise SystemExit(f"{' '.join(command[1:])} did not start; run it by hand to see why")
        told = json.loads(line)
        address = urlsplit(told["http"])
        yield Child(process.pid, address.hostname or "", address.port or 0, ready, told.get("grpc", ""))
    finally:
        process.terminate()
        process.communicate()


def free_port() -> int:
    """
    A port below the ephemeral range that nobody listens on.
    """
    for port in range(20_000, 32_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise SystemExit("no free port below 32000")


def script(name: str, *arguments: str) -> list[str]:
    """
    The command of a script that stands here.
    """
    return [sys.executable, str(HERE / name), *arguments]


def reference(*options: str) -> list[str]:
    """
    The command of the reference server.
    """
    fixed = ["--dapr-http-port", "0", "--dapr-grpc-port", "0", "--ready-json", "--log-level", "warning"]
    return [*PYTHON, "-m", "reference_server", *fixed, *options]


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """
    One request as it goes over the wire.
    """
    length = f"content-length: {len(body)}\r\n" if method != "GET" else ""
    return f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{length}\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Load:
    """
    What a load came to: seconds on the clock and on the server's CPU, and the last answer.
    """

    count: int
    seconds: float
    cpu: float
    status: int
    head: bytes
    body: bytes

    @property
    def rate(self) -> float:
        """
        Requests a second.
        """
        return self.count / self.seconds


def load(server: Child, requests: Sequence[bytes], status: int = 0, connections: int = CONNECTIONS) -> Load:
    """
    Send all requests over some connections, each sending its next once it has its answer (no pipelining).
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_load(server, requests, status, connections))


async def _load(server: Child, requests: Sequence[bytes], status: int, connections: int) -> Load:
    loop = asyncio.get_running_loop()
    crew = _Crew(iter(requests), loop.create_future(), len(requests))
    lanes = [
        (await loop.create_connection(lambda: _Lane(crew), server.host, server.port))[1] for _ in range(connections)
    ]
    cpu, begun = server.cpu(), time.perf_counter()
    for lane in lanes:
        lane.send()
    await crew.done
    seconds, used = time.perf_counter() - begun, server.cpu() - cpu
    for lane in lanes:
        lane.close()
    others = {seen: count for seen, count in crew.statuses.items() if seen != status}
    if status and others:
        raise SystemExit(f"{requests[0][:120]!r}...: status {status} was expected, there were {others}")
    return Load(len(requests), seconds, used, int(crew.last[9:12]), *crew.last.split(b"\r\n\r\n", 1))


class _Crew:
    """
    What the connections of one load have in common.
    """

    __slots__ = ("done", "last", "left", "requests", "statuses")

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None], left: int) -> None:
        self.requests, self.done, self.left = requests, done, left
        self.last = b""
        self.statuses: dict[int, int] = {}


class _Lane(asyncio.Protocol):
    """
    One connection.
    """

    def __init__(self, crew: _Crew) -> None:
        self._crew = crew
        self._seen = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._crew.done.done():
            self._crew.done.set_exception(exc or ConnectionError("the server closed a connection"))

    def send(self) -> None:
        """
        Send the next request, if there is one.
        """
        following = next(self._crew.requests, None)
        if following is not None:
            self._transport.write(following)

    def close(self) -> None:
        """
        Close the connection.
        """
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        seen = self._seen + data if self._seen else data
        if not whole(seen):
            self._seen = seen
            return
        self._seen = b""
        crew = self._crew
        status = int(seen[9:12])
        crew.statuses[status] = crew.statuses.get(status, 0) + 1
        crew.last = seen
        crew.left -= 1
        if crew.left:
            self.send()
        else:
            crew.done.set_result(None)


def whole(answer: bytes) -> bool:
    """
    Whether an answer with a `content-length` is all there.
    """
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    start = answer.find(b"content-length: ", 0, end)
    length = int(answer[start + 16 : answer.index(b"\r\n", start)]) if start >= 0 else 0
    return len(answer) >= end + 4 + length


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - optional: there is no wheel for some platforms
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
