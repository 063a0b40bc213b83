"""
`workflow-conformance matrix`: every client with every worker, each pair one run, and one page about them all.

Rule 1: a pair is a run in a process of its own; what becomes of one leaves the others theirs.
Rule 2: a driver whose toolchain is not here is left out and named, unless it was asked for by its name.
Rule 3: the page is a fold over the records; `--fold` writes it again from those that are there.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import build, manifest, toolchain
from .errors import CannotRun, KitError, UsageError
from .launch import CLIENT, WORKER, asked
from .record import stream
from .report.fold import Fold
from .report.pairs import Left, Pair, cell, page, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OWN = {CLIENT: "kit", WORKER: "builtin"}
"""What is no SDK: the runner's own calls, and the reference server's own executor."""

SURFACE = "taskhub"
"""Where the runner's own calls go: the surface with the most operations. What a worker is sent depends on none."""

PAGE, RECORDS, TOLD = "sdks.md", "sdks", "told.txt"
DEADLINE = 1800.0
"""Seconds that one pair may take, before --time-scale."""

QUOTED = 12
"""Lines that a pair without a record is quoted with."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What the command line asks for; no clients or no workers: all there are, and the kit's own.
    """

    clients: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    jobs: int = 1
    scale: float = 1.0
    out: Path = Path("reports")
    cache_dir: Path | None = None
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """
    A client or a worker that takes part: as it was given, and as tables call it.
    """

    role: str
    given: str
    name: str

    @property
    def own(self) -> bool:
        """
        Whether it is the kit itself, and no SDK.
        """
        return self.given == OWN[self.role]


def matrix(wanted: Wanted) -> int:
    """
    Run every pair, write the page; the exit code.

    Raises UsageError where a name is wrong, or no pair is left.
    """
    clients, left = _chosen(wanted.clients, CLIENT)
    workers, out = _chosen(wanted.workers, WORKER)
    both = [(one, other) for one in clients for other in workers if not (one.own and other.own)]
    if not both:
        raise UsageError("matrix: no pair is left; --clients and --workers name what there is")
    unbuilt = {} if wanted.fold else _unbuilt((*clients, *workers), wanted.cache_dir)

    def made(parts: tuple[Part, Part]) -> Pair:
        client, worker = parts
        trouble = "\n".join(unbuilt[part] for part in parts if part in unbuilt)
        pair = Pair(client.name, worker.name, trouble=trouble) if trouble else _pair(client, worker, wanted)
        click.echo(f"{pair.name:44} {cell(pair).replace('**', '')}{f': {pair.trouble}' if pair.trouble else ''}")
        return pair

    with ThreadPoolExecutor(wanted.jobs) as pool:
        pairs = list(pool.map(made, both))
    _write(wanted.out / PAGE, page(pairs, (*left, *out), _command(wanted)))
    click.echo(f"{verdict(pairs, (*left, *out))}; {wanted.out / PAGE}")
    return 3 if any(one.trouble for one in pairs) else 1 if any(one.red for one in pairs) else 0


def missing(role: str, name: str) -> str:
    """
    What a driver of the kit needs and is not here, empty where all is.
    """
    tools = manifest.load(role, name).toolchain
    try:
        toolchain.found(tools)
        toolchain.proved(tools)
    except CannotRun as error:
        return str(error)
    return ""


def _chosen(given: Sequence[str], role: str) -> tuple[list[Part], list[Left]]:
    """
    The drivers of a role that take part, and those that are left out.
    """
    if given:
        named = dict.fromkeys(one for text in given for one in text.split(",") if one)
        return [Part(role, one, one if one == OWN[role] else asked(one, role).name) for one in named], []
    names = manifest.names(role)
    left = [Left(role, name, why) for name in names if (why := missing(role, name))]
    out = {one.name for one in left}
    return [Part(role, name, name) for name in (OWN[role], *names) if name not in out], left


def _unbuilt(parts: Iterable[Part], cache_dir: Path | None) -> dict[Part, str]:
    """
    Build what is not built yet, side by side; why one could not be.
    """
    found = {part: asked(part.given, part.role) for part in parts if not part.own}
    jobs = {
        part: build.Wanted(one.name, one.role, one.version or "", str(one.path or ""))
        for part, one in found.items()
        if not one.argv
    }
    done = build.side_by_side(jobs.values(), cache_dir=cache_dir)
    return {part: str(done[job]) for part, job in jobs.items() if isinstance(done[job], KitError)}


def _pair(client: Part, worker: Part, wanted: Wanted) -> Pair:
    """
    One run, or the record of one.
    """
    folder = wanted.out / RECORDS / f"{client.name}+{worker.name}"
    path = folder / "run.jsonl"
    trouble = "" if wanted.fold else _run(client, worker, folder, wanted)
    if not (trouble or path.is_file()):
        trouble = f"{path} is not there; without --fold it is made"
    if trouble:
        return Pair(client.name, worker.name, trouble=trouble)
    found = Fold(stream(path))
    reason = "" if found.complete else str(found.footer.get("reason") or f"{path} has no footer")
    return Pair(client.name, worker.name, found, reason)


def _run(client: Part, worker: Part, folder: Path, wanted: Wanted) -> str:
    """
    Run a pair; why it left no record, empty where it did.
    """
    record, told = folder / "run.jsonl", folder / TOLD
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)
        with told.open("wb") as screen:
            done = subprocess.run(  # noqa: S603 - the kit itself
                [sys.executable, "-P", "-m", str(__package__), *_arguments(client, worker, folder, wanted)],
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                timeout=DEADLINE * wanted.scale,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return f"it did not end within {DEADLINE * wanted.scale:g} s; {told} shows how far it came"
    except OSError as error:
        raise CannotRun(f"--out {wanted.out}: cannot be written: {error.strerror or error}") from None
    if record.is_file():
        return ""
    last = told.read_text(encoding="utf-8", errors="replace").splitlines()[-QUOTED:]
    return f"exit code {done.returncode} and no record: " + "\n".join(last)


def _arguments(client: Part, worker: Part, folder: Path, wanted: Wanted) -> list[str]:
    """
    The command of one pair.
    """
    arguments = ["run", *(("--surface", SURFACE) if client.own else ("--client", client.given))]
    arguments += [] if worker.own else ["--worker", worker.given]
    arguments += ["--cache-dir", str(wanted.cache_dir)] if wanted.cache_dir else []
    return [*arguments, "--time-scale", str(wanted.scale), "--out", str(folder), *wanted.more]


def _command(wanted: Wanted) -> str:
    """
    The command that writes the page anew.
    """
    words = ["workflow-conformance", "matrix"]
    words += ["--clients", shlex.quote(",".join(wanted.clients))] if wanted.clients else []
    words += ["--workers", shlex.quote(",".join(wanted.workers))] if wanted.workers else []
    return " ".join([*words, *map(shlex.quote, wanted.more)])


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"{path}: cannot be written: {error.strerror or error}") from None
