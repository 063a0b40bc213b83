"""
The command line: parse and call, nothing else.

Rule 1: whatever goes wrong ends in a sentence and an exit code, never in a traceback.
Rule 2: what only one command needs is imported by that command; `list` starts in a fifth of a second.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import spec

from .errors import KitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .session import Options

REPORTS = ("junit",)
PHASES = ("examples", "coverage", "fuzzing", "stateful")
LISTS = ("rules", "scenarios", "cases", "profiles", "targets")


class _Group(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            near = spec.nearest(args[0], list(self.commands))
            hint = f" Did you mean {near}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint} There are {', '.join(self.commands)}.", ctx)
        return super().resolve_command(ctx, args)


class _Pair(click.ParamType[tuple[str, str]]):
    name = "K=V"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        key, sign, content = str(value).partition("=")
        token = all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in key) and key.isascii()
        if not sign or not key or not token or any(char in content for char in "\r\n\0"):
            self.fail("NAME=VALUE of one line is expected", param, ctx)
        return key, content


class _Shard(click.ParamType[tuple[int, int]]):
    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        first, _, count = str(value).partition("/")
        if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
            self.fail(f"{value!r}: a shard such as 1/3 is expected, from 1/n to n/n", param, ctx)
        return int(first), int(count)


class _Scale(click.ParamType[float]):
    name = "X"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            scale = float(value)
        except ValueError:
            scale = 0.0
        if not (math.isfinite(scale) and scale > 0):
            self.fail(f"{value!r}: a number above 0 is expected", param, ctx)
        return scale


class _Phases(click.ParamType[tuple[str, ...]]):
    name = "P,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        found = tuple(value.split(",")) if isinstance(value, str) else tuple(value)
        unknown = [one for one in found if one not in PHASES]
        if unknown:
            self.fail(f"{unknown[0]!r}: there are {', '.join(PHASES)}", param, ctx)
        return found


def _selecting(command: Callable[..., Any]) -> Callable[..., Any]:
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
            click.option("--surface", "surface", multiple=True, metavar="S", help="Surfaces, as globs: http/v1.0."),
            click.option(
                "-k", "names", multiple=True, metavar="GLOB", help="Cases, scenarios or areas; !GLOB leaves out."
            ),
            click.option(
                "--rule", "rules", multiple=True, metavar="ID", help="Cases with a check that carries this rule."
            ),
            click.option("--tag", "tags", multiple=True, metavar="T", help="Cases with this tag."),
            click.option("--shard", type=_Shard(), default=(1, 1), help="Part i of n of the cases, always the same."),
            click.option(
                "--scenarios", type=click.Path(path_type=Path), help="A folder of scenarios instead of the kit's."
            ),
        )
    ):
        command = option(command)
    return command


def _reaching(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    The options that say how to reach a server.
    """
    for option in reversed(
        (
            click.option(
                "--time-scale", "scale", type=_Scale(), default=1.0, help="Multiplies every wait and deadline."
            ),
            click.option(
                "--api-token",
                envvar="DAPR_API_TOKEN",
                default="",
                metavar="T",
                help="Sent as dapr-api-token. [env: DAPR_API_TOKEN]",
            ),
            click.option("--header", "headers", type=_Pair(), multiple=True, help="Sent with every request."),
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


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """
    Tells whether a sidecar keeps the contract of Dapr's workflow management API.
    """


@cli.command("run")
@click.option(
    "--server", default="", metavar="URL", help="The server to check; without one, the reference server is started."
)
@click.option("--target", default="", metavar="NAME|FILE", help="A target of the kit, or a target file.")
@_selecting
@click.option("-j", "jobs", type=click.IntRange(1, 256), default=None, metavar="N", help="Cases at a time.")
@click.option("-x", "first", is_flag=True, help="Stop at the first failure.")
@click.option("--max-fail", type=click.IntRange(1), default=None, metavar="N", help="Stop after so many failures.")
@click.option(
    "--repeat", type=click.IntRange(1, 10_000), default=1, metavar="N", help="Attempts at each case; all must pass."
)
@click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Shuffles the order; 0 keeps it.")
@_reaching
@click.option("--keep", is_flag=True, help="Leave the instances where they are.")
@click.option(
    "--expected-failures", "expected", type=click.Path(path_type=Path), metavar="FILE", help="What is known to fail."
)
@click.option("--update", is_flag=True, help="Write that file as this run would have it.")
@click.option("--report", "reports", multiple=True, metavar="NAME", help=f"Reports to write: {', '.join(REPORTS)}.")
@click.option("--dry-run", is_flag=True, help="Show the plan and send nothing.")
def run_command(**given: Any) -> None:
    """
    Run the scenarios against a server.

    Exit code 0: conformant. 1: not conformant. 2: wrong options or files. 3: could not run.
    """
    from . import session  # noqa: PLC0415 - rule 2

    _known_reports(given["reports"])
    _interruptible()
    options = replace(
        _options(given),
        server=given["server"],
        target=given["target"],
        max_fail=1 if given["first"] else given["max_fail"] or 0,
        repeat=given["repeat"],
        seed=given["seed"],
        keep=given["keep"],
        expected=given["expected"],
        update=given["update"],
        dry_run=given["dry_run"],
    )
    raise SystemExit(session.run(options))


@cli.command("diff-run")
@click.argument("a")
@click.argument("b")
@_selecting
@click.option("-j", "jobs", type=click.IntRange(1, 256), default=None, metavar="N", help="Cases at a time, on each.")
@_reaching
def diff_run_command(a: str, b: str, **given: Any) -> None:
    """
    Run the same cases against two servers and show only where they differ.

    A and B are addresses, or names or files of targets. Each difference says whether a rule of the spec speaks of it,
    and who keeps that rule; --profile says which spec, A's own by default. Exit code 0: no difference. 1: differences.
    2: wrong options or files. 3: a side could not run.
    """
    from . import diffrun  # noqa: PLC0415 - rule 2

    _interruptible()
    raise SystemExit(diffrun.run(_options(given), a, b))


@cli.command("fuzz")
@click.option(
    "--server", default="", metavar="URL", help="The server to check; without one, the reference server is started."
)
@click.option("--target", default="", metavar="NAME|FILE", help="A target of the kit, or a target file.")
@click.option("--profile", default="", metavar="P", help="What the server is held to.")
@click.option("--seed", type=click.IntRange(1), default=1, metavar="N", help="Of all that is generated; 1 by default.")
@click.option("--phases", type=_Phases(), default="coverage,stateful", help="Of Schemathesis: coverage,stateful.")
@click.option(
    "--max-examples", "examples", type=click.IntRange(1), default=50, metavar="N", help="Per operation; 50 by default."
)
@click.option("-j", "jobs", type=click.IntRange(1, 256), default=None, metavar="N", help="Named cases at a time.")
@_reaching
def fuzz_command(seed: int, phases: tuple[str, ...], examples: int, **given: Any) -> None:
    """
    Send generated requests: negative cases by name, then Schemathesis with the state table as a check.

    Needs the extra: pip install 'workflow-conformance[fuzz]'. The named cases are recorded and reported as those of
    `run`, their scenarios are written beside the record. Exit code 0: conformant. 1: not conformant. 2: wrong options,
    or the extra is missing. 3: could not run.
    """
    from .fuzzing import command  # noqa: PLC0415 - rule 2

    _interruptible()
    nothing = {"surface": ("http/v1.0",), "names": (), "rules": (), "tags": (), "shard": (1, 1), "scenarios": None}
    options = replace(_options({**nothing, **given}), server=given["server"], target=given["target"])
    raise SystemExit(command.run(options, command.Fuzzing(seed, phases, examples)))


@cli.command("list")
@click.argument("what", default="scenarios")
@_selecting
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_command(what: str, *, as_json: bool, **given: Any) -> None:
    """
    Show the rules, scenarios, cases, profiles or targets there are.
    """
    from . import listing  # noqa: PLC0415 - rule 2

    if what not in LISTS:
        near = spec.nearest(what, LISTS)
        raise UsageError(f"list {what}: there are {', '.join(LISTS)}{f'; did you mean {near}?' if near else ''}")
    if given["profile"] and given["profile"] not in spec.profiles():
        near = spec.nearest(given["profile"], spec.profiles())
        hint = f"; did you mean {near}?" if near else ""
        raise UsageError(f"--profile {given['profile']}: there are {', '.join(spec.profiles())}{hint}")
    asked = listing.Asked(given["profile"] or spec.DEFAULT_PROFILE, given["scenarios"], given)
    listing.show(what, asked, as_json=as_json)


@cli.command("serve", context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve_command(arguments: Sequence[str]) -> None:
    """
    Start the reference server. All options are its own: `serve --help`.
    """
    command = [sys.executable, "-P", "-m", "reference_server", *arguments]
    if os.name == "posix":
        os.execv(sys.executable, command)  # noqa: S606 - it takes our place, and with it our signals
    raise SystemExit(subprocess.run(command, check=False).returncode)  # noqa: S603


def main() -> None:
    """
    The console script.
    """
    try:
        code = cli.main(prog_name="workflow-conformance", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KitError, spec.SpecError) as error:
        click.echo(f"error: {error}" if "\n" not in str(error) else str(error), err=True)
        sys.exit(getattr(error, "code", 2))
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(3)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(3)
    except Exception as error:  # noqa: BLE001 - rule 1
        click.echo(f"error: the kit itself failed: {type(error).__name__}: {error}\nPlease report this.", err=True)
        sys.exit(3)


def _options(given: dict[str, Any]) -> Options:
    """
    What every command that runs cases is given.
    """
    from . import session  # noqa: PLC0415 - rule 2

    return session.Options(
        profile=given["profile"],
        selection=_selection(given),
        jobs=given["jobs"] or min(32, 16 * (os.cpu_count() or 1)),
        scale=given["scale"],
        token=given["api_token"],
        headers=dict(given["headers"]),
        ca=given["ca"] or "",
        component=given["component"],
        scenarios=given["scenarios"],
        out=given["out"],
    )


def _selection(given: dict[str, Any]) -> Any:
    from .plan import Selection  # noqa: PLC0415 - rule 2

    return Selection(given["surface"], given["names"], given["rules"], given["tags"], given["shard"])


def _known_reports(asked: Sequence[str]) -> None:
    for name in (one for group in asked for one in group.split(",")):
        if name not in REPORTS:
            raise UsageError(f"--report {name}: no such report; there is {', '.join(REPORTS)}")


def _interruptible() -> None:
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: Any) -> None:
    del number, frame
    raise KeyboardInterrupt
