"""
The folder that drivers are built in.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance import cache

NAMED = {
    "linux": ("XDG_CACHE_HOME", "workflow-conformance"),
    "darwin": ("HOME", "Library/Caches/workflow-conformance"),
}


@pytest.mark.parametrize("platform", NAMED)
def test_the_platform_says_where(platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Unless a variable or the caller does; a folder that is named is taken from here on, wherever the process goes.
    """
    variable, place = NAMED[platform]
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert cache.folder() == tmp_path / place

    monkeypatch.setenv(cache.VARIABLE, "/variable")
    assert cache.folder() == Path("/variable")
    assert cache.folder("named") == tmp_path / "named"


def test_one_at_a_time_works_in_a_place(tmp_path: Path) -> None:
    """
    The place is locked while somebody is in, and free afterwards.
    """
    fcntl = pytest.importorskip("fcntl", reason="Windows locks otherwise")
    with cache.alone(tmp_path / "place"), (tmp_path / "place.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / "place.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    """
    The lock goes with the process that holds it.
    """
    code = (
        "import os, sys; from pathlib import Path; from conformance import cache\n"
        "with cache.alone(Path(sys.argv[1])): os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "place")], check=False)
    with cache.alone(tmp_path / "place"):
        assert done.returncode == 9


def test_a_fingerprint_tells_parts_apart() -> None:
    """
    Also where their texts run into one another.
    """
    prints = {cache.fingerprint(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"], [b"\xff"])}

    assert len(prints) == 5
    assert cache.fingerprint(["ab", b"c"]) == cache.fingerprint([b"ab", "c"])


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_sources_are_what_git_knows_or_would_know(tmp_path: Path) -> None:
    """
    Tracked or new, not ignored, not deleted.
    """
    make(tmp_path, "kept.txt", "gone.txt", "sub/new.txt", "built/out.txt")
    (tmp_path / ".gitignore").write_text("built/\n")
    for words in (["init", "-q"], ["add", "kept.txt", "gone.txt"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)
    (tmp_path / "gone.txt").unlink()

    assert dict(cache.sources(tmp_path)) == {
        ".gitignore": b"built/\n",
        "kept.txt": b"kept.txt",
        "sub/new.txt": b"sub/new.txt",
    }


def test_sources_without_git_leave_out_what_tools_made(tmp_path: Path) -> None:
    """
    Wherever it lies.
    """
    make(tmp_path, "a.py", "sub/b.py", "sub/node_modules/x.js", "__pycache__/a.pyc", ".git/HEAD")

    assert [name for name, _ in cache.sources(tmp_path)] == ["a.py", "sub/b.py"]


def test_files_are_written_as_they_were(tmp_path: Path) -> None:
    """
    Into folders that are made.
    """
    cache.written([("a/b.bin", b"\x00\xff"), ("c", b"")], tmp_path / "new")

    assert (tmp_path / "new/a/b.bin").read_bytes() == b"\x00\xff"
    assert dict(cache.contents(tmp_path / "new")) == {"a/b.bin": b"\x00\xff", "c": b""}
