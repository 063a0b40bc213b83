"""
Environments of published packages, made when a test first asks for one and kept in a cache folder.

An environment is a virtual environment of Python or a folder of npm; what is in it is said in `environments.yaml`. Its
folder is named after its pins, so that a changed pin makes a new one, and several processes may ask at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[3]
VARIABLE = "WORKFLOW_CONFORMANCE_CACHE"
INSTALL_SECONDS = 900


class MissingToolError(Exception):
    """
    A program is not on the PATH, without which the environment cannot be made.
    """


class InstallError(Exception):
    """
    The tool that makes an environment failed; the text is its command and all it wrote.
    """


@dataclass(frozen=True)
class Environment:
    """
    Packages in a folder, and the interpreter that runs programs on them.
    """

    name: str
    folder: Path
    interpreter: str

    @property
    def variables(self) -> dict[str, str]:
        """
        What a program needs to find the packages: Node.js programs of ours stand outside the folder.
        """
        return {"SDK_FOLDER": str(self.folder)}


def pins() -> dict[str, dict[str, Any]]:
    """
    What is installed, by the environment's name.
    """
    return dict(yaml.safe_load(Path(__file__).with_name("environments.yaml").read_text()))


def cache() -> Path:
    """
    The folder of all environments: named by a variable of the process, else the platform's place for caches.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/workflow-conformance"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workflow-conformance"


def make(name: str, wanted: dict[str, Any] | None = None) -> Environment:
    """
    The environment of that name, installed if it is not there yet. Raises MissingToolError or InstallError.
    """
    wanted = pins()[name] if wanted is None else wanted
    installed = [*wanted.get("python", ()), *wanted.get("npm", ()), *(_dependencies() if "project" in wanted else ())]
    version = sys.version_info[:3] if "python" in wanted else ()
    key = hashlib.sha256(json.dumps([installed, version, sys.base_prefix]).encode()).hexdigest()[:12]
    folder = cache() / f"{name}-{key}"
    interpreter = str(folder / "bin" / "python") if "python" in wanted else _tool("node")
    done = folder / "installed.json"
    with _alone(folder):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            (_python if "python" in wanted else _npm)(folder, installed)
            done.write_text(json.dumps(installed))
    return Environment(name, folder, interpreter)


def _dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return list(project["dependencies"])


def _python(folder: Path, packages: Sequence[str]) -> None:
    """
    The pip of this process installs: a virtual environment without a pip of its own is made in a tenth of the time.
    """
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = str(folder / "bin" / "python")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-compile")
    _run([sys.executable, "-m", "pip", "--python", python, "install", *quiet, *packages])


def _npm(folder: Path, packages: Sequence[str]) -> None:
    npm = _tool("npm")
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"private": true}')
    _run([npm, "install", "--no-audit", "--no-fund", "--save-exact", "--prefix", str(folder), *packages])


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingToolError(f"{name} is not on the PATH; install Node.js 18 or newer to drive Dapr's JavaScript SDK")
    return found


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as late:
        raise InstallError(f"{' '.join(command)}\nis not done after {late.timeout:g} s:\n{late.output}") from late
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """
    One process at a time makes a folder; the lock goes with the process that holds it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
