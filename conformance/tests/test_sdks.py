"""
The drivers of the kit, built on the SDKs that they name: each is proved, and says of itself what is so.

A driver whose toolchain is not here is skipped, and says what to install.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance import build, known, manifest, matrix
from conformance.errors import CannotRun
from conformance.toolchain import found

ALL = [(role, name) for role in manifest.ROLES for name in manifest.names(role)]
ROOT = Path(__file__).resolve().parents[2]
LAST = 100
"""Seconds for a step of a test, a build aside."""

WHOLE = 1200
"""Seconds for a run of the suite."""

PATIENT = ("-j", "4", "--time-scale", "2")
"""Machines are slow at times, and the tests beside these take their share."""

each = pytest.mark.parametrize(("role", "name"), ALL)


def needed(role: str, name: str) -> manifest.Manifest:
    driver = manifest.load(role, name)
    try:
        found(driver.toolchain)
    except CannotRun as missing:
        pytest.skip(f"the {role} {name} is not driven: {missing}")
    return driver


@each
@pytest.mark.first
def test_a_driver_is_fit_to_be_trusted(role: str, name: str) -> None:
    """
    Built on its SDK, it passes every check of `doctor`.
    """
    needed(role, name)
    build.built(name, role=role)
    doctor = [sys.executable, "-P", "-m", "conformance", "doctor", f"--{role}", name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(doctor, env=environment, capture_output=True, text=True, timeout=LAST, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{role} {name}: fit to be trusted"


@each
@pytest.mark.first
def test_a_driver_goes_through_the_whole_suite(role: str, name: str, tmp_path: Path) -> None:
    """
    Every scenario, over the client or hosted by the worker, on the embedded server: what fails is known, and nothing
    else does. What a worker does is no matter of the surface; it is asked over one.
    """
    needed(role, name)
    build.built(name, role=role)
    kinds = [f"--surface={one}" for one in matrix.OVER_HTTP] if role == "worker" else []
    run = [sys.executable, "-P", "-m", "conformance", "run", f"--{role}={name}", *kinds, f"--out={tmp_path}", *PATIENT]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=WHOLE, check=False)
    footer = json.loads((tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()[-1])

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert footer["complete"]
    assert footer["counts"]["pass"] > footer["counts"].get("expected_failure", 0)


@each
def test_what_is_known_to_fail_is_about_this_driver(role: str, name: str) -> None:
    """
    Every entry that ships with a driver names it and its versions, among them the one that is driven, and a source.
    """
    driver = manifest.load(role, name)
    file = driver.folder.joinpath("expected-failures.yaml")
    entries = known.load(file, today=datetime.now(UTC).date()).entries if file.is_file() else ()

    assert all(entry.target == f"{role}:{name}" for entry in entries)
    assert all(entry.link and entry.versions and (entry.message or entry.hangs) for entry in entries)
    assert not entries or any(known.within(driver.sdk.version, entry.versions) for entry in entries)


@pytest.mark.parametrize("name", manifest.names("client"))
def test_a_sidecar_that_is_not_there_is_told(name: str) -> None:
    """
    By hello, or where the SDK connects later by its first call: an error of the protocol, and no crash.
    """
    needed("client", name)
    ready = build.built(name)
    endpoint = {"http": "http://127.0.0.1:9", "grpc": "127.0.0.1:9"}
    hello = json.dumps({"id": 1, "op": "hello", "protocol": 1, "endpoint": endpoint})
    asks = f"{hello}\n{json.dumps({'id': 2, 'op': 'get', 'instance': 'a'})}\n"
    with talking(ready) as (say, hear):
        say(asks)
        answers = hear(1)
        answers += hear(1) if '"ok"' in answers[0] else []

    assert '"error"' in answers[-1], answers
    assert '"unavailable"' in answers[-1] or '"other"' in answers[-1] or '"timeout"' in answers[-1]


@contextlib.contextmanager
def talking(ready: build.Ready) -> Any:
    process = subprocess.Popen(
        ready.argv,
        env=dict(ready.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    lines = process.stdout

    def say(text: str) -> None:
        process.stdin.write(text)
        process.stdin.flush()

    try:
        yield say, lambda number: [lines.readline() for _ in range(number)]
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.stdout.close()
