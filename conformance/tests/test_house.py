"""
The house rules: who imports whom, style, types, sizes, and what the wheel holds.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("spec", "scenarios", "reference_server", "conformance")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CHECKS = {
    "style": ["-m", "ruff", "check"],
    "form": ["-m", "ruff", "format", "--check"],
    "types": ["-m", "mypy"],
    "imports": ["-c", "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"],
    "generated tables": ["-m", "spec.generate", "--check"],
    "generated cells": ["-m", "conformance.derive", "--check"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_house_is_in_order(check: str) -> None:
    """
    Style, form, types, imports and what is generated are as they should be.
    """
    done = subprocess.run([sys.executable, *CHECKS[check]], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    """
    A file has at most 400 lines, a function outside the tests at most 40.
    """
    text = path.read_text(encoding="utf-8")
    in_tests = "tests" in path.parts
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > 40 and not in_tests]

    assert len(text.splitlines()) <= 400 or in_tests
    assert not long


def test_python_names_no_rule() -> None:
    """
    Which rule a check carries, and which a fault breaks, is data.
    """
    found = [path.name for path in SOURCES if "tests" not in path.parts and '"WF-' in path.read_text(encoding="utf-8")]

    assert found == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_data_file_and_no_test(wheel: Path) -> None:
    """
    What is in the packages is in the wheel, the tests aside.
    """
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "tests" not in path.parts and "__pycache__" not in path.parts
    }

    assert names == tracked


def test_the_wheel_runs_the_suite_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """
    Installed in another place, with no checkout around, it starts the server and judges it.
    """
    place = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", str(place), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(place)}
    code = "import conformance, spec; print(conformance.__file__, spec.__file__)"
    where = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    run = [sys.executable, "-P", "-m", "conformance", "run", "--surface", "http/v1.0", "-k", "purge/*"]
    done = subprocess.run(run, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert where.stdout.count(str(place)) == 2
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "reports" / "run.jsonl").exists()
    assert (tmp_path / "reports" / "junit.xml").exists()
