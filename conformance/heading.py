"""
What a run says of itself before it asks anything: its header, its plan on a dry run, and that there is none.
"""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from .errors import UsageError
from .provenance import kit_version, spec_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .plan import Plan
    from .run import Settings
    from .target import Target


def header(  # noqa: PLR0913 - each is a fact of the run
    started: Target,
    planned: Plan,
    settings: Settings,
    *,
    profile: str,
    token: str,
    scale: float,
    out: str,
    sdks: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """
    The first event of a run.
    """
    return {
        "event": "header",
        "version": 1,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "kit": {"version": kit_version(), "spec_sha256": spec_sha256()},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "target": {
            "name": started.name,
            "server": started.server,
            **({"grpc": started.grpc} if started.grpc else {}),
            "version": settings.version,
        },
        **({"sdks": list(sdks)} if sdks else {}),
        "profile": profile,
        "surfaces": list(planned.surfaces),
        "seed": settings.seed,
        "token": token,
        "repeat": settings.repeat,
        "jobs": settings.jobs,
        "time_scale": scale,
        "command": sys.argv[1:],
        "out": out,
    }


def not_empty(planned: Plan, folder: object) -> None:
    """
    Raises UsageError where a plan has nothing to execute, with why.
    """
    if planned.count:
        return
    if planned.unsupported:
        raise UsageError(
            f"every case that is selected needs what the target does not claim: {planned.unsupported[0][1]}; "
            "a target file says what it is capable of"
        )
    narrowed = "no case is selected; `workflow-conformance list cases` shows their names"
    raise UsageError(narrowed if planned.filtered else f"there is no scenario in {folder or 'the kit'}")


def tell(planned: Plan, chosen: Target) -> None:
    """
    Show a plan instead of executing it.
    """
    for case in planned.cases:
        click.echo(f"{case.name}  {len(case.checks)} checks")
    for name, reason in planned.unsupported:
        click.echo(f"{name}  unsupported: {reason}")
    click.echo(
        f"{len(planned.cases)} cases, {planned.count} checks, {len(planned.unsupported)} unsupported, "
        f"{planned.filtered} filtered; target {chosen.name}, profile {chosen.profile}; nothing was sent"
    )
