"""
The command line: parse and call, nothing else.

Rule 1: whatever goes wrong ends in a sentence and an exit code, never in a traceback.
Rule 2: what only one command needs is imported by that command; `list` starts in a fifth of a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import spec

from .errors import KitError, UsageError
from .options import addressed, cached, options, reaching, selecting
from .proofs import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORTS = ("junit",)
LISTS = ("rules", "scenarios", "cases", "profiles", "targets", "mutants", "clients", "workers")


class _Group(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            near = spec.nearest(args[0], list(self.commands))
            hint = f" Did you mean {near}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint} There are {', '.join(self.commands)}.", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """
    Tells whether a sidecar keeps the contract of Dapr's workflow management API.
    """


@cli.command("run")
@click.option(
    "--server", default="", metavar="URL", help="The server to check; without one, the reference server is started."
)
@click.option("--grpc", default="", metavar="HOST:PORT", help="Its gRPC port, for the surfaces grpc and taskhub.")
@click.option("--target", default="", metavar="NAME|FILE", help="A target of the kit, or a target file.")
@click.option(
    "--client", "clients", multiple=True, metavar="NAME|CMD", help="An SDK that makes the calls; may be repeated."
)
@click.option("--worker", default="", metavar="NAME|CMD", help="An SDK that hosts the workflows, or builtin.")
@click.option("--control", is_flag=True, help="The server has its control: what clients send is checked too.")
@cached
@selecting
@click.option("-j", "jobs", type=click.IntRange(1, 256), default=None, metavar="N", help="Cases at a time.")
@click.option("-x", "first", is_flag=True, help="Stop at the first failure.")
@click.option("--max-fail", type=click.IntRange(1), default=None, metavar="N", help="Stop after so many failures.")
@click.option(
    "--repeat", type=click.IntRange(1, 10_000), default=1, metavar="N", help="Attempts at each case; all must pass."
)
@click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Shuffles the order; 0 keeps it.")
@reaching
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
    asked = replace(
        options(given),
        max_fail=1 if given["first"] else given["max_fail"] or 0,
        repeat=given["repeat"],
        seed=given["seed"],
        keep=given["keep"],
        expected=given["expected"],
        update=given["update"],
        dry_run=given["dry_run"],
        clients=given["clients"],
        worker=given["worker"],
        cache_dir=given["cache_dir"],
        control=given["control"],
    )
    raise SystemExit(session.run(asked))


@cli.command("list")
@click.argument("what", default="scenarios")
@selecting
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_command(what: str, *, as_json: bool, **given: Any) -> None:
    """
    Show the rules, scenarios, cases, profiles, targets, mutants, clients or workers there are.
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


@cli.command("doctor")
@click.option("--client", default="", metavar="NAME|CMD", help="The client driver to examine.")
@click.option("--worker", default="", metavar="NAME|CMD", help="The worker to examine.")
@addressed
@cached
def doctor_command(client: str, worker: str, *, cache_dir: Path | None, **given: Any) -> None:
    """
    Prove a driver before its SDK is judged: hello, an unknown op, an echo, a clean stop.

    Exit code 0: fit to be trusted. 1: a check failed. 2: wrong options. 3: could not run.
    """
    from . import doctor  # noqa: PLC0415 - rule 2

    if bool(client) == bool(worker):
        raise UsageError("doctor: one driver at a time is examined; --client NAME|CMD or --worker NAME|CMD names it")
    raise SystemExit(doctor.doctor(client or worker, "client" if client else "worker", options(given), cache_dir))


@cli.command("serve", context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve_command(arguments: Sequence[str]) -> None:
    """
    Start the reference server. All options are its own: `serve --help`.
    """
    _become([sys.executable, "-P", "-m", "reference_server", *arguments])


@cli.command(
    "worker", context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def worker_command(arguments: Sequence[str]) -> None:
    """
    Host the kit workflows for a sidecar. All options are its own: `worker --help`.
    """
    from . import worker  # noqa: PLC0415 - rule 2

    _become(worker.command(arguments))


def _become(command: list[str]) -> NoReturn:
    """
    Let a command take our place.
    """
    if os.name == "posix":
        os.execv(sys.executable, command)  # noqa: S606 - it takes our place, and with it our signals
    raise SystemExit(subprocess.run(command, check=False).returncode)  # noqa: S603


for _command in COMMANDS:
    cli.add_command(_command)


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


def _known_reports(asked: Sequence[str]) -> None:
    for name in (one for group in asked for one in group.split(",")):
        if name not in REPORTS:
            raise UsageError(f"--report {name}: no such report; there is {', '.join(REPORTS)}")
