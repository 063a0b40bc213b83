"""
The only place that builds things.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import spec

from .answers import Answers
from .executor import BuiltIn, Closing
from .faults.mutant import Fault
from .instance import START
from .over_http import Surface, application
from .ports import RandomIds, WallClock
from .pump import Pump
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp

    from .engine import Engine
    from .over_grpc import Handler, Services
    from .ports import Clock, Executor, Ids


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What can be chosen. `settle` is in milliseconds; without an `executor` nobody runs workflows but workers; `scripts`
    gives names of the user's own a script to run; `fault` is what is deliberately wrong.
    """

    profile: str = spec.DEFAULT_PROFILE
    app_id: str = "reference"
    settle: int = 0
    max_body: int = 4 << 20
    hold: str = ""
    executor: bool = True
    token: str = ""
    scripts: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault = field(default_factory=Fault)


@dataclass(frozen=True, slots=True)
class Server:
    """
    A server that has all but a socket.
    """

    app: ASGIApp
    engine: Engine
    pump: Pump
    waiting: Waiting
    services: Callable[[Mapping[str, Handler]], Services]
    """The gRPC surfaces, made when they are asked for, with methods by their paths that take the place of our own."""


def build(settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None) -> Server:
    """
    Build a server.

    Raises SpecError for an unknown profile, ScriptError for a script that is none.
    """
    fault = settings.fault
    loaded = acting(fault.data(spec.load(settings.profile)))
    clock = clock or WallClock()
    executor, hold = _executor(settings, loaded)
    delay = (settings.settle + fault.delay) * 1_000_000
    engine = fault.engine(loaded.machine, loaded.replies, settle=delay, hold=hold)
    pump = Pump(engine, executor if settings.executor else None, clock)
    ids = fault.ids(ids or RandomIds())
    about = {"id": settings.app_id, "runtimeVersion": loaded.profile.runtime}

    def shown() -> dict[str, Any]:
        return {**about, "workflows": {"connectedWorkers": pump.connected}}

    surface = Surface(engine, pump, clock, ids, Answers(loaded), shown, settings.token, settings.max_body)
    waiting = Waiting(engine)

    def services(others: Mapping[str, Handler]) -> Services:
        from .methods import methods  # noqa: PLC0415 - gRPC is for those who speak it
        from .over_grpc import Services  # noqa: PLC0415 - as above
        from .remote import SURFACE, Remote  # noqa: PLC0415 - as above
        from .statuses import Statuses  # noqa: PLC0415 - as above

        parts = {"engine": engine, "pump": pump, "clock": clock, "ids": ids, "waiting": waiting}
        dropped = frozenset(loaded.profile.features["dropped_actions"])
        remote = pump.workers = Remote(
            engine, clock, ids, pump=pump, statuses=Statuses(loaded, SURFACE), dropped=dropped
        )
        own = methods(loaded, lambda: {**about, "workers": pump.connected}, fault.forms(spec.grpc()), **parts)
        handlers = fault.calls({**own, **remote.handlers(), **others})
        return Services(handlers, Statuses(loaded, next(iter(spec.grpc()))), settings.token)

    return Server(fault.wire(application(surface, loaded)), engine, pump, waiting, services)


def _executor(settings: Settings, loaded: spec.Spec) -> tuple[Executor, str]:
    """
    Who runs workflows, and the state that the engine itself holds new instances in.
    """
    happening = holds(loaded.machine).get(settings.hold, "")
    if happening:
        return Closing(happening), ""
    return settings.fault.executor(BuiltIn(loaded.workflows["instructions"], settings.scripts)), settings.hold


def holds(machine: spec.Machine) -> dict[str, str]:
    """
    The states that a new instance can be held in, each with the happening that takes it there.

    The first is where a start leads; the others are where something leads from there that no instance does by itself.
    """
    absent = next(name for name, state in machine.states.items() if not state.exists)
    first = machine.table[absent][START].settles[0]
    found = {first: ""}
    for name, happening in machine.happenings.items():
        settles = machine.table[first][name].settles
        if settles and not happening.spontaneous:
            found.setdefault(settles[0], name)
    return found


def acting(loaded: spec.Spec) -> spec.Spec:
    """
    The spec with a row that can be sent in every cell.

    A profile may demand any of several answers. The server then gives the one of the default profile.
    """
    machine, usual = loaded.machine, spec.load().machine
    table = {
        state: {event: _acting(cell, usual.table[state][event], loaded.replies) for event, cell in row.items()}
        for state, row in machine.table.items()
    }
    return replace(loaded, machine=replace(machine, table=table))


def _acting(cell: spec.Cell, usual: spec.Cell, replies: Mapping[str, spec.Reply]) -> spec.Cell:
    when = {name: _acting(inner, usual.when[name], replies) for name, inner in cell.when.items()}
    row = replies.get(cell.acts)
    acts = cell.acts if row is None or not _vague(row) else row.acts or usual.acts
    return replace(cell, when=when, acts=acts)


def _vague(row: spec.Reply) -> bool:
    return any(isinstance(column.get(name), list) for column in row.surfaces.values() for name in ("status", "code"))
