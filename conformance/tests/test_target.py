import os
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance import target
from conformance.errors import BadFiles, CannotRun, TargetDied, UsageError


def program(text: Any, **more: Any) -> Any:
    return target.Target(name="t", start=(sys.executable, "-c", text), **more)


def test_the_shipped_targets_are_read() -> None:
    """
    Each target of the kit is well formed and has its own name.
    """
    for name in target.names():
        assert target.load(name).name == name
    assert target.DEFAULT in target.names()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\nname: x\ntitle: t\nsrever: http://x\n", ":4:1: srever: unknown key"),
        ("version: 1\nname: x\n", "title: this key is missing"),
        ("version: 1\nname: x\ntitle: t\ncapabilities: [hold_pendng]\n", 'did you mean "hold_pending"?'),
        ("version: 1\nname: x\ntitle: t\nprofile: dapr-1.8\n", "dapr-1.8: no such profile"),
        ("version: 1\nname: x\ntitle: t\nstart: run\n", ":4:8: run: array is expected"),
        ("version: 2\nname: x\ntitle: t\n", "2: 1 is expected"),
        ("a: *b\n", "aliases are not read"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(tmp_path: Any, text: Any, words: Any) -> None:
    """
    File, line, column, and what was meant.
    """
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(BadFiles) as error:
        target.load(str(path))

    assert str(path) in str(error.value)
    assert words in str(error.value)


def test_a_misspelt_target_is_told() -> None:
    """
    Neither a file nor a target: the nearest one.
    """
    with pytest.raises(UsageError, match='did you mean "reference"'):
        target.load("refrence")


def test_expected_failures_stand_beside_the_file(tmp_path: Any) -> None:
    """
    A path in a target file is relative to it; capabilities follow from other fields too.
    """
    path = tmp_path / "t.yaml"
    path.write_text("version: 1\nname: x\ntitle: t\nserver: http://h\nexpected_failures: known.yaml\nrestart: [x]\n")
    loaded = target.load(str(path))

    assert loaded.expected_failures == str(tmp_path / "known.yaml")
    assert loaded.capable(token=True) == ("restart", "api_token")


def test_a_started_target_is_stopped() -> None:
    """
    The address comes from the line it prints; with the context the process ends, and what it started.
    """
    text = (
        "import json, subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(json.dumps({'ready': True, 'http': 'pid:%d' % p.pid}), flush=True); time.sleep(600)"
    )
    with target.running(program(text)) as started:
        child = int(started.server.removeprefix("pid:"))
        os.kill(child, 0)
    with pytest.raises(ProcessLookupError):  # noqa: PT012 - it takes a while
        while True:
            os.kill(child, 0)
            if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                raise ProcessLookupError  # ended, and nobody has asked how


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys; sys.exit('no port for you')", "no port for you"),
        ("print('hello', flush=True); import time; time.sleep(600)", "'hello'"),
        ("print('{\"ready\": false}', flush=True); import time; time.sleep(600)", "ready"),
        ("print('[1]')", "[1]"),
    ],
)
def test_a_target_that_does_not_get_ready_is_told(text: Any, words: Any) -> None:
    """
    Whatever it said, on stdout or stderr, is quoted.
    """
    with pytest.raises(TargetDied) as error, target.running(program(text)):
        pass

    assert words in str(error.value)


def test_a_silent_target_has_a_deadline() -> None:
    """
    One that says nothing is not waited for for ever.
    """
    with (
        pytest.raises(TargetDied, match="silent"),
        target.running(program("import time; time.sleep(600)"), deadline=0.3),
    ):
        pass


def test_what_cannot_be_started_is_told() -> None:
    """
    A command that is not there, and a target without any.
    """
    with pytest.raises(TargetDied, match="cannot start"), target.running(target.Target(name="t", start=("/no/such",))):
        pass
    with pytest.raises(UsageError, match="--server"), target.running(target.Target(name="t")):
        pass


def test_restart_commands_must_succeed() -> None:
    """
    A restart command that fails, or does not end, is an error of the target.
    """
    target.restart(target.Target(name="t", restart=("{python}", "-c", "")))
    with pytest.raises(CannotRun, match="ended with 3: why"):
        target.restart(
            target.Target(name="t", restart=("{python}", "-c", "import sys; sys.stderr.write('why'); sys.exit(3)"))
        )
    with pytest.raises(CannotRun, match="failed"):
        target.restart(target.Target(name="t", restart=("/no/such",)))


def test_what_is_started_finds_the_token(monkeypatch: Any) -> None:
    """
    Where daprd looks for it; without one, whatever the environment says.
    """
    monkeypatch.delenv("DAPR_API_TOKEN", raising=False)
    tells = "import os, json, time; "
    tells += (
        "print(json.dumps({'ready': True, 'http': 'http://' + os.environ.get('DAPR_API_TOKEN', 'none')}), flush=True)"
    )
    seen = []
    for token in ("kept-secret", ""):
        with target.running(program(f"{tells}; time.sleep(60)"), token=token) as started:
            seen.append(started.server)

    assert seen == ["http://kept-secret", "http://none"]
