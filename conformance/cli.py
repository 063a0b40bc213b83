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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import spec

from .errors import KitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPORTS = ("junit",)
LISTS = ("rules", "scenarios", "cases", "profiles", "targets", "mutants")


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
    The options that say which server to ask, and how.
    """
    for option in reversed(
        (
            click.option("--server", default="", metavar="URL", help="The server; without one, the reference server."),
            click.option("--target", default="", metavar="NAME|FILE", help="A target of the kit, or a target file."),
            click.option("--profile", default="", metavar="P", help="What the server is held to."),
            click.option("--time-scale", "scale", type=_Scale(), default=1.0, help="Multiplies every wait."),
            click.option(
                "--api-token", "token", envvar="DAPR_API_TOKEN", default="", metavar="T", help="Sent as dapr-api-token."
            ),
            click.option("--header", "headers", type=_Pair(), multiple=True, help="Sent with every request."),
            click.option(
                "--ca", type=click.Path(exists=True, dir_okay=False), default=None, metavar="FILE", help="For https."
            ),
            click.option("--component", default="", metavar="NAME", help="Name of the workflow component."),
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
@click.option("--time-scale", "scale", type=_Scale(), default=1.0, help="Multiplies every wait and deadline.")
@click.option(
    "--api-token",
    envvar="DAPR_API_TOKEN",
    default="",
    metavar="T",
    help="Sent as dapr-api-token. [env: DAPR_API_TOKEN]",
)
@click.option("--header", "headers", type=_Pair(), multiple=True, help="Sent with every request.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False),
    default=None,
    metavar="FILE",
    help="Certificates to trust for https.",
)
@click.option("--component", default="", metavar="NAME", help="Name of the workflow component; dapr by default.")
@click.option("--keep", is_flag=True, help="Leave the instances where they are.")
@click.option(
    "--expected-failures", "expected", type=click.Path(path_type=Path), metavar="FILE", help="What is known to fail."
)
@click.option("--update", is_flag=True, help="Write that file as this run would have it.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    metavar="DIR",
    help="Where the record and the reports go; ./reports by default.",
)
@click.option("--report", "reports", multiple=True, metavar="NAME", help=f"Reports to write: {', '.join(REPORTS)}.")
@click.option("--dry-run", is_flag=True, help="Show the plan and send nothing.")
def run_command(**given: Any) -> None:
    """
    Run the scenarios against a server.

    Exit code 0: conformant. 1: not conformant. 2: wrong options or files. 3: could not run.
    """
    from . import session  # noqa: PLC0415 - rule 2

    _known_reports(given["reports"])
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, _interrupt)
    options = session.Options(
        server=given["server"],
        target=given["target"],
        profile=given["profile"],
        selection=_selection(given),
        jobs=given["jobs"] or min(32, 16 * (os.cpu_count() or 1)),
        max_fail=1 if given["first"] else given["max_fail"] or 0,
        repeat=given["repeat"],
        seed=given["seed"],
        scale=given["scale"],
        token=given["api_token"],
        headers=dict(given["headers"]),
        ca=given["ca"] or "",
        component=given["component"],
        keep=given["keep"],
        scenarios=given["scenarios"],
        expected=given["expected"],
        update=given["update"],
        out=given["out"],
        dry_run=given["dry_run"],
    )
    raise SystemExit(session.run(options))


@cli.command("walk")
@_reaching
@click.option("--surface", default="", metavar="S", help="The surface to walk on; http/v1.0 by default.")
@click.option("--seed", type=click.IntRange(0), default=1, metavar="N", help="The same seed draws the same moves.")
@click.option("--steps", type=click.IntRange(1), default=1000, metavar="N", help="Moves of a walk; 1000 by default.")
@click.option("--walks", type=click.IntRange(1), default=1, metavar="N", help="Walks, each until it finds something.")
@click.option("--parallel", type=click.IntRange(1, 16), default=1, metavar="N", help="Threads that ask at once.")
@click.option("--time", "seconds", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Stop after so long.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    metavar="DIR",
    help="Where the scenarios of what was found go; ./reports by default.",
)
def walk_command(**given: Any) -> None:
    """
    Walk a server at random, with the state table as the oracle.

    What is found is shrunk and written as a scenario that `run --scenarios` accepts. With --parallel, the histories of
    operations that overlap are checked for an order that explains them.

    Exit code 0: nothing found. 1: a rule is broken. 2: wrong options. 3: could not run.
    """
    from .walk.session import Asked, walk  # noqa: PLC0415 - rule 2

    own = {key: given.pop(key) for key in ("surface", "seed", "steps", "walks", "parallel", "seconds", "out")}
    raise SystemExit(walk(Asked(_reached(given), **own)))


@cli.command("minimize")
@click.argument("scenario", type=click.Path(path_type=Path))
@_reaching
@click.option("--surface", default="", metavar="S", help="The surface it fails on; http/v1.0 by default.")
@click.option("--rule", default="", metavar="ID", help="The rule it fails under; the first one by default.")
@click.option(
    "-o", "output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there too."
)
def minimize_command(scenario: Path, surface: str, rule: str, output: Path | None, **given: Any) -> None:
    """
    Reduce a failing scenario to the least that still fails under the same rule.

    Exit code 0: done. 2: wrong options, or it does not fail. 3: could not run.
    """
    from .minimize import minimize  # noqa: PLC0415 - rule 2

    raise SystemExit(minimize(scenario, _reached(given), rule, surface, output))


@cli.command("list")
@click.argument("what", default="scenarios")
@_selecting
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_command(what: str, *, as_json: bool, **given: Any) -> None:
    """
    Show the rules, scenarios, cases, profiles, targets or mutants there are.
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


@cli.command("mutants")
@click.option("--mutant", "globs", multiple=True, metavar="GLOB", help="Which; all by default.")
@click.option("-j", "jobs", type=click.IntRange(1, 256), default=32, metavar="N", help="Mutants at a time.")
@click.option("--check", is_flag=True, help="Write nothing; fail where reports/mutants.md is not what comes out.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("reports"), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the case that killed each mutant.")
def mutants_command(*, globs: Sequence[str], jobs: int, check: bool, out: Path, as_json: bool) -> None:
    """
    Prove that every check can fail: run the cases against servers that are wrong in one way each.

    Exit code 0: each is killed by a check that carries a rule it breaks. 1: one is not. 3: a control was wrong.
    """
    from . import kills  # noqa: PLC0415 - rule 2

    raise SystemExit(kills.prove(globs, jobs, out, check=check, as_json=as_json))


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


def _selection(given: dict[str, Any]) -> Any:
    from .plan import Selection  # noqa: PLC0415 - rule 2

    return Selection(given["surface"], given["names"], given["rules"], given["tags"], given["shard"])


def _reached(given: dict[str, Any]) -> Any:
    """
    The options of `_reaching`, as a run has them; from here on SIGTERM ends cleanly, as Ctrl-C does.
    """
    from .session import Options  # noqa: PLC0415 - rule 2

    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, _interrupt)
    return Options(**{**given, "headers": dict(given["headers"]), "ca": given["ca"] or ""})


def _known_reports(asked: Sequence[str]) -> None:
    for name in (one for group in asked for one in group.split(",")):
        if name not in REPORTS:
            raise UsageError(f"--report {name}: no such report; there is {', '.join(REPORTS)}")


def _interrupt(number: int, frame: Any) -> None:
    del number, frame
    raise KeyboardInterrupt
