"""
Workers that a run brings along.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from conformance import worker
from conformance.errors import NoWorker
from conformance.target import Target

BARE = """\
version: 1
name: bare
title: a sidecar that runs nothing by itself
grpc: told
start: ["{python}", -P, -m, reference_server, --dapr-http-port, "0", --dapr-grpc-port, "0", --ready-json, --no-executor]
"""


@pytest.fixture
def bare(tmp_path: Any) -> Any:
    path = tmp_path / "bare.yaml"
    path.write_text(BARE)
    return path


def test_a_bare_sidecar_is_judged_with_a_worker(command: Any, bare: Any) -> None:
    """
    With the kit's own worker a server that runs no workflow passes, on every surface.
    """
    case = "lifecycle/runs_to_completion*"
    code, shown, complaint = command("run", "--target", bare, "--worker", "builtin", "-k", case, "-j", 8)

    assert code == 0, shown + complaint
    assert "conformant" in shown
    for surface in ("http/v1.0", "grpc/beta1", "taskhub"):
        assert surface in shown


def test_a_bare_sidecar_alone_cannot_be_judged(command: Any, bare: Any) -> None:
    """
    Without a worker nobody completes an echo: exit code 3, and what to do.
    """
    code, _, complaint = command("run", "--target", bare, "--surface", "http/v1.0", "--time-scale", "0.05")

    assert code == 3
    assert "no worker hosts the kit workflows" in complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--server", "http://127.0.0.1:1", "--worker", "builtin"), "--grpc HOST:PORT"),
        (("--grpc", "127.0.0.1:1", "--worker", "bultin"), 'did you mean "builtin"'),
    ],
)
def test_a_worker_that_cannot_be_is_found_before_anything_starts(command: Any, arguments: Any, said: str) -> None:
    """
    A worker nobody knows, and one without a place to work for, are mistakes of usage.
    """
    code, _, complaint = command("run", *arguments)

    assert code == 2
    assert said in complaint


def test_a_worker_ends_with_its_run(capfd: Any) -> None:
    """
    Its process is gone after the context; when nobody completed anything its last lines are told.
    """
    with (
        pytest.raises(NoWorker, match=r"nobody\nThe worker builtin for 127\.0\.0\.1:1:"),
        worker.working("builtin", Target(name="x", grpc="127.0.0.1:1"), ""),
    ):
        raise NoWorker("nobody")

    assert capfd.readouterr().err == ""


def test_worker_is_the_kits_own(tmp_path: Any) -> None:
    """
    All arguments of `worker` are the worker's own, --help too.
    """
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "worker", "--help"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PYTHONPATH": str(worker.__file__).rpartition("/conformance/")[0], "PATH": ""},
    )  # fmt: skip

    assert (done.returncode, "--until-eof" in done.stdout, "Traceback" in done.stderr) == (0, True, False)
