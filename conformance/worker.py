"""
Workers that a run brings along: a process that hosts the kit workflows for the sidecar under test.

Rule 1: the worker is a process, never an import; it ends with the run, and by itself if the run is killed.
Rule 2: whether it hosts the workflows is for the preflight to see.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import NoWorker, UsageError
from .target import stop, tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .target import Target

COMMAND = ("-P", "-m", "reference_server.worker")
WORKERS = {"builtin": COMMAND}
"""The workers there are, each as arguments of this Python."""


def command(arguments: Sequence[str]) -> list[str]:
    """
    The command of the kit's own worker.
    """
    return [sys.executable, *COMMAND, *arguments]


def brought(name: str, target: Target) -> str:
    """
    See that a worker has a place; its name where it is no worker of ours, but a driver. Raises UsageError.
    """
    if name and not target.grpc:
        raise UsageError(f"--worker {name}: a worker needs the gRPC port of the sidecar; --grpc HOST:PORT gives it")
    return "" if name in WORKERS else name


@contextmanager
def working(name: str, target: Target, token: str, ca: str = "") -> Iterator[None]:
    """
    A worker for a target, for as long as the context lasts; the empty name is none.

    Raises NoWorker, with the worker's own last lines, when it has ended before its work has.
    """
    if not name:
        yield
        return
    arguments = [sys.executable, *WORKERS[name], "--grpc", target.grpc, "--until-eof", "--log-level", "warning"]
    arguments += ["--ca", ca] if ca else []
    environment = {**os.environ, "DAPR_API_TOKEN": token}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - a command of ours
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
        try:
            yield
        except NoWorker as error:
            raise NoWorker(f"{error}\nThe worker {name} for {target.grpc}:{tail(errors)}") from None
        finally:
            stop(process)
            if process.stdin:
                process.stdin.close()
