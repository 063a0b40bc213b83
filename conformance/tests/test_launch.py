from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance import build, launch, manifest
from conformance.errors import UsageError


@pytest.fixture
def built(monkeypatch: Any) -> list[Any]:
    """
    What is asked of the building of drivers, which builds nothing here.
    """
    asked: list[Any] = []

    def make(name: Any, version: Any, path: Any, **more: Any) -> Any:
        asked.append((name, version, path, more))
        return SimpleNamespace(argv=("driver",), environment={"A": "b"}, log=Path("log"))

    monkeypatch.setattr(build, "built", make)
    monkeypatch.setattr(manifest, "names", lambda role: {"client": ("python", "go"), "worker": ("go",)}[role])
    return asked


@pytest.mark.parametrize(
    ("given", "version"), [("python", None), ("python@1.17.5", "1.17.5"), ("python@1.2.0-rc.1", "1.2.0-rc.1")]
)
def test_a_name_is_a_driver_of_the_kit(built: Any, tmp_path: Path, given: str, version: Any) -> None:
    """
    NAME and NAME@VERSION are built, in the cache that is given.
    """
    ready = launch.launch(launch.asked(given, "client"), tmp_path)

    assert built == [("python", version, None, {"role": "client", "cache_dir": tmp_path})]
    assert (ready.name, ready.argv, ready.environment) == ("python", ("driver",), {"A": "b"})


def test_a_path_is_a_checkout_of_the_sdk(built: Any, tmp_path: Path) -> None:
    """
    NAME=PATH names a folder, which must be there.
    """
    launch.launch(launch.asked(f"go={tmp_path}", "worker"))

    assert built == [("go", None, tmp_path, {"role": "worker", "cache_dir": None})]
    with pytest.raises(UsageError, match="does not exist; a checkout"):
        launch.asked(f"go={tmp_path}/none", "worker")


def test_anything_else_is_a_command(built: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """
    A command has the name of its script, and an environment in which nothing says where a sidecar is.
    """
    script = tmp_path / "my driver.py"
    script.touch()
    monkeypatch.setenv("DAPR_API_TOKEN", "secret")
    monkeypatch.setenv("KEPT", "yes")
    ready = launch.launch(launch.asked(f"{sys.executable} -u '{script}' --flag", "client"))

    assert built == []
    assert (ready.name, ready.argv) == ("my-driver", (sys.executable, "-u", str(script), "--flag"))
    assert ready.environment["KEPT"] == "yes"
    assert not [name for name in ready.environment if name.startswith("DAPR_")]


@pytest.mark.parametrize(
    ("given", "role", "why"),
    [
        ("pyton", "client", 'no client of this name; there are python, go; did you mean "python"'),
        ("pyton@1.2", "client", 'did you mean "python"'),
        ("python", "worker", "no worker of this name"),
        ("no-such-program --flag", "worker", "there is no such command, and no worker of this name"),
        ("", "client", "a name or a command is expected"),
        ("'", "client", "no command of a shell"),
    ],
)
@pytest.mark.usefixtures("built")
def test_what_is_neither_is_a_wrong_option(given: str, role: str, why: str, monkeypatch: Any) -> None:
    """
    The error says which there are, and which was meant.
    """
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError) as told:
        launch.asked(given, role)

    assert why in str(told.value)
