"""
The drivers of the kit, built where they can be: in a cache folder, never inside the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from .errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ready:
    """
    A driver that can be started: its command, what it adds to the environment, the SDK's version, and the build's log.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    version: str
    log: Path | None = None


def names(role: str) -> tuple[str, ...]:
    """
    The drivers of a role that ship with the kit.
    """
    folder = resources.files(__package__).joinpath("drivers", f"{role}s")
    if not folder.is_dir():
        return ()
    return tuple(sorted(one.name for one in folder.iterdir() if one.joinpath("driver.yaml").is_file()))


def built(name: str, version: str | None, path: Path | None, cache_dir: Path | None, role: str) -> Ready:
    """
    A driver of the kit, ready to be started. Raises CannotRun where it cannot be built.
    """
    del version, path, cache_dir
    raise CannotRun(f"the {role} {name} cannot be built")
