"""
The expected failures of a run: the file that the user gives, that of the target, and those of the drivers of the kit.

Rule 1: what ships with a driver is about that driver alone; --update never writes it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

import spec

from . import known, manifest
from .errors import BadFiles, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from .launch import Asked
    from .run import Tally

FILE = "expected-failures.yaml"
"""The file in the folder of a driver of the kit."""


def excused(path: Path | None, drivers: Sequence[Asked], *, update: bool) -> known.ExpectedFailures:
    """
    What is known to fail, from the file of a user or target, and of the drivers that are named.

    Raises UsageError where there is no file to update, BadFiles where one is wrong.
    """
    today = datetime.now(UTC).date()
    if path is None and update:
        raise UsageError("--update: say which file with --expected-failures FILE")
    none = path is None or (update and not path.exists())
    own = known.ExpectedFailures(today=today) if none or path is None else _read(path)
    beside = [entry for one in drivers for entry in _shipped(one)]
    return replace(own, beside=tuple(beside))


def rewrite(  # noqa: PLR0913 - each is a fact of the run
    path: Path,
    expected: known.ExpectedFailures,
    tally: Tally,
    target: tuple[str, str],
    peers: Sequence[tuple[str, str]],
    *,
    narrowed: bool,
) -> None:
    """
    Write the file as a run that is over would have it.
    """
    passed = [name for name, results in tally.results.items() if set(results) <= {"pass", "unexpected_pass"}]
    complete = not narrowed and all("not_run" not in results for results in tally.results.values())
    name, version = target
    text = expected.updated(tally.failed, passed, target=name, version=version, peers=peers, filtered=not complete)
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path} written")


def _shipped(one: Asked) -> Iterable[known.Entry]:
    if one.argv:
        return ()
    file = manifest.load(one.role, one.name).folder.joinpath(FILE)
    return _read(file).entries if file.is_file() else ()


def _read(path: Path | Traversable) -> known.ExpectedFailures:
    try:
        return known.load(path, today=datetime.now(UTC).date())
    except spec.BadFile as error:
        raise BadFiles([str(error)]) from None
