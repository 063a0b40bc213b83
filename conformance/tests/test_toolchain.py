"""
Programs that drivers need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance import toolchain
from conformance.errors import CannotRun
from conformance.manifest import Tool

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """
    Programs on a PATH that has no others; each says a text and ends with a code.
    """
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name: str, says: str = "", code: int = 0) -> Path:
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\nimport sys\nprint({says!r})\nprint(sys.argv[1:])\nsys.exit({code})\n")
        path.chmod(0o755)
        return path

    return put


def test_all_that_is_missing_is_told_at_once(install: Install) -> None:
    """
    Each with what to install.
    """
    install("here")
    tools = [Tool("here", "-"), Tool("node", "install Node.js"), Tool("npm", "it comes with Node.js")]
    with pytest.raises(CannotRun) as told:
        toolchain.found(tools)

    assert str(told.value).splitlines() == [
        "node is not on the PATH; install Node.js",
        "npm is not on the PATH; it comes with Node.js",
    ]


def test_an_installation_is_known_again(install: Install) -> None:
    """
    As the same while its file is; another one is another.
    """
    install("node", "v20.1.0")
    tools = [Tool("node", "-")]
    first, again = toolchain.found(tools), toolchain.found(tools)
    install("node", "v22.10.0")

    assert first == again
    assert toolchain.found(tools) != first


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("v20.20.2", "20.20.2"),
        ("openjdk 17.0.15 2025-04-15", "17.0.15"),
        ("\x1b[1mApache Maven 3.9.6 (bc02)\x1b[0m", "3.9.6"),
        ("go version go1.26.0 linux/amd64", "1.26.0"),
        ("Python 3.11.7", "3.11.7"),
    ],
)
def test_a_version_is_the_first_number(install: Install, says: str, version: str) -> None:
    """
    Whatever else a program writes, colours too.
    """
    install("tool", says)

    assert toolchain.proved([Tool("tool", "-", "1")]) == {"tool": version}


@pytest.mark.parametrize(
    ("version", "at_least"), [("18.0.0", "18"), ("20", "18"), ("1.26.0", "1.9"), ("3.10", "3.9.9")]
)
def test_new_enough_is_by_number(install: Install, version: str, at_least: str) -> None:
    """
    And not by text.
    """
    install("tool", version)

    assert toolchain.proved([Tool("tool", "-", at_least)])


def test_too_old_and_silent_are_told_at_once(install: Install) -> None:
    """
    With the version there is, the one that is needed, and what to install.
    """
    install("node", "v16.4.0")
    install("npm", "no idea")
    install("go", "go1.26", code=3)
    tools = [Tool("node", "get 18", "18"), Tool("npm", "get 8", "8"), Tool("go", "get Go", "1.23", ("version",))]
    with pytest.raises(CannotRun) as told:
        toolchain.proved(tools)

    assert str(told.value).splitlines() == [
        "node is 16.4.0, and 18 or newer is needed; get 18",
        "npm does not tell its version ('npm --version' fails); get 8",
        "go does not tell its version ('go version' fails); get Go",
    ]


def test_this_python_is_a_program_too() -> None:
    """
    By its place.
    """
    tools = [Tool("{python}", "-", "3.11")]

    assert toolchain.found(tools)["{python}"][0] == str(Path(sys.executable).resolve())
    assert toolchain.proved(tools)["{python}"] == ".".join(map(str, sys.version_info[:3]))
