"""
The command `walk`, as a user calls it, against each single-cell fault over real sockets.

Rule 1: each worker is a process with a server process of its own; tasks are (seed, number of a fault).
Rule 2: killed is what the command finds before the time is over; shrinking comes after that.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from faulty import faults, settings

import spec
from conformance.cli import cli
from conformance.errors import KitError
from conformance.walk import session
from conformance.walk.reduce import Reducer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LIMIT = 30.0
"""Seconds in which a fault must be found."""

NO_RUN = "no run"
SERVED = Path(__file__).with_name("served.py")
AGAIN = "does not fail each time"
_PLACE: list[str] = []
_FOUND: list[float] = []
_SERVERS: list[subprocess.Popen[str]] = []


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a walk came to. `seconds` until it found something, `whole` until the command had ended; `steps` of the
    scenario it wrote; `again`: the scenario failed when it was run.
    """

    seed: int
    number: int
    name: str
    killed: bool
    seconds: float
    whole: float
    steps: int
    again: bool
    why: str = ""


def results(seeds: Iterable[int], numbers: Sequence[int], jobs: int, record: Path | None = None) -> Iterator[Result]:
    """
    Every fault under every seed. What a record holds is not walked again, and what is walked is added to it.
    """
    known = {(one.seed, one.number): one for one in _recorded(record)}
    tasks = [(seed, number) for seed in seeds for number in numbers]
    with ProcessPoolExecutor(jobs, initializer=_begin) as pool:
        new = pool.map(_walked, [task for task in tasks if task not in known])
        for task in tasks:
            one = known.get(task) or next(new)
            if record and task not in known:
                with record.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(one)) + "\n")
            yield one


def _recorded(record: Path | None) -> list[Result]:
    if record is None or not record.exists():
        return []
    return [Result(**json.loads(line)) for line in record.read_text(encoding="utf-8").splitlines()]


def _begin() -> None:
    """
    A server for this worker; it ends when the worker does, because its input ends.
    """
    command = [sys.executable, str(SERVED)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    _SERVERS.append(server)
    assert server.stdout is not None
    _PLACE[:] = [server.stdout.readline().strip()]


def _walked(task: tuple[int, int]) -> Result:
    seed, number = task
    held = spec.load()
    fault = list(faults(held))[number]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        _FOUND.clear()
        began = time.perf_counter()
        code, said = _command([*_target(held, number, out), "--seed", str(seed), "--out", str(out)])
        whole = time.perf_counter() - began
        seconds = (_FOUND or [began + whole])[0] - began
        found = out / f"walk-{seed}-1.yaml"
        steps = found.read_text().count("\n  - ") if found.exists() else 0
    _forget(number)
    why = "" if code == 1 else said.strip().splitlines()[-1] if said.strip() else f"exit code {code}"
    late = "took too long" if code == 1 and seconds > LIMIT else why
    return Result(
        seed, number, fault.name, code == 1 and seconds <= LIMIT, seconds, whole, steps, AGAIN not in said, late
    )


def _target(held: spec.Spec, number: int, out: Path) -> list[str]:
    _, hold = settings(held, list(faults(held))[number])
    url = f"{_PLACE[0]}/{number}"
    if not hold:
        return ["--server", url]
    path = out / "target.yaml"
    able = f"capabilities: [hold_{hold.lower()}]\nonly_required: true\n"
    path.write_text(f"version: 1\nname: faulty\ntitle: one cell is wrong\nserver: {url}\n{able}")
    return ["--target", str(path)]


class _Timed(Reducer):
    """
    Notes when there is something to shrink.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        _FOUND.append(time.perf_counter())


def _command(arguments: list[str]) -> tuple[int, str]:
    said = io.StringIO()
    session.Reducer = _Timed  # type: ignore[misc]
    with contextlib.redirect_stdout(said):
        try:
            cli.main(["walk", *arguments], prog_name="workflow-conformance", standalone_mode=False)
        except KitError as error:
            return error.code, f"{NO_RUN}, exit code {error.code}: {' '.join(str(error).split())[:160]}"
        except SystemExit as ended:
            return int(ended.code or 0), said.getvalue()
    return 0, said.getvalue()


def _forget(number: int) -> None:
    place = urlsplit(_PLACE[0])
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    with contextlib.suppress(OSError):
        connection.request("DELETE", f"/{number}")
        connection.getresponse().read()
    connection.close()
