"""
Programs of other people that drivers need: whether they are here, and new enough.

Rule 1: what is missing is told all at once, each with what to install.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CannotRun
from .manifest import filled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .manifest import Tool

PATIENCE = 60.0
"""Seconds until a program must have told its version."""

Identity = tuple[str, int, int]
"""What tells one installation of a program from another: its file, the size in bytes and the time in ns."""


def found(tools: Iterable[Tool]) -> dict[str, Identity]:
    """
    The programs on the PATH, by the names that manifests give them. Raises CannotRun with all that are missing.
    """
    places = {tool: shutil.which(_name(tool)) for tool in tools}
    missing = [f"{_name(tool)} is not on the PATH; {tool.hint}" for tool, place in places.items() if place is None]
    if missing:
        raise CannotRun("\n".join(missing))
    return {tool.program: _identity(place) for tool, place in places.items() if place is not None}


def proved(tools: Iterable[Tool]) -> dict[str, str]:
    """
    The version of each program. Raises CannotRun with all that are too old, or do not tell.
    """
    versions = {tool: _version(tool) for tool in tools}
    old = [_old(tool, version) for tool, version in versions.items() if not _will_do(tool, version)]
    if old:
        raise CannotRun("\n".join(old))
    return {tool.program: version for tool, version in versions.items()}


def _name(tool: Tool) -> str:
    return filled((tool.program,), {})[0]


def _identity(place: str) -> Identity:
    real = Path(place).resolve()
    status = real.stat()
    return str(real), status.st_size, status.st_mtime_ns


def _version(tool: Tool) -> str:
    """
    The first number in what a program answers; empty where there is none.
    """
    command = [shutil.which(_name(tool)) or _name(tool), *tool.asks]
    try:
        done = subprocess.run(  # noqa: S603 - a program that a manifest names
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    number = re.search(r"[0-9]+(?:\.[0-9]+)*", plain)
    return number[0] if number and done.returncode == 0 else ""


def _will_do(tool: Tool, version: str) -> bool:
    return bool(version) and _numbers(version) >= _numbers(tool.at_least)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)


def _old(tool: Tool, version: str) -> str:
    asked = " ".join((_name(tool), *tool.asks))
    if not version:
        return f"{_name(tool)} does not tell its version ({asked!r} fails); {tool.hint}"
    return f"{_name(tool)} is {version}, and {tool.at_least} or newer is needed; {tool.hint}"
