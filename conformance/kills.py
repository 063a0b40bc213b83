"""
`workflow-conformance mutants`: the whole matrix, told, written or compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import killed, matrix, nulls
from .errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAGE = "mutants.md"


def prove(globs: Sequence[str], jobs: int, out: Path, *, check: bool, as_json: bool) -> int:
    """
    Run the matrix, and the null servers unless it is narrowed; the exit code.
    """
    found = matrix.run(globs, jobs)
    wrong = found.problems()
    if not globs:
        cases = matrix.cases()
        for kind in nulls.ANSWERS:
            wrong += [f"null server {kind}: it passes {name}" for name in nulls.passed(kind, cases)]
    if as_json:
        click.echo(killed.as_json(found))
    else:
        for line in (*killed.table(found), *wrong):
            click.echo(line)
    if not globs:
        wrong += _page(killed.page(found), out / PAGE, check=check)
    click.echo(killed.summary(found), err=as_json)
    return 1 if wrong else 0


def _page(text: str, path: Path, *, check: bool) -> list[str]:
    """
    Write the page, or say that it is another.
    """
    try:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return []
        there = path.read_text(encoding="utf-8") if path.exists() else ""
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror or error}") from None
    if there == text:
        return []
    click.echo(f"{path} is not what comes out; run workflow-conformance mutants and look at the difference", err=True)
    return ["page"]
