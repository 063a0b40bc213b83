"""
What .ci/run asks last: whether a toolchain that is here went unused.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance import manifest
from conformance.errors import CannotRun
from conformance.toolchain import found

ROOT = Path(__file__).resolve().parents[2]
WHOLE = "test_a_driver_goes_through_the_whole_suite"


def here() -> list[str]:
    names = []
    for role in manifest.ROLES:
        for name in manifest.names(role):
            try:
                found(manifest.load(role, name).toolchain)
            except CannotRun:
                continue
            names.append(f"{role}-{name}")
    return names


@pytest.fixture
def asks(tmp_path: Path) -> Any:
    def call(*cases: str, path: str = "") -> Any:
        report = tmp_path / "junit.xml"
        report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>", encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **({"PATH": path} if path else {})}
        command = [sys.executable, str(ROOT / ".ci" / "used.py"), str(report)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return call


def passed(name: str) -> str:
    return f'<testcase name="{WHOLE}[{name}]"/>'


def skipped(name: str, why: str) -> str:
    return f'<testcase name="{name}"><skipped message="{why}"/></testcase>'


def test_all_that_could_be_driven_was(asks: Any) -> None:
    """
    Every driver whose toolchain is here went through the suite: exit code 0, with their number.
    """
    code, out, err = asks(*map(passed, here()))

    assert (code, err) == (0, "")
    assert out.startswith(f"{len(here())} drivers to be driven: client ")


@pytest.mark.parametrize("instead", ["", skipped(f"{WHOLE}[client-python]", "why not")])
def test_a_driver_that_was_not_driven_is_told(asks: Any, instead: str) -> None:
    """
    One whose test did not run, or was skipped, makes it fail, by its name.
    """
    code, _, err = asks(instead, *(passed(name) for name in here() if name != "client-python"))

    assert code == 1
    assert err == "unused: client python: its toolchain is on the PATH, and no test drove it through the suite\n"


def test_what_is_not_here_is_left_out_and_named(asks: Any, tmp_path: Path) -> None:
    """
    Without any program on the PATH, what needs one is counted with what to install, and nothing is wrong.
    """
    python = ["client-python", "client-python-daprclient", "worker-python"]
    code, out, _ = asks(*map(passed, python), path=str(tmp_path))

    assert code == 0
    assert "8 left out" in out
    assert "client javascript: node is not on the PATH" in out


def test_a_skip_for_lack_of_what_is_here_is_told(asks: Any) -> None:
    """
    Any test that says of a program on the PATH that it is not there makes it fail; of one that is not, it may.
    """
    lacking = skipped("test_one", "x is not driven: sh is not on the PATH; install it")
    rightly = skipped("test_two", "x is not driven: no-such-program is not on the PATH; install it")
    code, _, err = asks(lacking, rightly, *map(passed, here()))

    assert code == 1
    assert err == "unused: test_one: skipped, and sh is on the PATH\n"


def test_no_report_is_told() -> None:
    """
    A session that wrote none proves nothing: exit code 2, and no traceback.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / ".ci" / "used.py"), "nowhere.xml"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("nowhere.xml: no report of a session")
    assert "Traceback" not in done.stderr
