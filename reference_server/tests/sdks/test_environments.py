"""
How environments of published packages are made.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from reference_server.tests.sdks import environments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture
def installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """
    A cache of the test's own, and what would have been installed into it.
    """
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path))
    found: list[list[str]] = []

    def install(folder: Path, packages: Sequence[str]) -> None:
        folder.mkdir()
        found.append(list(packages))

    monkeypatch.setattr(environments, "_python", install)
    return found


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ({"python": ["./nowhere/no-such-project"]}, "nowhere/no-such-project"),
        ({"npm": ["file:./nowhere/no-such-package.tgz"]}, "no-such-package.tgz"),
    ],
)
def test_an_install_that_fails_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, list[str]], part: str
) -> None:
    """
    With the command and all that the tool wrote; nothing is kept that could be taken for an environment.
    """
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path))
    for _ in range(2):
        with pytest.raises(environments.InstallError, match=r"\nended with \d+:\n") as failed:
            environments.make("broken", wanted)
        assert part in str(failed.value).partition("\n")[2]


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    So that the test which then cannot run says why.
    """
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(environments.MissingToolError, match="node is not on the PATH"):
        environments.make("javascript-3.18.0")


def test_an_environment_is_made_once_for_its_pins(installs: list[list[str]]) -> None:
    """
    By whichever of several processes comes first; other pins make another.
    """
    threads = [threading.Thread(target=environments.make, args=("one", {"python": ["a==1"]})) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same, other = (environments.make("one", {"python": [pin]}).folder for pin in ("a==1", "a==2"))

    assert installs == [["a==1"], ["a==2"]]
    assert same != other


def test_an_install_that_was_cut_short_is_made_again(installs: list[list[str]]) -> None:
    """
    What is left of it goes.
    """
    folder = environments.make("one", {"python": ["a==1"]}).folder
    (folder / "installed.json").unlink()
    (folder / "half").write_text("")
    environments.make("one", {"python": ["a==1"]})

    assert (len(installs), (folder / "half").exists()) == (2, False)


def test_the_project_joins_with_all_it_needs(installs: list[list[str]]) -> None:
    """
    Where both are imported into one process.
    """
    environments.make("both", {"python": ["a==1"], "project": True})

    assert installs[0][0] == "a==1"
    assert any(needed.startswith("grpcio") for needed in installs[0])


def test_the_cache_has_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Outside the tree.
    """
    monkeypatch.delenv(environments.VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")

    assert environments.cache().is_relative_to(tmp_path)
    assert environments.cache().name == "workflow-conformance"


def test_every_pin_is_exact() -> None:
    """
    Of every environment: what is driven today is driven tomorrow.
    """
    for wanted in environments.pins().values():
        assert all("==" in pin for pin in wanted.get("python", ()))
        assert all(pin.rpartition("@")[2].replace(".", "").isdigit() for pin in wanted.get("npm", ()))
