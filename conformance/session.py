"""
Puts a run together: files, target, connection, plan, cases, record, reports. The one place that builds things.

Rule 1: everything that can be wrong with what the user gave is found before anything is started or written.
Rule 2: once the record is open, it ends with a footer, whatever happens.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import spec

from . import known, load, target, worker
from .case import CLEANING, Facts, sweep
from .client import anyone
from .connection import DEADLINE
from .console import console
from .contract import Contract
from .control import controlled
from .crew import Crew, crewed, endpoint, named
from .errors import CannotRun, KitError, NoWorker, UsageError
from .excused import excused, rewrite
from .heading import header, not_empty, tell
from .identity import Allocator, Tokens, run_token
from .launch import CLIENT, WORKER
from .lint import CONTROL
from .plan import Plan, Selection, Surface, plan, surfaces
from .preflight import PROBE, alive, holds, preflight
from .record import Record, Redactor, hidden, stream
from .report import junit
from .report.text import clean
from .run import Emitter, Run, Settings, could_not
from .shape import meant
from .talk import Server, Talk
from .wires import Wires, addressed, asks, version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .calls import Asks
    from .connection import Connection
    from .exchange import Observation, Request
    from .launch import Asked
    from .talk import Event
    from .target import Target

TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the name of a header


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
    clients: tuple[str, ...] = ()
    worker: str = ""
    cache_dir: Path | None = None
    deadline: float = DEADLINE
    control: bool = False


def run(options: Options) -> int:
    """
    The whole of `workflow-conformance run`; the exit code.
    """
    chosen, token = reached(options)
    held = profile(chosen.profile)
    contract = Contract(held.openapi)
    draw = partial(
        plan,
        load.scenarios(options.scenarios),
        held,
        contract,
        options.selection,
        chosen.capable(token=bool(token)),
        only_required=chosen.only_required,
        ports=chosen.ports,
    )
    drivers = named(options.clients, worker.brought(options.worker, chosen))
    clients = [one.name for one in drivers if one.role == CLIENT]
    guessed = [Surface(name, kind, "", anyone(name, kind)) for name in clients for kind in spec.SURFACES]
    planned = draw(clients=guessed)
    own = options.expected or (Path(chosen.expected_failures) if chosen.expected_failures else None)
    expected = excused(own, drivers, update=options.update)
    addressed(chosen, options.ca)
    not_empty(planned, options.scenarios)
    if options.dry_run and not guessed:
        tell(planned, chosen)
        return 0
    session = _Session(options, chosen, held, contract, Plan(()) if guessed else planned, expected, token)
    session.drivers, session.draw = drivers, draw
    if options.dry_run:
        session.dry()
        return 0
    return _recorded(session, [token, *hidden({**chosen.headers, **options.headers})])


def _recorded(session: _Session, secret: Sequence[str]) -> int:
    """
    Go, with a record, a screen and reports; the exit code.
    """
    options = session.options
    path = options.out / "run.jsonl"
    try:
        with Record(path, secret) as record, console(sys.stdout, live=sys.stdout.isatty()) as screen:
            footer = session.go(Emitter(record.write, lambda event: screen(session.redactor.value(event))))
        junit.write(stream(path), options.out / "junit.xml")
    except OSError as error:
        raise CannotRun(f"--out {options.out}: cannot be written: {error.strerror or error}") from None
    if options.update and options.expected and session.run:
        peers, narrowed = session.peers, options.selection.narrows
        rewrite(options.expected, session.expected, session.run.tally, session.server, peers, narrowed=narrowed)
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
        self.drivers: tuple[Asked, ...] = ()
        self.draw: Callable[..., Plan] | None = None
        self.peers: tuple[tuple[str, str], ...] = ()

    @property
    def server(self) -> tuple[str, str]:
        """
        The name and the version of the server under test.
        """
        return self.target.name, self.version

    @contextmanager
    def _running(self) -> Iterator[tuple[Target, Crew]]:
        """
        The server, the kit's own worker beside it, and the drivers; the plan, once clients have said what they can do.
        """
        driven = any(one.role == WORKER for one in self.drivers)
        builtin = "" if driven else self.options.worker
        with (
            target.running(
                self.target.with_worker() if driven or builtin else self.target, token=self._token
            ) as started,
            worker.working(builtin, started, self._token, self.options.ca),
            crewed(
                self.drivers, endpoint(started, self._token), self._complain, self.options.cache_dir, self.options.scale
            ) as crew,
        ):
            self.peers = crew.peers
            if crew.surfaces and self.draw:
                self.plan = self.draw(clients=crew.surfaces)
            yield replace(started, workflows={**started.workflows, **crew.workflows}), crew

    def dry(self) -> None:
        """
        Show the plan of clients; nobody is asked anything but hello.
        """
        with self._running():
            tell(self.plan, self.target)

    def go(self, emit: Emitter) -> Mapping[str, Any]:
        """
        From header to footer.
        """
        try:
            with self._running() as (started, crew):
                try:
                    return self._against(started, crew, emit)
                except NoWorker as error:
                    raise NoWorker("\n".join(filter(None, (str(error), crew.flaw(), crew.told())))) from None
        except KitError as error:
            reason = could_not(error)
            self._complain(str(error))
        except KeyboardInterrupt:
            reason = "interrupted"
        return (self.run or self._begin(emit, self.target)).finish(reason)

    def _complain(self, why: str) -> None:
        click.echo("\n".join(map(clean, self.redactor.text(f"error: {why}").split("\n"))), err=True)

    def _against(self, started: Target, crew: Crew, emit: Emitter) -> Mapping[str, Any]:
        wires = wired(started, self.options, self._token, crew.connections(self.options.scale))
        self.version = self.version or version(wires, self.contract, PROBE * self.options.scale)
        run = self._begin(emit, started, crew)
        own = asks(surfaces(self.contract), self.contract, wires, started)
        calls = {**own, **crew.asks(started.workflows)}
        scale = self.options.scale
        first = [own[name] for name in self._first_of_each_kind(own)]
        url = " and ".join(dict.fromkeys(one.url for one in first))
        server = Server(wires, self.contract, url, emit, lambda: True, scale=scale, asks=calls, stop=self.stop)
        ask = asking(server, first[0])
        server.probe = lambda: all(alive(ask, one, self._tokens.next() + "-probe", scale) for one in first)
        server.restart = lambda: _restart(started, server.probe, scale)
        try:
            server.control = controlled(started, self.contract, scale)
            for one in first:
                name, capable = self._tokens.next() + "-preflight", started.capabilities
                preflight(
                    ask, one, self.held.machine, capable, name, scale, starts=one is first[0] or not holds(capable)
                )
            facts = replace(self._facts(ask, first[0]), cleans=self._cleans(crew, own, first[0]))
            return run.execute(server, calls, facts, crew.flaw)
        except NoWorker as error:
            raise NoWorker("\n".join(filter(None, (str(error), crew.flaw())))) from None
        finally:
            wires.close()
            if server.control is not None:
                server.control.close()

    def _first_of_each_kind(self, own: Mapping[str, Asks]) -> list[str]:
        """
        One surface of the server's of each kind that a case of the plan is on; where it has none, any.
        """
        there = [one for one in surfaces(self.contract) if one.name in own]
        kinds = {case.surface.kind: case.surface.name for case in reversed(self.plan.cases)}
        found = [
            name if name in own else next((one.name for one in there if one.kind == kind), there[0].name)
            for kind, name in kinds.items()
        ]
        return list(dict.fromkeys(found[::-1])) or [there[0].name]

    def _cleans(self, crew: Crew, own: Mapping[str, Asks], first: Asks) -> dict[str, Asks]:
        """
        For each client who cleans up after it: never the client, whose calls are watched.
        """
        kinds = {one.kind: own[one.name] for one in reversed(surfaces(self.contract)) if one.name in own}
        makers = crew.asks({})
        return {makers[one.name].url: kinds.get(one.kind, first) for one in crew.surfaces}

    def _begin(self, emit: Emitter, started: Target, crew: Crew | None = None) -> Run:
        options = self.options
        settings = Settings(
            jobs=options.jobs,
            repeat=options.repeat,
            max_fail=options.max_fail,
            seed=options.seed,
            target=started.name,
            version=self.version,
            narrowed=options.selection.narrows or started.only_required or options.scenarios is not None,
            peers=self.peers,
        )
        self.run = Run(self.plan, self.held, self.expected, settings, emit)
        emit(
            header(
                started,
                self.plan,
                settings,
                profile=self.held.profile.name,
                token=self._tokens.run,
                scale=options.scale,
                out=str(options.out),
                sdks=crew.as_events() if crew else (),
            )
        )
        self.run.announce()
        return self.run

    def _facts(self, ask: Callable[..., Observation], calls: Asks) -> Facts:
        states = self.held.machine.states.values()
        ended = frozenset(word for state in states if state.terminal for word in state.reported.values())
        wait = CLEANING * self.options.scale
        allocator = Allocator(lambda identity: sweep(ask, calls, identity, ended, wait))
        return Facts(allocator, self._tokens.next, ended, self.options.keep)


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
    if options.control:
        changes["capabilities"] = tuple(dict.fromkeys((*chosen.capabilities, CONTROL)))
    if options.component:
        changes["component"] = options.component
    token = options.token or (os.environ.get(chosen.api_token_env, "") if chosen.api_token_env else "")
    if any(char in token for char in "\r\n\0"):
        raise UsageError("--api-token: a token is one line")
    return replace(chosen, **changes), token


def wired(started: Target, options: Options, token: str, clients: Mapping[str, Connection] | None = None) -> Wires:
    """
    The connections to a target that is running.
    """
    headers = {**started.headers, **options.headers, **({TOKEN_HEADER: token} if token else {})}
    deadline = options.deadline * options.scale
    return Wires(started.server, started.grpc, headers=headers, ca=options.ca, deadline=deadline, clients=clients)


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
