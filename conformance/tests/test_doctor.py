from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

FAKE = Path(__file__).parent / "drivers" / "fake_client.py"


@pytest.fixture
def examined(command: Any) -> Any:
    def call(lie: str = "", *more: str) -> Any:
        words = [sys.executable, str(FAKE), *(["--lie", lie] if lie else [])]
        return command("doctor", "--client", shlex.join(words), *more)

    return call


def test_a_good_driver_is_fit_to_be_trusted(examined: Any) -> None:
    """
    Hello, an unknown op, an echo, absence, calls side by side, a stop and the end of stdin: all is well.
    """
    code, shown, _ = examined()

    assert code == 0
    lines = shown.splitlines()
    assert [line[:4].strip() for line in lines[:-1]] == ["ok"] * 7
    assert "speaks http" in lines[0]
    assert lines[-1] == "client fake_client: fit to be trusted"


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ("prints a banner", "Welcome to the fake SDK!; stdout belongs to the protocol"),
        ("dies at start", "cannot import the SDK"),
        ("exits with 0", "it ended with exit code 0"),
        ("speaks another version", "version 2 of the protocol"),
        ("is a worker", "it is a worker, no client; --worker is its option"),
        ("says an odd hello", "carrier pigeon"),
        ("cannot connect", "SidecarError: nobody there (unavailable)"),
        ("dies at stop", "told to stop: it ended with exit code 9"),
        ("ends with 4", "its exit code is 4, not 0"),
        ("knows everything", "answered with ok; the class unsupported is expected"),
    ],
)
def test_a_bad_driver_is_told_with_what_it_said(examined: Any, lie: str, why: str) -> None:
    """
    Whatever a driver does wrong fails one check, with its last words, and exit code 1.
    """
    code, shown, _ = examined(lie)

    assert code == 1
    assert shown.count("FAIL") == 1
    assert why in shown
    assert shown.splitlines()[-1] == "client fake_client: 1 check failed"


@pytest.mark.parametrize(
    ("lie", "code", "why"),
    [("", 0, "fit to be trusted"), ("hosts nothing", 1, "no worker hosts"), ("dies at start", 1, "no stream to the")],
)
def test_a_worker_is_proved_by_an_echo(command: Any, lie: str, code: int, why: str) -> None:
    """
    The server that a worker is examined on runs nothing itself: what the worker does not host does not complete.
    """
    words = [sys.executable, str(FAKE.with_name("fake_worker.py")), *(["--lie", lie] if lie else [])]
    ended, shown, _ = command("doctor", "--worker", shlex.join(words), "--time-scale", "0.5")

    assert ended == code
    assert why in shown


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "one driver at a time"),
        (["--client", "a", "--worker", "b"], "one driver at a time"),
        (["--client", "no-such-thing"], "there is no such command, and no client of this name"),
        (["--client", str(FAKE)], "is not executable; `chmod +x`, or name its interpreter"),
        (["--client", "'unclosed"], "no command of a shell"),
        (["--client", " "], "a name or a command is expected"),
    ],
)
def test_a_driver_that_is_not_there_is_a_wrong_option(command: Any, arguments: Any, why: str) -> None:
    """
    What cannot be started at all is told before anything is, with exit code 2.
    """
    code, _, complaint = command("doctor", *arguments)

    assert code == 2
    assert why in complaint
