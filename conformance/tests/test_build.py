"""
Drivers are built in the cache, once, and failures say what to do.

What is built here are drivers of no SDK: a manifest, and steps that are Python.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance import build, manifest
from conformance.build import Ready, Wanted
from conformance.errors import CannotRun, UsageError

Make = Callable[..., Path]

COUNTS = 'open("{folder}.count", "a").write("x")'


def python(code: str) -> list[str]:
    """
    A step that is Python; it says nothing and ends with 0 unless the code does otherwise.
    """
    return ["{python}", "-c", code]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """
    Writes drivers to where the kit looks for its own.
    """
    drivers = tmp_path / "drivers"
    monkeypatch.setattr(manifest, "_folder", lambda role: drivers / f"{role}s")
    monkeypatch.setenv("WORKFLOW_CONFORMANCE_CACHE", str(tmp_path / "cache"))

    def put(name: str = "one", role: str = "client", source: str = "says 1", **changes: Any) -> Path:
        folder = drivers / f"{role}s" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "source.txt").write_text(source)
        data = {
            "version": 1,
            "title": name,
            "sdk": {"name": "none", "language": "python", "package": "none", "version": "1.0.0"},
            "toolchain": [],
            "build": [python(COUNTS)],
            "checkout": [python(COUNTS)],
            "run": ["{folder}/start", "{version}"],
            **changes,
        }
        (folder / "driver.yaml").write_text(yaml.safe_dump(data))
        return folder

    return put


def count(ready: Ready) -> int:
    """
    How often a driver was built in its place.
    """
    return len(Path(f"{ready.folder}.count").read_text())


def tool(folder: Path, name: str, says: str) -> None:
    (folder / name).write_text(f"#!{sys.executable}\nprint({says!r})\n")
    (folder / name).chmod(0o755)


def test_a_driver_is_copied_out_and_built_once(make: Make, tmp_path: Path) -> None:
    """
    Below its role, name and version; the command has its places filled, and the folder of the kit stays as it was.
    """
    folder = make()
    first, again = build.built("one"), build.built("one")

    assert first == again
    assert count(first) == 1
    assert first.folder.parent == tmp_path / "cache" / "clients" / "one"
    assert first.folder.name.startswith("1.0.0-")
    assert first.argv == (f"{first.folder}/start", "1.0.0")
    assert first.version == "1.0.0"
    assert (first.folder / "source.txt").read_text() == "says 1"
    assert sorted(path.name for path in folder.iterdir()) == ["driver.yaml", "source.txt"]


@pytest.mark.parametrize(
    "change", [{"source": "says 2"}, {"build": [python(COUNTS), python("0")]}, {"environment": {"A": "b"}}]
)
def test_a_changed_driver_is_built_anew(make: Make, change: dict[str, Any]) -> None:
    """
    And the one before is still there.
    """
    make()
    first = build.built("one")
    make(**change)
    second = build.built("one")

    assert first.folder != second.folder
    assert first.folder.exists()
    assert count(second) == 1


def test_each_version_has_its_place(make: Make) -> None:
    """
    A version is built as the first variant says that is meant for it, else as all are.
    """
    older = [{"versions": ">=2,<3", "build": [python('open("two", "w")')]}, {"versions": "<4", "build": []}]
    make(variants=older, build=[python('open("v{version}", "w")')])
    made = {version: build.built("one", version).folder for version in ("2.5.0", "3.0.0", "4.1.0-rc.1")}

    assert (made["2.5.0"] / "two").exists()
    assert not list(made["3.0.0"].glob("v*"))
    assert (made["4.1.0-rc.1"] / "v4.1.0-rc.1").exists()


@pytest.mark.parametrize("version", ["../../x", "newest", "-rf", "1.0 2", "1/2"])
def test_what_is_no_version_is_refused(make: Make, version: str) -> None:
    """
    Before anything is built.
    """
    make()
    with pytest.raises(UsageError, match=r"a version such as 1\.0\.0 is expected"):
        build.built("one", version)


def test_a_build_that_was_cut_short_is_made_anew(make: Make) -> None:
    """
    What is left of it goes.
    """
    make()
    first = build.built("one")
    (first.folder / build.DONE).unlink()
    (first.folder / "half").write_text("")
    again = build.built("one")

    assert count(again) == 2
    assert not (again.folder / "half").exists()


def test_a_failure_quotes_its_log(make: Make) -> None:
    """
    The last lines of the step that failed, with what to do and where the rest is; the next run tries again.
    """
    make(
        build=[
            python('print("well")'),
            python('import sys; print("x" * 9); [print(n) for n in range(99)]; sys.exit(7)'),
        ]
    )
    with pytest.raises(CannotRun) as told:
        build.built("one")
    lines = str(told.value).splitlines()
    log = Path(lines[-1].removeprefix("The whole log: "))

    assert lines[0].startswith("the client one cannot be built on none 1.0.0: ")
    assert lines[0].endswith(" ended with 7")
    assert lines[1:-2] == [f"  | {n}" for n in range(79, 99)]
    assert lines[-2] == "Mend what the last lines say and run again: what was cut short is built anew."
    assert "well\n" in log.read_text()
    assert "xxxxxxxxx\n0\n" in log.read_text()

    make(build=[python(COUNTS)])
    assert count(build.built("one")) == 1


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("NewConnectionError: No matching distribution found", "PyPI cannot be reached: pip reads PIP_INDEX_URL"),
        ("No matching distribution found for none==9", "PyPI may have no such release; none 1.0.0 is the one this"),
    ],
)
def test_a_registry_that_fails_is_told_with_the_remedy(make: Make, says: str, told: str) -> None:
    """
    Whether nobody answers, or nobody has it.
    """
    make(build=[python(f'print("{says}"); raise SystemExit(1)')])
    with pytest.raises(CannotRun, match=told):
        build.built("one", "9.0.0")


def test_a_step_has_its_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One that takes longer is stopped, and told.
    """
    monkeypatch.setattr(build, "DEADLINE", 0.2)
    make(build=[python("import threading; threading.Event().wait()")])
    with pytest.raises(CannotRun, match=r"is not done after 0\.2 s"):
        build.built("one")


def test_a_step_that_cannot_be_started_is_told(make: Make) -> None:
    """
    With the program.
    """
    make(build=[["no-such-program"]])
    with pytest.raises(CannotRun, match="no-such-program cannot be started"):
        build.built("one")


def test_tools_are_looked_for_before_anything_is_built(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What is missing, and then what is too old, is told with what to install.
    """
    monkeypatch.setenv("PATH", str(tmp_path))
    tool(tmp_path, "runs", "3.0")
    tools = [{"program": "runs", "at_least": "4", "hint": "get 4"}, {"program": "builds", "hint": "get it"}]
    make(toolchain=tools, run=["runs"])
    with pytest.raises(CannotRun, match=r"builds is not on the PATH; get it"):
        build.built("one")

    tool(tmp_path, "builds", "1")
    with pytest.raises(CannotRun, match=r"runs is 3\.0, and 4 or newer is needed; get 4"):
        build.built("one")

    tool(tmp_path, "runs", "4.0.0")
    assert count(build.built("one")) == 1


def test_only_what_runs_is_needed_later(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What is built needs no tools to build with; what it runs on must be there, and be new enough also when it changed.
    """
    monkeypatch.setenv("PATH", str(tmp_path))
    tool(tmp_path, "runs", "4.0")
    tool(tmp_path, "builds", "1")
    tools = [{"program": "runs", "at_least": "4", "hint": "get 4"}, {"program": "builds", "hint": "get it"}]
    make(toolchain=tools, run=["runs"])
    build.built("one")
    (tmp_path / "builds").unlink()
    assert count(build.built("one")) == 1

    tool(tmp_path, "runs", "3.9 of old")
    with pytest.raises(CannotRun, match=r"runs is 3\.9"):
        build.built("one")
    tool(tmp_path, "runs", "5.0 and new")
    assert count(build.built("one")) == 1

    (tmp_path / "runs").unlink()
    with pytest.raises(CannotRun, match="runs is not on the PATH; get 4"):
        build.built("one")


def test_a_checkout_is_copied_and_built(make: Make, tmp_path: Path) -> None:
    """
    It stays as it was; it is built anew when it changed, and only then.
    """
    make(checkout=[python(COUNTS), python('open(r"{path}/built", "w")')])
    sdk = tmp_path / "sdk"
    sdk.mkdir()
    (sdk / "code").write_text("1")
    first, same = build.built("one", path=sdk), build.built("one", path=sdk)
    (sdk / "code").write_text("2")
    second = build.built("one", path=sdk)

    assert first == same
    assert count(first) == count(second) == 1
    assert first.folder != second.folder
    assert (first.version, first.argv[1]) == ("", "")
    assert (second.folder / "checkout" / "code").read_text() == "2"
    assert (second.folder / "checkout" / "built").exists()
    assert [path.name for path in sdk.iterdir()] == ["code"]


def test_old_states_of_a_checkout_are_dropped(make: Make, tmp_path: Path) -> None:
    """
    When nobody used them for a day; those of other checkouts and releases stay.
    """
    make()
    made = {}
    for name, state in (("a", "1"), ("a", "2"), ("b", "1")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "code").write_text(state)
        made[name, state] = build.built("one", path=tmp_path / name)
    released = build.built("one")
    for ready in (*made.values(), released):
        os.utime(ready.folder / build.DONE, (0, 0))
    (tmp_path / "a" / "code").write_text("3")
    build.built("one", path=tmp_path / "a")

    assert not made["a", "1"].folder.exists()
    assert not made["a", "2"].log.exists()
    assert made["b", "1"].folder.exists()
    assert released.folder.exists()


def test_what_is_no_checkout_is_refused(make: Make, tmp_path: Path) -> None:
    """
    Nothing there, a file, an empty folder; and a version beside a checkout.
    """
    make()
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for path, told in (("none", "no such folder"), ("file", "no such folder"), ("empty", "the folder is empty")):
        with pytest.raises(UsageError, match=rf"--client one=.*{path}: {told}; it is to hold a checkout of none"):
            build.built("one", path=tmp_path / path)
    with pytest.raises(UsageError, match="not both"):
        build.built("one", "1.0.0", tmp_path)


def test_tokens_and_our_own_packages_are_withheld(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    From steps and from the driver; variables of the manifest are added.
    """
    for name in ("GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "DAPR_GRPC_PORT", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    code = 'import os, json; json.dump(dict(os.environ), open("seen.json", "w"))'
    make(build=[python(code)], environment={"PLACE": "{folder}/x"})
    ready = build.built("one")

    assert "secret" not in (ready.folder / "seen.json").read_text()
    assert "secret" not in ready.environment.values()
    assert ready.environment["HTTPS_PROXY"] == "http://proxy"
    assert ready.environment["PLACE"] == f"{ready.folder}/x"
    assert f"{ready.folder}/x" in (ready.folder / "seen.json").read_text()


def test_a_cache_that_cannot_be_written_is_told(make: Make, tmp_path: Path) -> None:
    """
    With the option that names another.
    """
    make()
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match=r"cannot be built \(.*\); --cache-dir names another folder"):
        build.built("one", cache_dir=tmp_path / "file")


def test_drivers_are_built_side_by_side(make: Make) -> None:
    """
    These two get on when both are there, and so they do; a third that cannot be built keeps nobody from it.
    """
    with socket.create_server(("127.0.0.1", 0)) as meeting:
        calls = f'import socket; socket.create_connection(("127.0.0.1", {meeting.getsockname()[1]}), 60).recv(1)'
        make("one", build=[python(calls)])
        make("two", build=[python(calls)])
        make("bad", role="worker", build=[python("raise SystemExit(1)")])
        both = threading.Thread(target=lambda: [one[0].close() for one in [meeting.accept(), meeting.accept()]])
        both.start()
        wanted = [Wanted("one"), Wanted("two"), Wanted("bad", "worker"), Wanted("none")]
        made = build.side_by_side(wanted, at_once=4)
        both.join()

    assert [type(made[one]).__name__ for one in wanted] == ["Ready", "Ready", "CannotRun", "UsageError"]


def test_the_same_driver_is_built_once_by_many(make: Make, tmp_path: Path) -> None:
    """
    Threads and processes wait for one another.
    """
    make(build=[python(COUNTS)])
    code = (
        "from conformance import build, manifest; from pathlib import Path\n"
        f"manifest._folder = lambda role: Path(r'{tmp_path}/drivers') / f'{{role}}s'\n"
        "print(build.built('one').folder)"
    )
    others = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    made: list[Ready] = []
    threads = [threading.Thread(target=lambda: made.append(build.built("one"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    places = {other.communicate()[0].strip() for other in others} | {str(ready.folder) for ready in made}

    assert len(places) == 1
    assert count(made[0]) == 1
