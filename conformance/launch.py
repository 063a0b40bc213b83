"""
What a user names as a client or a worker -> the command that starts it.

    NAME           a driver of the kit, with the SDK's version that it pins
    NAME@VERSION   with another version
    NAME=PATH      with a local checkout of the SDK
    "CMD ARGS"     a driver of somebody else's

Rule 1: whether there is such a driver is found before anything is built or started.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import build, manifest
from .errors import UsageError
from .shape import meant

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENT, WORKER = "client", "worker"

HIDDEN = "DAPR_"
"""Variables of the environment that no driver sees: where the sidecar is, hello says."""

_NAMED = re.compile(r"([a-z][a-z0-9-]*)(?:@(\S+)|=(.+))?")
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A driver that a user names: one of the kit (`argv` is empty), or a command.
    """

    role: str
    name: str
    given: str
    version: str | None = None
    path: Path | None = None
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """
    A driver that is ready to be started. `log` is the file of its build, where there was one.
    """

    role: str
    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None


def asked(given: str, role: str) -> Asked:
    """
    What a user means by an option. Raises UsageError where there is neither such a driver nor such a command.
    """
    known = (*(("builtin",) if role == WORKER else ()), *manifest.names(role))
    found = _NAMED.fullmatch(given)
    if found and found[1] in known:
        if found[3] and not Path(found[3]).exists():
            raise UsageError(f"--{role} {given}: {found[3]} does not exist; a checkout of the SDK is expected")
        return Asked(role, found[1], given, found[2], Path(found[3]).resolve() if found[3] else None)
    return Asked(role, *_command(given, role, known))


def launch(one: Asked, cache_dir: Path | None = None) -> Launch:
    """
    The command of a driver, built first if it is one of the kit. Raises CannotRun where it cannot be built.
    """
    if one.argv:
        return Launch(one.role, one.name, one.argv, _environment())
    ready = build.built(one.name, one.version, one.path, role=one.role, cache_dir=cache_dir)
    return Launch(one.role, one.name, ready.argv, ready.environment, ready.log)


def _command(given: str, role: str, known: tuple[str, ...]) -> tuple[str, str, None, None, tuple[str, ...]]:
    try:
        argv = shlex.split(given)
    except ValueError as error:
        raise UsageError(f"--{role} {given}: no command of a shell: {error}") from None
    if not argv:
        raise UsageError(f"--{role}: a name or a command is expected; there are {', '.join(known)}")
    program = shutil.which(argv[0])
    if program is None:
        if Path(argv[0]).is_file():
            raise UsageError(f"--{role} {given}: {argv[0]} is not executable; `chmod +x`, or name its interpreter")
        word = re.split(r"[@=]", argv[0])[0]
        raise UsageError(
            f"--{role} {given}: there is no such command, and no {role} of this name; "
            f"there are {', '.join(known) or 'none'}{meant(word, known)}"
        )
    script = next((one for one in argv[1:] if not one.startswith("-") and Path(one).is_file()), argv[0])
    return _UNFIT.sub("-", Path(script).stem).strip("-") or role, given, None, None, (program, *argv[1:])


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
