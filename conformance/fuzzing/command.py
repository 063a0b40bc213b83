"""
The whole of `workflow-conformance fuzz`: named negative cases through the runner, then Schemathesis as a process.

Rule 1: the named cases are scenarios like any other: planned, judged, recorded, reported.
Rule 2: Schemathesis is reached by its command line, its configuration and its report only.
Rule 3: exit 3 (could not run) comes before 1 (not conformant), and 1 before 0.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import spec
from conformance import session, target
from conformance.errors import CannotRun
from conformance.identity import run_token
from conformance.record import Redactor, hidden
from conformance.report.text import clean, line

from . import coverage
from .document import document
from .negatives import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.session import Options
    from conformance.target import Target

CONFIG = Path(__file__).parent / "schemathesis.toml"

COULD_NOT = 3
"""The exit code of a run that is no verdict; there is nothing to fuzz then."""

LONGEST = 900.0
"""Seconds that Schemathesis may take."""

SHOWN = 120
"""Lines of what Schemathesis says of its failures that are shown."""


@dataclass(frozen=True, slots=True)
class Fuzzing:
    """
    What `fuzz` is asked for beyond what every run is.
    """

    seed: int = 1
    phases: tuple[str, ...] = ("coverage", "stateful")
    examples: int = 50


def run(options: Options, asked: Fuzzing) -> int:
    """
    Both parts, one after the other; the exit code.
    """
    coverage.installed()
    chosen, token = session.reached(options)
    held = session.profile(chosen.profile)
    with target.running(chosen) as started:
        own = replace(options, server=started.server, profile=held.profile.name)
        named_code = _named(own, held, asked.seed)
        if named_code == COULD_NOT:
            return COULD_NOT
        return max(named_code, _schemathesis(own, started, token, held, asked))


def _named(options: Options, held: spec.Spec, seed: int) -> int:
    """
    The coverage cases that a rule speaks of, as scenarios beside the record.
    """
    breaking = document(held, breaking=True)
    cases, left = named(coverage.negatives(breaking, seed), breaking, held)
    folder = options.out / "fuzz-cases"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        for case in cases:
            path = folder / "fuzz" / f"{case.name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(case.text, encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"--out {options.out}: cannot be written: {error.strerror or error}") from None
    rules = sorted({case.rule for case in cases})
    click.echo(f"{len(cases)} negative cases under {', '.join(rules) or 'no rule'}, in {folder}")
    for reason, number in left.items():
        click.echo(f"{number} more are not judged: {reason}")
    return session.run(replace(options, scenarios=folder)) if cases else 0


def _schemathesis(options: Options, started: Target, token: str, held: spec.Spec, asked: Fuzzing) -> int:
    headers = {**started.headers, **options.headers, **({session.TOKEN_HEADER: token} if token else {})}
    hide = Redactor([token, *hidden(headers)]).text
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        (folder / "openapi.json").write_text(json.dumps(document(held, breaking=False)), encoding="utf-8")
        command = _command(folder, started, options, held, asked)
        said, code = _executed(command, folder, _environment(started, headers, held))
        report = _report(folder / "report.json")
    said = hide(said)
    if report is None or report.get("complete") is not True or report.get("errors"):
        tail = "\n".join(f"  | {clean(one)}" for one in said.strip().splitlines()[-12:])
        raise CannotRun(f"Schemathesis did not come to its end (exit code {code})\n{tail}")
    (options.out / "schemathesis.json").write_text(hide(json.dumps(report, indent=1)), encoding="utf-8")
    _tell(report, said, options.out / "schemathesis.json")
    return 1 if report.get("failures") or code else 0


def _command(folder: Path, started: Target, options: Options, held: spec.Spec, asked: Fuzzing) -> list[str]:
    version = held.openapi["servers"][0]["variables"]["version"]["default"]
    verify = ["--tls-verify", options.ca] if options.ca else []
    return [
        *(sys.executable, "-P", "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *("run", str(folder / "openapi.json"), "--url", f"{started.server.rstrip('/')}/{version}"),
        *("--phases", ",".join(asked.phases), "--seed", str(asked.seed), "--max-examples", str(asked.examples)),
        *("--report", "json", "--report-json-path", str(folder / "report.json"), "--no-color", *verify),
    ]


def _environment(started: Target, headers: Mapping[str, str], held: spec.Spec) -> dict[str, str]:
    """
    What the hooks need to know; secrets travel here, where no list of processes shows them.
    """
    roots = [str(Path(module.__file__ or "").resolve().parents[1]) for module in (spec, session)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*dict.fromkeys(roots), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "PYTHONUTF8": "1",
        "WORKFLOW_CONFORMANCE_SERVER": started.server,
        "WORKFLOW_CONFORMANCE_PROFILE": held.profile.name,
        "WORKFLOW_CONFORMANCE_HEADERS": json.dumps(dict(headers)),
        "WORKFLOW_CONFORMANCE_TOKEN": run_token(secrets.choice),
    }


def _executed(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[str, int]:
    """
    What a process says, and its exit code; it does not outlive us, nor its time.
    """
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            raise CannotRun(f"Schemathesis took longer than {LONGEST:g} s") from None
        finally:
            _killed(process)
    return (folder / "said").read_text(encoding="utf-8", errors="replace"), process.returncode


def _killed(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()


def _report(path: Path) -> Any:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def _tell(report: Mapping[str, Any], said: str, path: Path) -> None:
    """
    What came out, in a line a failure; what Schemathesis itself says of them; and one line for all.
    """
    failures = report["failures"]
    section = said.partition("= FAILURES =")[2].partition("= SUMMARY =")[0].splitlines()[1:-1]
    for one in section[:SHOWN]:
        click.echo(f"  {clean(one)}" if one.strip() else "")
    for one in failures:
        where = ", ".join(one.get("operations", ()))
        click.echo(f"FAIL  {line(str(one.get('title', one.get('type', ''))))}: {line(where)}")
    phases = [f"{name} {one['status']}" for name, one in report["phases"].items() if one["status"] != "skip"]
    cases = report["test_cases"]["generated"]
    verdict = f"{len(failures)} failures" if failures else "no failure"
    click.echo(f"schemathesis: {cases} requests, {', '.join(phases)}, seed {report['seed']}: {verdict}; report {path}")
