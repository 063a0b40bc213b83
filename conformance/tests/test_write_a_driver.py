"""
docs/write-a-driver.md, followed to the letter: its blocks are the files, its commands are run in their order.

Where Rust is not here it is skipped, and says what to install.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "write-a-driver.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?:toml|rust) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [line[2:] for block in CONSOLE.findall(PAGE) for line in block.splitlines() if line.startswith("$ ")]
CARGO = shutil.which("cargo")
LAST = 900
"""Seconds for one command: the first fetches and compiles a crate."""


def files() -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, text in BLOCK.findall(PAGE):
        found.setdefault(name, []).append(text)
    return {name: "\n".join(texts) for name, texts in found.items()}


@pytest.fixture
def follow(tmp_path: Path) -> Any:
    if CARGO is None:
        pytest.skip(
            "the driver in Rust is not driven: cargo is not on the PATH; Rust 1.85 or newer (https://rustup.rs)"
        )
    for name, text in files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    def call(command: str) -> Any:
        words = shlex.split(command)
        if words[0] == "workflow-conformance":
            patient = ["-j", "4", "--time-scale", "4"] if words[1] == "run" else []
            words = [sys.executable, "-P", "-m", "conformance", *words[1:], *patient]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LAST, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return call


def test_the_page_has_a_driver_and_commands() -> None:
    """
    Files of a Rust package, none longer than a driver may be, and the way from building to a whole run.
    """
    assert {*files()} == {"Cargo.toml", "src/sdk.rs", "src/main.rs"}
    assert len(files()["src/main.rs"].splitlines()) <= 250
    assert [command.split()[:2] for command in COMMANDS] == [
        ["cargo", "build"],
        ["workflow-conformance", "doctor"],
        ["workflow-conformance", "run"],
        ["workflow-conformance", "run"],
    ]


@pytest.mark.first
def test_who_follows_the_page_gets_a_driver_that_finds_faults(follow: Any, tmp_path: Path) -> None:
    """
    What the page says comes true, without a warning of the compiler; and an SDK that forgets an input is found out.
    """
    build, doctor, *runs = COMMANDS
    for command in (build, doctor, *runs):
        code, said = follow(command)
        assert code == 0, said
        assert "warning:" not in said
    assert said.splitlines()[-1] == "conformant"

    source = tmp_path / "src" / "sdk.rs"
    right, wrong = "            input,\n", "            input.get(..0).unwrap_or_default(),\n"
    text = source.read_text(encoding="utf-8")
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), encoding="utf-8")
    assert follow(build)[0] == 0
    code, said = follow(runs[0])

    assert code == 1, said


@pytest.mark.skipif(shutil.which("rustfmt") is None, reason="rustfmt is not on the PATH; it comes with Rust")
@pytest.mark.parametrize("name", [name for name in files() if name.endswith(".rs")])
def test_the_driver_is_formatted_as_its_language_has_it(name: str) -> None:
    """
    Rust's own formatter changes nothing.
    """
    formatted = ["rustfmt", "--edition", "2024", "--emit", "stdout"]
    done = subprocess.run(formatted, input=files()[name], capture_output=True, text=True, timeout=LAST, check=True)

    assert done.stdout == files()[name]
