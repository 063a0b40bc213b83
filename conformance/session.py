"""
Puts a run together: files, target, connection, plan, cases, record, reports. The one place that builds things.

Rule 1: everything that can be wrong with what the user gave is found before anything is started or written.
Rule 2: once the record is open, it ends with a footer, whatever happens.
"""

from __future__ import annotations

import os
import platform
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import spec

from . import known, load, target, worker
from .case import CLEANING, Facts, sweep
from .connection import DEADLINE
from .console import console
from .contract import Contract
from .errors import BadFiles, CannotRun, KitError, UsageError
from .identity import Allocator, Tokens, run_token
from .plan import Plan, Selection, plan, surfaces
from .preflight import PROBE, alive, holds, preflight
from .provenance import kit_version, spec_sha256
from .record import Record, Redactor, stream
from .report import junit
from .report.text import clean
from .run import Emitter, Run, Settings, could_not
from .shape import meant
from .talk import Server, Talk
from .wires import Wires, addressed, asks, version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .calls import Asks
    from .exchange import Observation, Request
    from .talk import Event
    from .target import Target

TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the name of a header
SENSITIVE = ("auth", "token", "key", "secret", "cookie", "password")
LONG_ENOUGH = 8
"""From this length on, the value of a header the user gives is kept out of the record, whatever its name."""


@dataclass(frozen=True, slots=True)
class Options:
    """
    What the command line asks for.
    """

    server: str = ""
    grpc: str = ""
    target: str = ""
    profile: str = ""
    selection: Selection = field(default_factory=Selection)
    jobs: int = 1
    max_fail: int = 0
    repeat: int = 1
    seed: int = 0
    scale: float = 1.0
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str = ""
    component: str = ""
    keep: bool = False
    scenarios: Path | None = None
    expected: Path | None = None
    update: bool = False
    out: Path = Path("reports")
    dry_run: bool = False
    worker: str = ""
    deadline: float = DEADLINE


def run(options: Options) -> int:
    """
    The whole of `workflow-conformance run`; the exit code.
    """
    chosen, token = reached(options)
    held = profile(chosen.profile)
    contract = Contract(held.openapi)
    scenarios = load.scenarios(options.scenarios)
    capabilities = chosen.capable(token=bool(token))
    planned = plan(
        scenarios,
        held,
        contract,
        options.selection,
        capabilities,
        only_required=chosen.only_required,
        ports=chosen.ports,
    )
    expected = _expected(options, chosen)
    addressed(chosen, options.ca)
    worker.fits(options.worker, chosen)
    _not_empty(planned, options)
    if options.dry_run:
        _tell(planned, chosen)
        return 0
    secret = [token, *hidden({**chosen.headers, **options.headers})]
    session = _Session(options, chosen, held, contract, planned, expected, token)
    path = options.out / "run.jsonl"
    try:
        with Record(path, secret) as record, console(sys.stdout, live=sys.stdout.isatty()) as screen:
            footer = session.go(Emitter(record.write, lambda event: screen(session.redactor.value(event))))
        junit.write(stream(path), options.out / "junit.xml")
    except OSError as error:
        raise CannotRun(f"--out {options.out}: cannot be written: {error.strerror or error}") from None
    if options.update and options.expected:
        _update(options.expected, session)
    return int(footer["exit"])


def follow(  # noqa: PLR0913, PLR0917 - what a run is put together from
    options: Options,
    started: Target,
    held: spec.Spec,
    planned: Plan,
    token: str,
    sink: Callable[[Event], None],
    stop: threading.Event,
) -> Mapping[str, Any]:
    """
    Execute a plan against a server and tell every event to `sink`, until `stop` is set; the footer.
    """
    expected = known.ExpectedFailures(today=datetime.now(UTC).date())
    session = _Session(options, started, held, Contract(held.openapi), planned, expected, token)
    session.stop = stop
    return session.go(Emitter(sink))


def profile(name: str) -> spec.Spec:
    """
    The spec under a profile. Raises UsageError where there is none of this name.
    """
    if name not in spec.profiles():
        names = ", ".join(spec.profiles())
        raise UsageError(f"--profile {name}: no such profile; there are {names}{meant(name, spec.profiles())}")
    return spec.load(name)


class _Session:
    def __init__(  # noqa: PLR0913, PLR0917 - what a run is put together from
        self,
        options: Options,
        chosen: Target,
        held: spec.Spec,
        contract: Contract,
        planned: Plan,
        expected: known.ExpectedFailures,
        token: str,
    ) -> None:
        self.options, self.target, self.held, self.contract = options, chosen, held, contract
        self.plan, self.expected, self._token = planned, expected, token
        self.redactor = Redactor([token, *hidden({**chosen.headers, **options.headers})])
        self.version = chosen.runtime
        self.stop = threading.Event()
        self._tokens = Tokens(run_token(secrets.choice))
        self.run: Run | None = None

    def go(self, emit: Emitter) -> Mapping[str, Any]:
        """
        From header to footer.
        """
        try:
            with (
                target.running(self.target) as started,
                worker.working(self.options.worker, started, self._token, self.options.ca),
            ):
                return self._against(started, emit)
        except KitError as error:
            reason = could_not(error)
            click.echo("\n".join(map(clean, self.redactor.text(f"error: {error}").split("\n"))), err=True)
        except KeyboardInterrupt:
            reason = "interrupted"
        return (self.run or self._begin(emit, self.target)).finish(reason)

    def _against(self, started: Target, emit: Emitter) -> Mapping[str, Any]:
        wires = wired(started, self.options, self._token)
        self.version = self.version or version(wires, self.contract, PROBE * self.options.scale)
        run = self._begin(emit, started)
        calls = asks(surfaces(self.contract), self.contract, wires, started)
        scale = self.options.scale
        first = [calls[name] for name in self._first_of_each_kind()]
        url = " and ".join(dict.fromkeys(one.url for one in first))
        server = Server(wires, self.contract, url, emit, lambda: True, scale=scale, asks=calls, stop=self.stop)
        ask = asking(server, first[0])
        server.probe = lambda: all(alive(ask, one, self._tokens.next() + "-probe", scale) for one in first)
        server.restart = lambda: _restart(started, server.probe, scale)
        try:
            for one in first:
                name, capable = self._tokens.next() + "-preflight", started.capabilities
                preflight(
                    ask, one, self.held.machine, capable, name, scale, starts=one is first[0] or not holds(capable)
                )
            return run.execute(server, calls, self._facts(ask, first[0]))
        finally:
            wires.close()

    def _first_of_each_kind(self) -> list[str]:
        """
        One surface of each kind that a case of the plan is on.
        """
        kinds = {case.surface.kind: case.surface.name for case in reversed(self.plan.cases)}
        return list(kinds.values())[::-1]

    def _begin(self, emit: Emitter, started: Target) -> Run:
        options = self.options
        settings = Settings(
            jobs=options.jobs,
            repeat=options.repeat,
            max_fail=options.max_fail,
            seed=options.seed,
            target=started.name,
            version=self.version,
            narrowed=options.selection.narrows or started.only_required or options.scenarios is not None,
        )
        self.run = Run(self.plan, self.held, self.expected, settings, emit)
        emit(self._header(started))
        self.run.announce()
        return self.run

    def _facts(self, ask: Callable[..., Observation], calls: Asks) -> Facts:
        states = self.held.machine.states.values()
        ended = frozenset(word for state in states if state.terminal for word in state.reported.values())
        wait = CLEANING * self.options.scale
        allocator = Allocator(lambda identity: sweep(ask, calls, identity, ended, wait))
        return Facts(allocator, self._tokens.next, ended, self.options.keep)

    def _header(self, started: Target) -> dict[str, Any]:
        options = self.options
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
                "version": self.version,
            },
            "profile": self.held.profile.name,
            "surfaces": list(self.plan.surfaces),
            "seed": options.seed,
            "token": self._tokens.run,
            "repeat": options.repeat,
            "jobs": options.jobs,
            "time_scale": options.scale,
            "command": sys.argv[1:],
            "out": str(options.out),
        }


def reached(options: Options) -> tuple[Target, str]:
    """
    The target with what the options change about it, and the API token.
    """
    addresses = {"server": options.server, "grpc": options.grpc}
    if options.target or not any(addresses.values()):
        chosen = target.load(options.target or target.DEFAULT)
    else:
        chosen = target.Target(name="server", title=options.server or options.grpc)
    changes: dict[str, Any] = {}
    if any(addresses.values()):
        changes |= {**addresses, "start": ()}
    if options.profile:
        changes["profile"] = options.profile
    if options.component:
        changes["component"] = options.component
    token = options.token or (os.environ.get(chosen.api_token_env, "") if chosen.api_token_env else "")
    if any(char in token for char in "\r\n\0"):
        raise UsageError("--api-token: a token is one line")
    return replace(chosen, **changes), token


def endpoint(started: Target, token: str) -> dict[str, str]:
    """
    Where a driver finds the sidecar, as its hello says it.
    """
    places = {"http": started.server, "grpc": started.grpc, "token": token}
    return {name: place for name, place in places.items() if place}


def wired(started: Target, options: Options, token: str) -> Wires:
    """
    The connections to a target that is running.
    """
    headers = {**started.headers, **options.headers, **({TOKEN_HEADER: token} if token else {})}
    deadline = options.deadline * options.scale
    return Wires(started.server, started.grpc, headers=headers, ca=options.ca, deadline=deadline)


def _expected(options: Options, chosen: Target) -> known.ExpectedFailures:
    today = datetime.now(UTC).date()
    path = options.expected or (Path(chosen.expected_failures) if chosen.expected_failures else None)
    if path is None:
        if options.update:
            raise UsageError("--update: say which file with --expected-failures FILE")
        return known.ExpectedFailures(today=today)
    if options.update and not path.exists():
        return known.ExpectedFailures(today=today)
    return _load_expected(path, today)


def _load_expected(path: Path, today: date) -> known.ExpectedFailures:
    try:
        return known.load(path, today=today)
    except spec.BadFile as error:
        raise BadFiles([str(error)]) from None


def _update(path: Path, session: _Session) -> None:
    assert session.run is not None  # noqa: S101 - it has ended
    tally = session.run.tally
    passed = [name for name, results in tally.results.items() if set(results) <= {"pass", "unexpected_pass"}]
    complete = not session.options.selection.narrows and all(
        "not_run" not in results for results in tally.results.values()
    )
    text = session.expected.updated(
        tally.failed, passed, target=session.target.name, version=session.version, filtered=not complete
    )
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path} written")


def _not_empty(planned: Plan, options: Options) -> None:
    if planned.count:
        return
    if planned.unsupported:
        raise UsageError(
            f"every case that is selected needs what the target does not claim: {planned.unsupported[0][1]}; "
            "a target file says what it is capable of"
        )
    narrowed = "no case is selected; `workflow-conformance list cases` shows their names"
    raise UsageError(narrowed if planned.filtered else f"there is no scenario in {options.scenarios or 'the kit'}")


def _tell(planned: Plan, chosen: Target) -> None:
    for case in planned.cases:
        click.echo(f"{case.name}  {len(case.checks)} checks")
    for name, reason in planned.unsupported:
        click.echo(f"{name}  unsupported: {reason}")
    click.echo(
        f"{len(planned.cases)} cases, {planned.count} checks, {len(planned.unsupported)} unsupported, "
        f"{planned.filtered} filtered; target {chosen.name}, profile {chosen.profile}; nothing was sent"
    )


def hidden(headers: Mapping[str, str]) -> list[str]:
    """
    The values of headers that no record may hold.
    """
    return [
        value
        for name, value in headers.items()
        if len(value) >= LONG_ENOUGH or any(word in name.lower() for word in SENSITIVE)
    ]


def asking(server: Server, calls: Asks) -> Callable[..., Observation]:
    """
    Exchanges that belong to no case, recorded all the same.
    """
    talk = Talk(server, calls, "", 1, 0.0)

    def ask(request: Request, deadline: float = PROBE) -> Observation:
        saw = server.connection.ask(request, deadline)
        server.emit(talk.event(saw, 0))
        return saw

    return ask


def _restart(started: Target, answers: Callable[[], bool], scale: float) -> None:
    """
    Restart the server, and wait until it answers again.
    """
    target.restart(started, deadline=target.READY * max(scale, 1.0))
    until = time.monotonic() + target.READY * scale
    while not answers():
        if time.monotonic() > until:
            raise CannotRun(f"{started.server} does not answer after its restart")
        time.sleep(0.1)
