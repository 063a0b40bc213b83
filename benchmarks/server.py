"""
What the spec costs: the reference server against hand-written Starlette routes that give the same bytes.

`.venv/bin/python benchmarks/server.py [--rounds 5] [--requests 2000] [--only routes,operations,ready,memory]`

routes: requests/s and microseconds of server CPU a request, one request an instance, while the workflow turns that the
requests cause are put off by an hour. operations: the same with the turns, which the bare routes have nothing to set
against, each operation on instances prepared for it. ready: seconds from process start to the ready line and to the
first answer. memory: bytes of an idle instance, and the cost of a call beside few and beside many instances.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

from bare import NOBODY, OPERATIONS
from common import Child, Load, child, figure, load, ratio, reference, request, script, table, versions

BASE = "/v1.0/workflows/dapr"
WAITING = json.dumps({"do": [{"wait_event": "go"}]}, separators=(",", ":")).encode()
PREPARED = {
    "get": ["start"],
    "pause": ["start"],
    "resume": ["start", "pause"],
    "raise_event": ["start"],
    "terminate": ["start"],
    "purge": ["start", "terminate"],
}
"""The operations that make an instance ready for another."""

FEW, MANY = 100, 20_000
HOUR = 3_600_000
_numbers = count()


@dataclass(frozen=True, slots=True)
class Trial:
    """
    One row of the table: an operation, and how the IDs of its instances begin.
    """

    name: str
    operation: str
    prefix: str = "bench"

    def names(self, amount: int) -> list[str]:
        """
        IDs that were never used.
        """
        return [f"{self.prefix}-{next(_numbers):07}" for _ in range(amount)]


TRIALS = [*(Trial(name, name) for name in OPERATIONS), Trial("get unknown", "get", NOBODY)]


def calls(operation: str, names: list[str]) -> list[bytes]:
    """
    The requests of one operation, one for each instance.
    """
    method, path = OPERATIONS[operation]
    if operation == "start":
        return [request(method, f"{BASE}/ConformanceScript/start?instanceID={name}", WAITING) for name in names]
    body = b'{"n":1}' if operation == "raise_event" else b""
    return [
        request(method, BASE + path.replace("{instanceID}", name).replace("{eventName}", "go"), body) for name in names
    ]


def prepare(server: Child, trial: Trial, names: list[str]) -> None:
    """
    Bring the instances to where the operation of a trial finds them.
    """
    for earlier in PREPARED.get(trial.operation, []) if trial.prefix != NOBODY else []:
        load(server, calls(earlier, names), 202)


def answers(server: Child) -> dict[str, tuple[int, str, str]]:
    """
    What the reference server answers in each trial: the bare one is to send the same.
    """
    found = {}
    for trial in TRIALS:
        names = trial.names(1)
        prepare(server, trial, names)
        last = load(server, calls(trial.operation, names), connections=1)
        found[trial.name] = (last.status, "application/json", last.body.decode())
    return found


def speed(rounds: int, amount: int, settle: int) -> str:
    """
    Requests a second of each operation, ours and bare, and their ratios.
    """
    results: dict[tuple[str, str], list[Load]] = defaultdict(list)
    with ExitStack() as stack:
        ours = stack.enter_context(child(reference("--settle", str(settle))))
        same = answers(ours)
        bare = stack.enter_context(child(script("bare.py", "starlette", json.dumps(same))))
        for round_number in range(rounds + 1):
            for trial in TRIALS:
                names = trial.names(amount if round_number else amount // 4)
                prepare(ours, trial, names)
                sides = [("ours", ours), ("bare", bare)]
                for side, server in sides if round_number % 2 else reversed(sides):
                    got = load(server, calls(trial.operation, names), same[trial.name][0])
                    if round_number:
                        results[trial.name, side].append(got)
    rows = [_row(trial.name, results[trial.name, "ours"], results[trial.name, "bare"]) for trial in TRIALS]
    head = ["operation", "ours, requests/s", "bare, requests/s", "ratio", "ours, us CPU", "bare, us CPU", "CPU ratio"]
    return table(head, rows)


def _row(name: str, ours: list[Load], bare: list[Load]) -> list[str]:
    rates = [[one.rate for one in side] for side in (ours, bare)]
    costs = [[one.cpu / one.count * 1e6 for one in side] for side in (ours, bare)]
    return [
        name,
        *(figure(side).text() for side in rates),
        ratio(*rates).text(2),
        *(figure(side).text() for side in costs),
        ratio(costs[1], costs[0]).text(2),
    ]


def ready(rounds: int) -> str:
    """
    Seconds from process start to the ready line, and to the first answer.
    """
    fixed = json.dumps(dict.fromkeys(OPERATIONS, (200, "application/json", "{}")))
    commands = {"ours": reference(), "bare": script("bare.py", "starlette", fixed)}
    lines: dict[str, list[float]] = defaultdict(list)
    firsts: dict[str, list[float]] = defaultdict(list)
    for round_number in range(rounds + 1):
        for side, command in commands.items():
            begun = time.perf_counter()
            with child(command) as server:
                load(server, calls("get", [NOBODY]), connections=1)
                first = time.perf_counter() - begun
            if round_number:
                lines[side].append(server.ready)
                firsts[side].append(first)
    rows = [[side, figure(lines[side]).text(3), figure(firsts[side]).text(3)] for side in commands]
    return table(["server", "ready line, s", "first answer, s"], rows)


def memory(rounds: int) -> str:
    """
    Bytes of an instance that waits for an event, and whether a call costs more beside many of them.
    """
    trial = Trial("memory", "get")
    costs: dict[tuple[str, int], list[float]] = defaultdict(list)
    with child(reference()) as small, child(reference()) as large:
        few = {server: _waiting(server, FEW) for server in (small, large)}
        before = large.resident()
        _waiting(large, MANY - FEW)
        each = (large.resident() - before) / (MANY - FEW)
        for round_number in range(rounds + 1):
            for server, amount in ((small, FEW), (large, MANY)):
                for operation, cost in _cycle(server, trial.names(500), few[server]):
                    if round_number:
                        costs[operation, amount].append(cost)
    rows = []
    for operation in dict.fromkeys(operation for operation, _ in costs):
        low, high = costs[operation, FEW], costs[operation, MANY]
        rows.append([operation, figure(low).text(), figure(high).text(), ratio(high, low).text(2)])
    head = ["operation", f"us CPU, {FEW} instances", f"us CPU, {MANY} instances", "ratio"]
    per = f"One waiting instance: {each / 1024:.2f} KiB; 1,000,000 of them: {each * 1e6 / 2**30:.2f} GiB."
    return f"{per}\n\n{table(head, rows)}"


def _waiting(server: Child, amount: int) -> list[str]:
    names = Trial("memory", "get", "idle").names(amount)
    load(server, calls("start", names), 202)
    last = load(server, calls("get", names[-1:]), 200, connections=1)
    if b"RUNNING" not in last.body:
        raise SystemExit(f"an instance that waits for an event was expected, there was {last.body.decode()}")
    return names


def _cycle(server: Child, fresh: list[str], known: list[str]) -> list[tuple[str, float]]:
    steps = [("get", (known * 20)[:2000]), *((operation, fresh) for operation in ("start", "terminate", "purge"))]
    found = []
    for operation, names in steps:
        got = load(server, calls(operation, names))
        found.append((operation, got.cpu / got.count * 1e6))
    return found


def main() -> None:
    """
    Measure what was asked for, and print it as tables.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant (%(default)s)")
    parser.add_argument("--requests", type=int, default=2000, help="requests of a run (%(default)s)")
    parser.add_argument("--only", default="routes,operations,ready,memory", help="which parts (%(default)s)")
    chosen = parser.parse_args()
    parts = {
        "routes": lambda: speed(chosen.rounds, chosen.requests, HOUR),
        "operations": lambda: speed(chosen.rounds, chosen.requests, 0),
        "ready": lambda: ready(chosen.rounds),
        "memory": lambda: memory(chosen.rounds),
    }
    print(versions("starlette", "uvicorn", "httptools", "uvloop"))
    for part in chosen.only.split(","):
        print(f"\n## {part}\n\n{parts[part]()}", flush=True)


if __name__ == "__main__":
    main()
