"""
Drivers, ready to be started: copied out of the package, built on a release or a local checkout of the SDK, and kept.

Rule 1: what is built once is not built again while the driver, the SDK and the tools are the same.
Rule 2: what a step writes stands in a log, which a failure quotes together with what to do.
Rule 3: other people's code is built without our tokens and without our packages.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from . import cache, manifest, toolchain
from .errors import CannotRun, KitError, UsageError
from .known import within
from .target import stop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .manifest import Command, Manifest, Steps

DEADLINE = 900.0
"""Seconds that one step may take."""

QUOTED = 20
"""Lines of a log that a failure quotes."""

KEPT = 24 * 3600.0
"""Seconds for which a build of an older state of a checkout is kept after its last use: a run may still use it."""

DONE = "built.json"
LOCAL = "checkout"
"""The folder of the copy of a checkout, and what stands where a release has its version."""

RELEASE = re.compile(r"[0-9]+(\.[0-9]+)*([-+.]?[0-9A-Za-z.-]+)?")

WITHHELD = re.compile(r"DAPR_.*|PYTHON(PATH|HOME|STARTUP)|VIRTUAL_ENV|(GH|GITHUB)_TOKEN|ACTIONS_.*TOKEN.*")
"""Variables of this process that drivers and their builds do not get."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A driver by its name, on the release that its manifest says, on another, or on the checkout in a folder.
    """

    name: str
    role: str = "client"
    version: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """
    A driver that can be started: its command and whole environment, the release of its SDK (empty: a checkout), the
    folder it was built in, and the log of that.
    """

    argv: Command
    environment: Mapping[str, str]
    version: str
    folder: Path
    log: Path


def built(
    name: str,
    version: str | None = None,
    path: str | Path | None = None,
    *,
    role: str = "client",
    cache_dir: str | Path | None = None,
) -> Ready:
    """
    A driver of the kit, built unless it is built already.

    Raises UsageError where there is no such driver or checkout, CannotRun where a tool is missing or a step fails.
    """
    if version and path:
        raise UsageError(f"--{role} {name}: a version or a checkout, not both")
    driver, root = manifest.load(role, name), cache.folder(cache_dir)
    return _built(_local(driver, Path(path), root) if path else _release(driver, version or driver.sdk.version, root))


def side_by_side(
    wanted: Iterable[Wanted], *, cache_dir: str | Path | None = None, at_once: int = 0
) -> dict[Wanted, Ready | KitError]:
    """
    Several drivers, built at the same time; where one cannot be, the error stands in its place and the others go on.
    """
    all_wanted = tuple(dict.fromkeys(wanted))

    def make(one: Wanted) -> Ready | KitError:
        try:
            return built(one.name, one.version, one.path, role=one.role, cache_dir=cache_dir)
        except KitError as error:
            return error

    with ThreadPoolExecutor(at_once or max(2, os.cpu_count() or 1)) as pool:
        return dict(zip(all_wanted, pool.map(make, all_wanted), strict=True))


Files = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """
    One build: what is filled into its commands, which files it works on, and where.
    """

    driver: Manifest
    version: str
    files: Files
    checkout: Files
    place: Path

    @property
    def log(self) -> Path:
        return self.place.with_name(f"{self.place.name}.log")

    @property
    def values(self) -> dict[str, str]:
        return {"version": self.version, "folder": str(self.place), "path": str(self.place / LOCAL)}

    @property
    def steps(self) -> Steps:
        if self.checkout:
            return self.driver.checkout
        fitting = (steps for versions, steps in self.driver.variants if within(self.version, versions))
        return next(fitting, self.driver.build)

    @property
    def environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not WITHHELD.fullmatch(name)}
        names = tuple(self.driver.environment)
        return ours | dict(
            zip(names, manifest.filled(tuple(self.driver.environment.values()), self.values), strict=True)
        )


def _release(driver: Manifest, version: str, root: Path) -> _Job:
    if not RELEASE.fullmatch(version):
        raise UsageError(f"--{driver.role} {driver.name}@{version}: a version such as {driver.sdk.version} is expected")
    files = tuple(cache.contents(driver.folder))
    return _Job(driver, version, files, (), _place(driver, root, version, [version], files))


def _local(driver: Manifest, path: Path, root: Path) -> _Job:
    asked = f"--{driver.role} {driver.name}={path}"
    if not path.is_dir():
        raise UsageError(f"{asked}: no such folder; it is to hold a checkout of {driver.sdk.package}")
    files, checkout = tuple(cache.contents(driver.folder)), tuple(cache.sources(path))
    if not checkout:
        raise UsageError(f"{asked}: the folder is empty; it is to hold a checkout of {driver.sdk.package}")
    kind = f"{LOCAL}-{cache.fingerprint([str(path.resolve())])}"
    return _Job(driver, "", files, checkout, _place(driver, root, kind, [kind], (*files, *checkout)))


def _place(driver: Manifest, root: Path, kind: str, parts: list[str], files: Files) -> Path:
    commands = [word for steps in (driver.build, driver.checkout) for step in steps for word in step]
    python = [sys.version, sys.base_prefix] if any("{python}" in word for word in commands) else []
    digest = cache.fingerprint([*parts, *python, *(part for file in files for part in file)])
    return root / f"{driver.role}s" / driver.name / f"{kind}-{digest}"


def _built(job: _Job) -> Ready:
    """
    Build where that is due. The programs that run needs are proved again when they are others than last time.
    """
    run = [tool for tool in job.driver.toolchain if tool.program == job.driver.run[0]]
    done = job.place / DONE
    try:
        with cache.alone(job.place):
            programs = json.dumps(toolchain.found(run))
            if not done.exists():
                toolchain.found(job.driver.toolchain)
                toolchain.proved(job.driver.toolchain)
                _make(job)
            elif done.read_text() != programs:
                toolchain.proved(run)
            done.write_text(programs)
    except OSError as error:
        why = error.strerror or error
        raise CannotRun(f"{job.place}: cannot be built ({why}); --cache-dir names another folder") from None
    if job.checkout:
        _forget(job.place)
    return Ready(manifest.filled(job.driver.run, job.values), job.environment, job.version, job.place, job.log)


def _make(job: _Job) -> None:
    """
    All steps, in a folder that holds nothing else; one that was cut short is made anew.
    """
    shutil.rmtree(job.place, ignore_errors=True)
    cache.written(job.files, job.place)
    cache.written(job.checkout, job.place / LOCAL)
    with job.log.open("w+b") as log:
        for step in job.steps:
            _step(job, manifest.filled(step, job.values), log)


def _step(job: _Job, command: Command, log: IO[bytes]) -> None:
    shown = shlex.join(command)
    log.write(f"+ {shown}\n".encode())
    log.flush()
    start = log.tell()
    try:
        process = subprocess.Popen(  # noqa: S603 - a command of a manifest
            (shutil.which(command[0]) or command[0], *command[1:]),
            cwd=job.place,
            env=job.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise CannotRun(f"{job.driver.name}: {command[0]} cannot be started: {error.strerror or error}") from None
    try:
        code = process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        raise _failed(job, f"{shown} is not done after {DEADLINE:g} s", log, start) from None
    finally:
        stop(process)
    if code:
        raise _failed(job, f"{shown} ended with {code}", log, start)


def _failed(job: _Job, happened: str, log: IO[bytes], start: int) -> CannotRun:
    """
    The error of a step, with the end of what it wrote, the whole log's place, and the remedy.
    """
    log.seek(start)
    wrote = log.read().decode("utf-8", "replace")
    lines = "".join(f"\n  | {line}" for line in wrote.strip().splitlines()[-QUOTED:])
    what = f"the {job.driver.role} {job.driver.name} cannot be built on {job.driver.sdk.package} {job.version or LOCAL}"
    return CannotRun(f"{what}: {happened}{lines}\n{_remedy(job, wrote)}\nThe whole log: {job.log}")


def _remedy(job: _Job, wrote: str) -> str:
    registry, sdk = job.driver.ecosystem, job.driver.sdk
    if re.search(registry.unreachable, wrote):
        return f"{registry.registry} cannot be reached: {registry.hint}. What is in the cache needs no network."
    if re.search(registry.absent, wrote):
        return (
            f"{registry.registry} may have no such release; {sdk.package} {sdk.version} is the one this driver is for."
        )
    return "Mend what the last lines say and run again: what was cut short is built anew."


def _forget(place: Path) -> None:
    """
    Drop builds of other states of the same checkout that nobody used for a day: each edit makes one.
    """
    kind = place.name.rpartition("-")[0]
    for other in place.parent.glob(f"{kind}-*/{DONE}"):
        if other.parent != place and time.time() - other.stat().st_mtime > KEPT:
            shutil.rmtree(other.parent, ignore_errors=True)
            for beside in place.parent.glob(f"{other.parent.name}.*"):
                beside.unlink(missing_ok=True)
