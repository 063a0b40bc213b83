"""
The drivers of a run: the clients under test and the worker, built, started, and stopped again.

Rule 1: a client that does not start leaves the others their run, and the run a reason why it is not complete.
Rule 2: a worker that breaks off is started again, once; what ran meanwhile proves nothing, and the run says so.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .client import client
from .clients import Drives, Spoken
from .driver import Driver
from .errors import CannotRun, DriverFailed, UsageError
from .launch import CLIENT, WORKER, asked, launch
from .plan import Surface

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .launch import Asked
    from .target import Target

WATCH = 0.1
"""Seconds between two looks whether a worker still runs."""


@dataclass(frozen=True, slots=True)
class Crew:
    """
    The drivers that are running: a surface for each client, and the worker. `flaws` says what went wrong with any.
    """

    clients: Mapping[Surface, Driver] = field(default_factory=dict)
    worker: Driver | None = None
    flaws: list[str] = field(default_factory=list)

    def flaw(self) -> str:
        """
        Why the run proves less than it seems, empty where it does not.
        """
        return "\n".join([*self.flaws, *filter(None, (one.unsaid() for one in self.clients.values()))])

    def told(self) -> str:
        """
        The last lines of the worker, empty where it wrote none.
        """
        lines = self.worker.told() if self.worker else ""
        return f"The worker {self.worker.name}:{lines}" if self.worker and lines else ""

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """
        The clients, as surfaces.
        """
        return tuple(self.clients)

    @property
    def workflows(self) -> Mapping[str, str]:
        """
        The names that the worker registers the kit workflows under, where they are others.
        """
        return dict(self.worker.hello.get("workflows", {})) if self.worker else {}

    @property
    def peers(self) -> tuple[tuple[str, str], ...]:
        """
        Everything under test besides the server, with its version, as expected failures call it.
        """
        every = (*self.clients.values(), *((self.worker,) if self.worker else ()))
        return tuple((f"{one.role}:{one.name}", str(one.hello["sdk"]["version"])) for one in every)

    def connections(self, scale: float) -> dict[str, Spoken]:
        """
        A connection for each client.
        """
        return {surface.name: Spoken(one, scale=scale) for surface, one in self.clients.items()}

    def asks(self, workflows: Mapping[str, str]) -> dict[str, Drives]:
        """
        Who makes the requests of each client.
        """
        return {one.name: Drives(one.client, workflows) for one in self.surfaces if one.client}

    def as_events(self) -> list[dict[str, Any]]:
        """
        The SDKs under test, for the header.
        """
        every = [*self.clients.values(), *([self.worker] if self.worker else [])]
        return [
            {
                "role": one.role,
                "name": one.name,
                "sdk": one.hello["sdk"]["name"],
                "version": one.hello["sdk"]["version"],
                "language": one.hello["sdk"]["language"],
                **({"surface": one.hello["surface"]} if "surface" in one.hello else {}),
            }
            for one in every
        ]


def endpoint(started: Target, token: str) -> dict[str, str]:
    """
    Where a driver finds the sidecar, as its hello says it.
    """
    places = {"http": started.server, "grpc": started.grpc, "token": token}
    return {name: place for name, place in places.items() if place}


def named(clients: Sequence[str], worker: str) -> tuple[Asked, ...]:
    """
    What the options name. Raises UsageError.
    """
    found = [asked(one, CLIENT) for one in clients]
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise UsageError(f"--client {twice}: named twice; a run drives each client once")
    return (*found, *([asked(worker, WORKER)] if worker else []))


@contextmanager
def crewed(
    wanted: Sequence[Asked],
    endpoint: Mapping[str, str],
    complain: Callable[[str], None],
    cache_dir: Path | None = None,
    scale: float = 1.0,
) -> Iterator[Crew]:
    """
    The drivers that are wanted, for as long as the context lasts; `complain` is told what goes wrong with one of them.

    Raises CannotRun where none of them starts.
    """
    if not wanted:
        yield Crew()
        return
    with ThreadPoolExecutor(len(wanted)) as pool:
        found = list(pool.map(lambda one: _started(one, endpoint, cache_dir, scale), wanted))
    drivers = [one for one in found if isinstance(one, Driver)]
    flaws = [str(one) for one in found if isinstance(one, CannotRun)]
    over = threading.Event()
    try:
        worker = next((one for one in drivers if one.role == WORKER), None)
        clients = {_surface(one): one for one in drivers if one.role == CLIENT}
        if len(clients) + (worker is not None) == 0 or any(one.role == WORKER for one in wanted) > (worker is not None):
            raise DriverFailed("\n".join(flaws))
        crew = Crew(clients, worker, flaws)
        for why in flaws:
            complain(why)
        if worker:
            threading.Thread(target=_watch, args=(worker, crew.flaws, over), daemon=True).start()
        yield crew
    finally:
        over.set()
        with ThreadPoolExecutor(max(len(drivers), 1)) as pool:
            for why in filter(None, pool.map(Driver.stop, drivers)):
                complain(why)


def _started(one: Asked, endpoint: Mapping[str, str], cache_dir: Path | None, scale: float) -> Driver | CannotRun:
    try:
        driver = Driver(launch(one, cache_dir), endpoint, scale=scale)
        driver.start()
    except CannotRun as error:
        return error
    return driver


def _surface(driver: Driver) -> Surface:
    one = client(driver.name, driver.hello)
    return Surface(driver.name, one.kind, "", one)


def _watch(worker: Driver, flaws: list[str], over: threading.Event) -> None:
    while not over.wait(WATCH):
        why = worker.revived()
        if why:
            flaws.append(why)
        if worker.gone:
            return
