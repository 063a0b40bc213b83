"""
A target, reached and found able to run: what `walk` and `minimize` work with.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import spec

from . import load, plan, target
from .case import CLEANING, Facts, attempt, sweep
from .contract import Contract
from .errors import BadFiles, CannotRun, UsageError
from .identity import Allocator, Tokens, run_token
from .preflight import alive, preflight
from .session import Options, asking, profile, wired
from .session import reached as chosen_target
from .talk import Server
from .wires import asks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .calls import Asks
    from .case import Outcome
    from .exchange import Observation
    from .plan import Case
    from .target import Target
    from .wires import Wires


@dataclass(frozen=True, slots=True)
class Reached:
    """
    A server that answers and completes a kit workflow. `surface` and `calls` are those that were asked for, `versions`
    the calls of every version of the API.
    """

    target: Target
    held: spec.Spec
    contract: Contract
    surface: str
    kind: str
    server: Server
    calls: Asks
    asks: Mapping[str, Asks]
    tokens: Tokens
    facts: Facts
    ask: Callable[..., Observation]

    def case(self, text: str, name: str) -> Case:
        """
        The first case of a scenario on this surface. Raises BadFiles where it is wrong or has none here.
        """
        return self.cases(text, name, (self.surface,))[0]

    def cases(self, text: str, name: str, surfaces: tuple[str, ...] = ()) -> tuple[Case, ...]:
        """
        Every case of a scenario on some surfaces, or on all. Raises BadFiles where it is wrong or has none here.
        """
        document = spec.read(text, name)
        found = load.read(document, name, load.vocabulary())
        able = self.target.capable(token=False)
        planned = plan.plan([found], self.held, self.contract, plan.Selection(surfaces), able, ports=self.target.ports)
        if not planned.cases:
            why = planned.unsupported[0][1] if planned.unsupported else "it does not apply to this profile and surface"
            raise BadFiles([f"{name}:1:1: no case to execute: {why}"])
        return planned.cases

    def executed(self, case: Case) -> Outcome:
        """
        What one attempt at a case comes to. Raises CannotRun when the server is gone.
        """
        outcome = attempt(case, 1, self.server, self.asks[case.surface.name], self.facts)
        if self.server.gone:
            raise CannotRun(self.server.gone)
        return outcome


def surface_of(asked: str, contract: Contract) -> plan.Surface:
    """
    The surface of this name or kind, or the first one. Raises UsageError where there is none.
    """
    known = plan.surfaces(contract)
    found = [one for one in known if asked in ("", one.name, one.name.partition("/")[0])]
    if not found:
        raise UsageError(f"--surface {asked}: no such surface; there are {', '.join(one.name for one in known)}")
    return found[0]


@contextmanager
def reached(options: Options, surface: str = "") -> Iterator[Reached]:
    """
    The target of some options, for as long as the context lasts.

    Raises UsageError where the options are wrong, CannotRun where the target cannot run.
    """
    chosen, token = chosen_target(options)
    with arrived(options, chosen, token, profile(chosen.profile), surface) as found:
        yield found


@contextmanager
def arrived(options: Options, chosen: Target, token: str, held: spec.Spec, surface: str = "") -> Iterator[Reached]:
    """
    A target that was chosen, and perhaps started, for as long as the context lasts; it is held to `held`.
    """
    contract = Contract(held.openapi)
    on = surface_of(surface, contract)
    if on.port not in chosen.ports:
        raise UsageError(f"--surface {on.name}: target {chosen.name} has no {on.port} address")
    with target.running(chosen) as started:
        wires = wired(started, options, token)
        try:
            yield _reached(options, started, held, contract, on, wires)
        finally:
            wires.close()


def _reached(  # noqa: PLR0913, PLR0917 - what it is put together from
    options: Options, started: Target, held: spec.Spec, contract: Contract, on: plan.Surface, wires: Wires
) -> Reached:
    tokens = Tokens(run_token(secrets.choice))
    every = asks([one for one in plan.surfaces(contract) if one.port in started.ports], contract, wires, started)
    calls = every[on.name]
    server = Server(wires, contract, calls.url, lambda _: None, lambda: True, scale=options.scale)
    ask = asking(server, calls)
    server.probe = lambda: alive(ask, calls, tokens.next() + "-probe", options.scale)
    preflight(ask, calls, held.machine, started.capabilities, tokens.next() + "-preflight", options.scale)
    ended = frozenset(state.reported[on.kind] for state in held.machine.states.values() if state.terminal)
    wait = CLEANING * options.scale
    facts = Facts(Allocator(lambda identity: sweep(ask, calls, identity, ended, wait)), tokens.next, ended)
    return Reached(started, held, contract, on.name, on.kind, server, calls, every, tokens, facts, ask)
