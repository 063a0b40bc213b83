"""
The mutants that the reference server can be, as it lists them itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import spec

from .errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMAND = ("-P", "-m", "reference_server", "--list-mutants")
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    A mutant as the server lists it: its name, the rules it breaks, and the profile it is a server of; `withholds`: that
    no answer comes is what is wrong with it.
    """

    name: str
    rules: tuple[str, ...]
    means: str
    profile: str
    withholds: bool = False


def listed() -> tuple[Mutant, ...]:
    """
    Every mutant that the server has. Raises CannotRun where it does not tell.
    """
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, *_COMMAND], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise CannotRun(f"the reference server does not list its mutants: {done.stderr.strip()[-400:]}")
    found = map(json.loads, done.stdout.splitlines())
    return tuple(
        Mutant(one["name"], tuple(one["rules"]), one["means"], one["profile"], one["withholds"]) for one in found
    )


def equivalents() -> Mapping[str, str]:
    """
    The mutants that nobody can tell from a server that is right, as globs, each with the reason.
    """
    return {one["name"]: one["reason"].strip() for one in spec.document("equivalent_mutants.yaml").data["equivalent"]}
