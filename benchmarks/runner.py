"""
What judging costs: the runner against tavern, and against a bare `http.client` loop.

`.venv/bin/python benchmarks/runner.py [--rounds 5] [--only steps,start,suite] [--tavern DIR]`

steps: 100 scenarios of 10 steps (read an instance, expect one field), one at a time, against a server that always gives
the same answer. Overall: with the start of the process; marginal: what 99 scenarios more take. The runner validates
each answer against the OpenAPI document and records it; tavern and the loop do neither. tavern is installed in a
virtual environment for the time of the run; `--tavern DIR` makes it there, and uses it again.
start: seconds of `list`. suite: seconds of `run` on the embedded server with the default `-j`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from common import HERE, PYTHON, child, environment, figure, ratio, script, table, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = Callable[[int], Sequence[str]]

SCENARIOS, STEPS = 100, 10
FIELD, VALUE = "runtimeStatus", "COMPLETED"
BODY = {
    "instanceID": "bench-1",
    "workflowName": "ConformanceEcho",
    "createdAt": "2026-01-12T21:31:13.974667500Z",
    "lastUpdatedAt": "2026-01-12T21:31:14.500Z",
    FIELD: VALUE,
    "properties": {"dapr.workflow.input": '"ready?"', "dapr.workflow.output": '"ready?"'},
}
SCENARIO = """\
version: 1
title: Benchmark {number}
rules: [WF-GET-001]
instances: {{wf: "{{u}}-wf"}}
steps:
"""
STEP = f"""\
  - get: wf
    expect: {{{FIELD}: {VALUE}}}
    rule: WF-GET-001
"""
TAVERN = "tavern==3.7.*"
PYTEST = "pytest==9.0.*"
TAVERN_HEAD = """\
---
test_name: Benchmark {number}
strict: ["json:off"]
stages:
"""
TAVERN_STAGE = f"""\
  - name: step {{number}}
    request:
      url: {{url}}
      method: GET
    response:
      status_code: 200
      json:
        {FIELD}: {VALUE}
"""


def kit(*arguments: str) -> list[str]:
    """
    A command of the runner.
    """
    return [*PYTHON, "-m", "conformance", *arguments]


def wall(command: Sequence[str]) -> float:
    """
    Seconds that a command takes. It must succeed.
    """
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=HERE, env=environment(), capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{last}")
    return seconds


def scenarios(folder: Path, amount: int) -> Path:
    """
    A folder of scenario files.
    """
    made = folder / f"scenarios-{amount}" / "bench"
    made.mkdir(parents=True)
    for number in range(amount):
        text = SCENARIO.format(number=number) + STEP * STEPS
        (made / f"s{number:03}.yaml").write_text(text, encoding="utf-8")
    return made.parent


def tavern_file(folder: Path, amount: int, url: str) -> Path:
    """
    The same scenarios as a file of tavern.
    """
    made = folder / f"test_{amount}.tavern.yaml"
    stages = "".join(TAVERN_STAGE.format(number=number, url=url) for number in range(STEPS))
    text = "".join(TAVERN_HEAD.format(number=number) + stages for number in range(amount))
    made.write_text(text, encoding="utf-8")
    return made


def tavern_python(folder: Path) -> tuple[str, str] | None:
    """
    A Python that has tavern, and the versions; None where it cannot be installed.
    """
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    try:
        if not python.exists():
            print(f"installing {TAVERN} and {PYTEST} ...", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
            install = [str(python), "-m", "pip", "install", "--quiet", TAVERN, PYTEST]
            subprocess.run(install, check=True, capture_output=True)
        code = "from importlib.metadata import version as v; print('tavern', v('tavern') + ', pytest', v('pytest'))"
        found = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        print("tavern cannot be installed here; it is left out", file=sys.stderr)
        return None
    return str(python), found.stdout.strip()


def steps(rounds: int, tavern: Path | None) -> str:
    """
    Steps a second of all contestants.
    """
    sizes = (1, SCENARIOS)
    body = json.dumps(BODY, separators=(",", ":"))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(child(script("bare.py", "constant", body)))
        url = f"http://{server.host}:{server.port}"
        page = f"{url}/v1.0/workflows/dapr/bench-1"
        folders = {amount: str(scenarios(folder, amount)) for amount in sizes}
        run = ["run", "--server", url, "--surface", "http/v1.0", "-j", "1", "--out", str(folder / "out")]
        loop = script("loop.py", page, FIELD, VALUE)
        contestants: dict[str, Command] = {
            "runner": lambda amount: kit(*run, "--scenarios", folders[amount]),
            "http.client loop": lambda amount: [*loop, str(amount * STEPS)],
        }
        found = tavern_python(tavern or folder / "tavern")
        if found:
            files = {amount: str(tavern_file(folder, amount, page)) for amount in sizes}
            pytest = [found[0], "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
            contestants[found[1]] = lambda amount: [*pytest, files[amount]]
        times = _race(contestants, sizes, rounds)
    return _steps_table(times)


def _race(contestants: dict[str, Command], sizes: Sequence[int], rounds: int) -> dict[str, dict[int, list[float]]]:
    times: dict[str, dict[int, list[float]]] = {name: defaultdict(list) for name in contestants}
    for round_number in range(rounds + 1):
        for name, command in contestants.items():
            for amount in sizes:
                seconds = wall(command(amount))
                if round_number:
                    times[name][amount].append(seconds)
    return times


def _steps_table(times: dict[str, dict[int, list[float]]]) -> str:
    overall, marginal = {}, {}
    for name, runs in times.items():
        overall[name] = [SCENARIOS * STEPS / seconds for seconds in runs[SCENARIOS]]
        pairs = zip(runs[SCENARIOS], runs[1], strict=True)
        marginal[name] = [(SCENARIOS - 1) * STEPS / (full - one) for full, one in pairs]
    rows = [
        [
            name,
            figure(runs[1]).text(2),
            figure(overall[name]).text(),
            ratio(overall["runner"], overall[name]).text(2),
            figure(marginal[name]).text(),
            ratio(marginal["runner"], marginal[name]).text(2),
        ]
        for name, runs in times.items()
    ]
    head = ["contestant", "1 scenario, s", "overall, steps/s", "runner's ratio", "marginal, steps/s", "runner's ratio"]
    return table(head, rows)


def start(rounds: int) -> str:
    """
    Seconds of `list`.
    """
    wall(kit("list"))
    return table(["command", "s"], [["list", figure([wall(kit("list")) for _ in range(rounds)]).text(3)]])


def suite(rounds: int) -> str:
    """
    Seconds of `run` on the embedded server.
    """
    seconds, footer = [], {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            seconds.append(wall(kit("run", "--out", folder)))
            lines = next(Path(folder).rglob("run.jsonl")).read_text(encoding="utf-8").splitlines()
            footer = json.loads(lines[-1])
    cases = ", ".join(f"{count} {result}" for result, count in footer["counts"].items())
    checks = f"{footer['checks']['executed']} of {footer['checks']['planned']}"
    return table(["command", "s", "cases", "checks"], [["run", figure(seconds).text(2), cases, checks]])


def main() -> None:
    """
    Measure what was asked for, and print it as tables.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant (%(default)s)")
    parser.add_argument("--only", default="steps,start,suite", help="which parts (%(default)s)")
    parser.add_argument("--tavern", type=Path, help="virtual environment for tavern, made if it is not there")
    chosen = parser.parse_args()
    parts = {
        "steps": lambda: steps(chosen.rounds, chosen.tavern),
        "start": lambda: start(chosen.rounds),
        "suite": lambda: suite(chosen.rounds),
    }
    print(versions("jsonschema-rs", "PyYAML"))
    for part in chosen.only.split(","):
        print(f"\n## {part}\n\n{parts[part]()}", flush=True)


if __name__ == "__main__":
    main()
