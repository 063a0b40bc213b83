"""
What several commands take: the types of options, the options, and what a run makes of them.

Rule 1: nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from .session import Options

PHASES = ("examples", "coverage", "fuzzing", "stateful")
"""What Schemathesis can do."""


class Pair(click.ParamType[tuple[str, str]]):
    """
    A name and a value: NAME=VALUE.
    """

    name = "K=V"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """
        The value; fails with what was expected.
        """
        key, sign, content = str(value).partition("=")
        token = all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in key) and key.isascii()
        if not sign or not key or not token or any(char in content for char in "\r\n\0"):
            self.fail("NAME=VALUE of one line is expected", param, ctx)
        return key, content


class Shard(click.ParamType[tuple[int, int]]):
    """
    A part of the cases: i/n.
    """

    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """
        The value; fails with what was expected.
        """
        if isinstance(value, tuple):
            return value
        first, _, count = str(value).partition("/")
        if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
            self.fail(f"{value!r}: a shard such as 1/3 is expected, from 1/n to n/n", param, ctx)
        return int(first), int(count)


class Scale(click.ParamType[float]):
    """
    A number above 0.
    """

    name = "X"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """
        The value; fails with what was expected.
        """
        try:
            scale = float(value)
        except ValueError:
            scale = 0.0
        if not (math.isfinite(scale) and scale > 0):
            self.fail(f"{value!r}: a number above 0 is expected", param, ctx)
        return scale


class Phases(click.ParamType[tuple[str, ...]]):
    """
    Phases of Schemathesis, with commas.
    """

    name = "P,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """
        The value; fails with what was expected.
        """
        found = tuple(value.split(",")) if isinstance(value, str) else tuple(value)
        unknown = [one for one in found if one not in PHASES]
        if unknown:
            self.fail(f"{unknown[0]!r}: there are {', '.join(PHASES)}", param, ctx)
        return found


def selecting(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    The options that narrow what is planned.
    """
    for option in reversed(
        (
            click.option(
                "--profile",
                default="",
                metavar="P",
                help=f"What the server is held to; {spec.DEFAULT_PROFILE} by default.",
            ),
            click.option(
                "--surface", "surface", multiple=True, metavar="S", help="Surfaces, as globs: http/v1.0, grpc, taskhub."
            ),
            click.option(
                "-k", "names", multiple=True, metavar="GLOB", help="Cases, scenarios or areas; !GLOB leaves out."
            ),
            click.option(
                "--rule", "rules", multiple=True, metavar="ID", help="Cases with a check that carries this rule."
            ),
            click.option("--tag", "tags", multiple=True, metavar="T", help="Cases with this tag."),
            click.option("--shard", type=Shard(), default=(1, 1), help="Part i of n of the cases, always the same."),
            click.option(
                "--scenarios", type=click.Path(path_type=Path), help="A folder of scenarios instead of the kit's."
            ),
        )
    ):
        command = option(command)
    return command


def reaching(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    The options that say how to reach a server.
    """
    for option in reversed(
        (
            click.option(
                "--time-scale", "scale", type=Scale(), default=1.0, help="Multiplies every wait and deadline."
            ),
            click.option(
                "--api-token",
                envvar="DAPR_API_TOKEN",
                default="",
                metavar="T",
                help="Sent as dapr-api-token. [env: DAPR_API_TOKEN]",
            ),
            click.option("--header", "headers", type=Pair(), multiple=True, help="Sent with every request."),
            click.option(
                "--ca",
                type=click.Path(exists=True, dir_okay=False),
                default=None,
                metavar="FILE",
                help="Certificates to trust for https.",
            ),
            click.option(
                "--component", default="", metavar="NAME", help="Name of the workflow component; dapr by default."
            ),
            click.option(
                "--out",
                type=click.Path(path_type=Path, file_okay=False),
                default=Path("reports"),
                metavar="DIR",
                help="Where the record and the reports go; ./reports by default.",
            ),
        )
    ):
        command = option(command)
    return command


def addressed(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    The options that say which server, for a command that does not run the cases of the kit.
    """
    for option in reversed(
        (
            click.option("--server", default="", metavar="URL", help="The server; without one, the reference server."),
            click.option("--grpc", default="", metavar="HOST:PORT", help="Its gRPC port."),
            click.option("--target", default="", metavar="NAME|FILE", help="A target of the kit, or a target file."),
            click.option("--profile", default="", metavar="P", help="What the server is held to."),
        )
    ):
        command = option(command)
    return reaching(command)


def cached(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    The option that says where drivers are built.
    """
    return click.option(
        "--cache-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        envvar="WORKFLOW_CONFORMANCE_CACHE",
        metavar="DIR",
        help="Where drivers are built; the platform's cache by default. [env: WORKFLOW_CONFORMANCE_CACHE]",
    )(command)


def side_by_side() -> int:
    """
    How much runs at a time unless somebody says so: most of it waits, so that a core carries sixteen.
    """
    return min(32, 16 * (os.cpu_count() or 1))


def options(given: dict[str, Any]) -> Options:
    """
    What a command that asks a server was given; from here on SIGTERM ends cleanly, as Ctrl-C does.
    """
    from .plan import Selection  # noqa: PLC0415 - rule 1
    from .session import Options  # noqa: PLC0415 - rule 1

    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, _interrupt)
    narrowed = Selection()
    if "names" in given:
        narrowed = Selection(given["surface"], given["names"], given["rules"], given["tags"], given["shard"])
    return Options(
        server=given.get("server", ""),
        grpc=given.get("grpc") or "",
        target=given.get("target", ""),
        profile=given["profile"],
        selection=narrowed,
        jobs=given.get("jobs") or side_by_side(),
        scale=given["scale"],
        token=given["api_token"],
        headers=dict(given["headers"]),
        ca=given["ca"] or "",
        component=given["component"],
        scenarios=given.get("scenarios"),
        out=given["out"],
    )


def _interrupt(number: int, frame: Any) -> None:
    del number, frame
    raise KeyboardInterrupt
