"""
The folder in which drivers are built: where it is, who may work in it, and what a state of files is called.

Rule 1: nothing is ever built where the kit is installed, nor in somebody's checkout.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.resources.abc import Traversable

VARIABLE = "WORKFLOW_CONFORMANCE_CACHE"
APPLICATION = "workflow-conformance"

LEFT = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", "target", ".gradle", ".tox"})
"""Folders of a checkout without git that hold nothing a person wrote."""


def folder(named: str | Path | None = None) -> Path:
    """
    The folder that is named, by the caller or by a variable of the process, else the platform's place for caches.
    """
    if chosen := named or os.environ.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / APPLICATION
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / APPLICATION / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / APPLICATION


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """
    One process, and one thread of it, at a time works in a place; the lock goes with the process that holds it.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("a+b") as lock:
        _lock(lock)
        yield


def _lock(lock: IO[bytes]) -> None:
    if sys.platform == "win32":
        lock.seek(0)
        msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
    else:
        fcntl.flock(lock, fcntl.LOCK_EX)


def fingerprint(parts: Iterable[str | bytes]) -> str:
    """
    Twelve digits that differ where any of the parts, or their order, does.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()[:12]


def contents(tree: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """
    The files of a folder with what is in them, in order of their paths.
    """
    for entry in sorted(tree.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            if entry.name not in LEFT:
                yield from contents(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()


def sources(checkout: Path) -> Iterator[tuple[str, bytes]]:
    """
    What somebody works on in a checkout: the files that git knows or would know, else all but what tools made.
    """
    listed = _listed(checkout)
    if listed is None:
        yield from contents(checkout)
        return
    for name in listed:
        path = checkout / name
        if path.is_file():
            yield name, path.read_bytes()


def _listed(checkout: Path) -> list[str] | None:
    command = ["git", "-C", str(checkout), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - git, by its name
    except OSError:
        return None
    names = sorted({os.fsdecode(name) for name in done.stdout.split(b"\0") if name})
    return names if done.returncode == 0 and names else None


def written(files: Iterable[tuple[str, bytes]], into: Path) -> None:
    """
    Write files into a folder, which may not exist yet.
    """
    for name, raw in files:
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
