"""
`workflow-conformance mutants`: the whole matrix, told, written or compared.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from . import killed, load, matrix, nulls, voids, worth
from .errors import CannotRun
from .target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .matrix import Matrix
    from .worth import Worth

PAGE = "mutants.md"


def prove(globs: Sequence[str], jobs: int, out: Path, *, every: bool, check: bool, as_json: bool) -> int:  # noqa: PLR0913 - each is an option of the command
    """
    Run the matrix, and the null servers unless it is narrowed; the exit code.
    """
    found = matrix.run(globs, jobs, every=every)
    wrong = found.problems()
    wrong += [] if globs else list(_idlers())
    worths = weighed(found, out / PAGE, every=every)
    wrong += [] if globs else worth.problems(worths)
    if as_json:
        click.echo(_as_json(found, worths))
    else:
        for line in (*killed.table(found), *wrong):
            click.echo(line)
    if not globs:
        wrong += _page(page(found, worths), out / PAGE, check=check)
    click.echo(killed.summary(found), err=as_json)
    return 1 if wrong else 0


def _idlers() -> Iterator[str]:
    """
    What servers that do nothing pass.
    """
    cases = matrix.cases(matrix.OVER_HTTP)
    for kind in nulls.ANSWERS:
        yield from (f"null server {kind}: it passes {name}" for name in nulls.passed(kind, cases))
    cases = matrix.cases(matrix.OVER_GRPC)
    for kind in voids.KINDS:
        with voids.serving(kind) as address:
            found = nulls.none_of(Target("null", grpc=address), cases)
        yield from (f"null gRPC server {kind}: it passes {name}" for name in found)


def page(found: Matrix, worths: Sequence[Worth]) -> str:
    """
    The page to commit.
    """
    return killed.page(found) + "\n" + "\n".join(worth.section(worths)) + "\n"


def _as_json(found: Matrix, worths: Sequence[Worth]) -> str:
    """
    Everything, with what each scenario is worth and, where that was measured now, the scenarios that kill each mutant.
    """
    data = json.loads(killed.as_json(found))
    for one in data["mutants"]:
        if one["name"] in found.killers:
            one["killers"] = sorted(found.killers[one["name"]])
    return json.dumps({**data, "scenarios": worth.as_data(worths)}, ensure_ascii=False)


def weighed(found: Matrix, path: Path, *, every: bool) -> tuple[Worth, ...]:
    """
    What each scenario is worth, as it was measured now or before.
    """
    scenarios = load.scenarios()
    kills = worth.measured(found.killers, scenarios) if every else worth.written(_read(path))
    return worth.worth(scenarios, matrix.plans(), kills)


def _page(text: str, path: Path, *, check: bool) -> list[str]:
    """
    Write the page, or say that it is another.
    """
    if check:
        if _read(path) == text:
            return []
        click.echo(
            f"{path} is not what comes out; run workflow-conformance mutants and look at the difference", err=True
        )
        return ["page"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror or error}") from None
    return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror or error}") from None
