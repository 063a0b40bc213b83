"""
Targets: where a server is or how to start it, what it is capable of, and what is known to fail.

Rule 1: what we start, we stop: the whole process group, gently and then not.
Rule 2: a server that does not get ready is told with its own last lines.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spec

from . import shape
from .errors import BadFiles, CannotRun, TargetDied, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

DEFAULT = "reference"
"""The target of a run that names neither a target nor a server."""

READY = 30.0
"""Seconds until a server that we start says that it is ready, and for a restart command to return."""

TOLD = "told"
"""The gRPC address of a target whose own line tells it when it is ready."""

TOKEN = "DAPR_API_TOKEN"  # noqa: S105 - the name of a variable
"""Where a sidecar looks for the token that it demands."""

GRACE = 5.0
"""Seconds that a server has to stop by itself."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    One server to check, as its file says.
    """

    name: str
    title: str = ""
    server: str = ""
    grpc: str = ""
    start: tuple[str, ...] = ()
    hostless: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    profile: str = spec.DEFAULT_PROFILE
    runtime: str = ""
    capabilities: tuple[str, ...] = ()
    only_required: bool = False
    component: str = "dapr"
    workflows: Mapping[str, str] = field(default_factory=dict)
    expected_failures: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    api_token_env: str = ""

    @property
    def ports(self) -> tuple[str, ...]:
        """
        The kinds of port whose address is known, or will be once it is started.
        """
        known = {"http": self.server or self.start, "grpc": self.grpc}
        return tuple(name for name, given in known.items() if given)

    def with_worker(self) -> Target:
        """
        The target for a run that brings a worker: it is started so that it runs no workflow itself.
        """
        return replace(self, start=(*self.start, *self.hostless))

    def capable(self, *, token: bool) -> tuple[str, ...]:
        """
        What it is capable of, what follows from its other fields included.
        """
        more = (("restart", bool(self.restart)), ("api_token", token))
        return tuple(dict.fromkeys((*self.capabilities, *(name for name, given in more if given))))


def names() -> tuple[str, ...]:
    """
    The targets that ship with the kit.
    """
    return tuple(
        sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml"))
    )


def load(name: str) -> Target:
    """
    A target that ships with the kit, by its name, or one from a file.

    Raises UsageError where there is none, BadFiles where its file is wrong.
    """
    if name in names():
        return _read(_folder().joinpath(f"{name}.yaml"), f"targets/{name}.yaml", None)
    path = Path(name)
    if not path.is_file():
        known = names()
        hint = f"there are {', '.join(known)}{shape.meant(name, known)}"
        raise UsageError(f"--target {name}: neither a file nor a target of the kit; {hint}")
    return _read(path, name, path.parent)


def _folder() -> Traversable:
    return resources.files(__package__).joinpath("targets")


def _read(entry: Traversable, shown: str, folder: Path | None) -> Target:
    try:
        with entry.open("rb") as file:
            document = spec.read(file.read((1 << 20) + 1), shown)
    except spec.BadFile as error:
        raise BadFiles([str(error)]) from None
    except OSError as error:
        raise BadFiles([f"{shown}:1:1: the file cannot be read: {error.strerror or error}"]) from None
    wrong = shape.problems(document, document.data, "target")
    if wrong:
        raise BadFiles(wrong)
    data: dict[str, Any] = dict(document.data)
    del data["version"]
    data |= {key: tuple(value) for key, value in data.items() if isinstance(value, list)}
    profile = data.get("profile", spec.DEFAULT_PROFILE)
    if profile not in spec.profiles():
        expected = f"no such profile{shape.meant(profile, spec.profiles())}"
        raise BadFiles([shape.problem(document, ("profile",), profile, expected)])
    if "expected_failures" in data and folder is not None:
        data["expected_failures"] = str(folder / data["expected_failures"])
    return Target(**data)


@contextmanager
def running(target: Target, *, deadline: float = READY, token: str = "") -> Iterator[Target]:
    """
    The target with the address it is reached at; started for as long as the context lasts, if it is one to start. What
    is started finds the API token where daprd looks for it.
    """
    if target.server or not target.start:
        if not target.server and not target.grpc:
            raise UsageError(f"target {target.name} has neither an address nor start:; --server URL gives one")
        yield target
        return
    with tempfile.TemporaryFile() as errors:
        process = _spawn(target, errors, token)
        try:
            told = _ready(process, target, errors, deadline)
            yield replace(target, server=told["server"], grpc=told.get("grpc", target.grpc))
        finally:
            stop(process)


def restart(target: Target, *, deadline: float = READY) -> None:
    """
    Run the target's restart command. Raises CannotRun when it fails.
    """
    command = _command(target.restart, target)
    try:
        done = subprocess.run(command, capture_output=True, timeout=deadline, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(f"the restart command of {target.name} failed: {error}") from None
    if done.returncode:
        tail = done.stderr.decode("utf-8", "replace")[-400:]
        raise CannotRun(f"the restart command of {target.name} ended with {done.returncode}: {tail}")


def _command(argv: tuple[str, ...], target: Target) -> list[str]:
    values = {"{python}": sys.executable, "{profile}": target.profile}
    return [values.get(part, part) for part in argv]


def _spawn(target: Target, errors: Any, token: str) -> subprocess.Popen[bytes]:
    command = _command(target.start, target)
    environment = {**os.environ, **({TOKEN: token} if token else {})}
    try:
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise TargetDied(f"target {target.name}: cannot start {command[0]}: {error.strerror or error}") from None


def _ready(process: subprocess.Popen[bytes], target: Target, errors: Any, deadline: float) -> dict[str, str]:
    """
    The addresses from the one line a server prints when it is ready.
    """
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    timer = threading.Timer(
        deadline, _signal, (process, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    )
    timer.daemon = True
    timer.start()
    try:
        line = process.stdout.readline(65536)
    finally:
        timer.cancel()
    addresses = _addresses(line, target)
    if addresses:
        threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
        return addresses
    stop(process)
    said = line.decode("utf-8", "replace").strip()[:200]
    lines = tail(errors)
    heard = f"it said {said!r}" if said else f"it ended, or was silent for {deadline:g} s"
    raise TargetDied(f"target {target.name} did not get ready: {heard}{lines}")


def _addresses(line: bytes, target: Target) -> dict[str, str]:
    """
    What a line tells of each address that the target is to tell, nothing where it does not tell them all.
    """
    try:
        ready = json.loads(line)
        told = {"server": ready["http"], **({"grpc": ready["grpc"]} if target.grpc == TOLD else {})}
        good = ready["ready"] is True and all(isinstance(one, str) and one for one in told.values())
    except (ValueError, KeyError, TypeError):
        return {}
    return told if good else {}


def _drain(pipe: Any) -> None:
    with suppress(OSError, ValueError):
        while pipe.read(65536):
            pass


def tail(errors: Any) -> str:
    """
    The last lines that a process wrote to a file.
    """
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 2000))
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()[-8:]
    return "".join(f"\n  | {line}" for line in lines)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """
    Send a signal to the group of a process that we started and have not yet waited for.
    """
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def stop(process: subprocess.Popen[bytes]) -> None:
    """
    End a process that we started, gently and then not.
    """
    _signal(process, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        process.wait()
    if process.stdout:
        with suppress(OSError):
            process.stdout.close()
