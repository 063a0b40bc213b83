"""
The surfaces of one server: a connection to each of its ports, and who makes the requests of each surface.

Rule 1: this is the one place where a kind of surface is told from another; a request says itself where it goes.
Rule 2: the library of gRPC is imported where a surface needs it, and nowhere else.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from .calls import Calls
from .connection import DEADLINE, Http
from .errors import UsageError
from .exchange import Request
from .match import parse
from .plan import HTTP
from .target import TOLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .calls import Asks
    from .channel import Channel
    from .connection import Connection
    from .contract import Contract
    from .exchange import Observation
    from .plan import Surface
    from .target import Target


MANY = 16
"""So many different makers of calls are kept."""

METADATA = "metadata"
"""The probe that tells what a server says of itself."""


class Wires:
    """
    Every connection to one server, behind one. A channel that is given is borrowed.
    """

    def __init__(  # noqa: PLR0913 - each is a fact of the run
        self,
        server: str = "",
        grpc: str | Channel = "",
        *,
        headers: Mapping[str, str] | None = None,
        ca: str = "",
        deadline: float = DEADLINE,
        clients: Mapping[str, Connection] | None = None,
    ) -> None:
        self._clients = clients or {}
        self._http = Http(server, headers=headers, ca=ca, deadline=deadline) if server else None
        self._grpc = _channel(grpc, headers, ca, deadline) if grpc else None

    @property
    def channel(self) -> Channel | str:
        """
        The connection over gRPC, for others to borrow; empty where there is none.
        """
        return self._grpc or ""

    def url(self, kind: str) -> str:
        """
        The address of a kind of surface, empty where it has none.
        """
        held = self._http if kind == HTTP else self._grpc
        return held.url if held else ""

    def ask(self, request: Request, deadline: float | None = None) -> Observation:
        """
        One exchange, over the connection that the request is for.
        """
        return self._of(request).ask(request, deadline)

    def headers(self, request: Request) -> tuple[tuple[str, str], ...]:
        """
        What goes out with a request besides its body.
        """
        return self._of(request).headers(request)

    def address(self, request: Request) -> str:
        """
        Where a request goes.
        """
        return self._of(request).address(request)

    def close(self) -> None:
        """
        Close them all.
        """
        for one in (self._http, self._grpc):
            if one is not None:
                one.close()

    def _of(self, request: Request) -> Connection:
        if request.via:
            return self._clients[request.via]
        found = self._grpc if request.reads else self._http
        assert found is not None  # noqa: S101 - a plan holds only surfaces whose address is known
        return found


def addressed(chosen: Target, ca: str) -> None:
    """
    Raises UsageError where a target has no address, or one that is none.
    """
    if chosen.server:
        Wires(chosen.server, ca=ca).close()
    if chosen.grpc and chosen.grpc != TOLD:
        Wires(grpc=chosen.grpc, ca=ca).close()
    if not chosen.ports:
        raise UsageError(
            f"target {chosen.name} has neither server: nor start:; "
            "give its address with --server URL or --grpc HOST:PORT"
        )


def version(wires: Wires, contract: Contract, deadline: float) -> str:
    """
    The version that a server says it has, empty where it says none.
    """
    if not wires.url(HTTP):
        from .methods import probe  # noqa: PLC0415 - rule 2

        saw = wires.ask(probe(METADATA), deadline)
        return str(saw.said.fields.get("runtimeVersion", "")) if saw.said else ""
    operation = contract.probe(METADATA)
    saw = wires.ask(Request(operation.method, operation.target("", {}).encode(), retriable=True), deadline)
    with suppress(ValueError):
        body = parse(saw.body)
        if isinstance(body, dict) and isinstance(body.get("runtimeVersion"), str):
            return str(body["runtimeVersion"])
    return ""


def asks(surfaces: Iterable[Surface], contract: Contract, wires: Wires, target: Target) -> dict[str, Asks]:
    """
    For each surface whose address is known, by its name, who makes its requests.
    """
    return {one.name: _asks(one, contract, wires.url(one.kind), target) for one in surfaces if wires.url(one.kind)}


def _asks(surface: Surface, contract: Contract, url: str, target: Target) -> Asks:
    if surface.kind == HTTP:
        return Calls(contract, url, surface.version, component=target.component, workflows=target.workflows)
    return _methods(surface.kind, url, surface.version, target.component, tuple(target.workflows.items()))


@lru_cache(maxsize=MANY)
def _methods(kind: str, url: str, version: str, component: str, workflows: tuple[tuple[str, str], ...]) -> Asks:
    """
    Made once for everyone who asks alike: the proof asks thousands of times.
    """
    from .methods import Methods  # noqa: PLC0415 - rule 2

    return Methods(kind, url, version, component=component, workflows=dict(workflows))


def _channel(to: str | Channel, headers: Mapping[str, str] | None, ca: str, deadline: float) -> Channel:
    from .channel import Channel  # noqa: PLC0415 - rule 2

    if isinstance(to, Channel):
        return to.lent(headers or {}, deadline)
    return Channel(to, headers=headers, ca=ca, deadline=deadline)
