"""
The drivers that ship with the kit: what each drives, and how it is built and started.

Rule 1: what is specific to a language stands in `driver.yaml` and `ecosystems.yaml`, nothing of it in Python.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import spec

from . import shape
from .errors import BadFiles, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

ROLES = ("client", "worker")
"""What a driver can be."""

FILE = "driver.yaml"

Command = tuple[str, ...]
Steps = tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """
    A program that a driver needs; an empty `at_least` is any version.
    """

    program: str
    hint: str
    at_least: str = ""
    asks: Command = ("--version",)


@dataclass(frozen=True, slots=True)
class Sdk:
    """
    What is driven; `version` is the release that is driven unless told otherwise.
    """

    name: str
    language: str
    package: str
    version: str


@dataclass(frozen=True, slots=True)
class Ecosystem:
    """
    The registry of a language: its name, two expressions for what its tool writes, and where it is configured.
    """

    registry: str
    unreachable: str
    absent: str
    hint: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    One driver of the kit, as its file says; `variants` are (range of versions, steps).
    """

    role: str
    name: str
    title: str
    sdk: Sdk
    toolchain: tuple[Tool, ...]
    build: Steps
    checkout: Steps
    run: Command
    variants: tuple[tuple[str, Steps], ...]
    environment: Mapping[str, str]
    folder: Traversable

    @property
    def ecosystem(self) -> Ecosystem:
        """
        The registry of its SDK.
        """
        return ecosystems()[self.sdk.language]


def names(role: str) -> tuple[str, ...]:
    """
    The names of the clients or workers that ship with the kit, in order.
    """
    found = (one.name for one in _folder(role).iterdir() if one.is_dir() and one.joinpath(FILE).is_file())
    return tuple(sorted(found))


def load(role: str, name: str) -> Manifest:
    """
    A driver of the kit by its name.

    Raises UsageError where there is none, BadFiles where its file is wrong.
    """
    known = names(role)
    if name not in known:
        there = f"there are {', '.join(known)}{shape.meant(name, known)}"
        raise UsageError(f"--{role} {name}: no {role} of the kit, and no command; {there}")
    folder = _folder(role).joinpath(name)
    return read(folder.joinpath(FILE).read_bytes(), f"drivers/{role}s/{name}/{FILE}", role, name, folder)


def read(text: bytes, shown: str, role: str, name: str, folder: Traversable) -> Manifest:
    """
    The manifest in a text. Raises BadFiles.
    """
    data = _data(text, shown, "driver-manifest")
    return Manifest(
        role=role,
        name=name,
        title=data["title"],
        sdk=Sdk(**data["sdk"]),
        toolchain=tuple(_tool(one) for one in data["toolchain"]),
        build=_steps(data["build"]),
        checkout=_steps(data["checkout"]),
        run=tuple(data["run"]),
        variants=tuple((one["versions"], _steps(one["build"])) for one in data.get("variants", ())),
        environment=data.get("environment", {}),
        folder=folder,
    )


@cache
def ecosystems() -> Mapping[str, Ecosystem]:
    """
    The registries there are, by language.
    """
    file = resources.files(__package__).joinpath("drivers", "ecosystems.yaml")
    data = _data(file.read_bytes(), "drivers/ecosystems.yaml", "ecosystems")
    return {language: Ecosystem(**one) for language, one in data["ecosystems"].items()}


def filled(command: Command, values: Mapping[str, str]) -> Command:
    """
    A command with its places filled in; `{python}` and `{scripts}` are of this process.
    """
    here = {"python": sys.executable, "scripts": "Scripts" if sys.platform == "win32" else "bin", **values}
    return tuple(re.sub(r"\{(\w+)\}", lambda place: here[place[1]], word) for word in command)


def _folder(role: str) -> Traversable:
    return resources.files(__package__).joinpath("drivers", f"{role}s")


def _data(text: bytes, shown: str, schema: str) -> dict[str, Any]:
    try:
        document = spec.read(text, shown)
    except spec.BadFile as error:
        raise BadFiles([str(error)]) from None
    wrong = shape.problems(document, document.data, schema)
    if wrong:
        raise BadFiles(wrong)
    return dict(document.data)


def _tool(data: Mapping[str, Any]) -> Tool:
    asks = {"asks": tuple(data["asks"])} if "asks" in data else {}
    return Tool(data["program"], data["hint"], data.get("at_least", ""), **asks)


def _steps(data: list[list[str]]) -> Steps:
    return tuple(tuple(step) for step in data)
