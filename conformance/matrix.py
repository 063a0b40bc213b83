"""
The kill matrix: every mutant, hunted side by side; a run in which a control is wrong proves nothing.

Rule 1: the mutants are those that the server lists; nothing here knows what is wrong with one.
"""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import spec

from . import load, target
from .contract import Contract
from .errors import CannotRun, UsageError
from .hunt import Ground, Kill, hunt, scour
from .identity import Tokens, run_token
from .known import matches
from .mutants import Mutant, equivalents, listed
from .plan import HTTP, PORTS, Selection, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .plan import Case

DIES, LIVES = "control/dies", "control/lives"
SURFACES = ("http/v1.0", "grpc/beta1", "taskhub")
"""One surface of each kind: what the others of its kind do is the same by the scenarios of versions."""

EVERYTHING = ("hold_pending", "hold_stalled", "restart", "api_token")
_SERVER = ("{python}", "-P", "-m", "reference_server")


@dataclass(frozen=True, slots=True)
class Matrix:
    """
    What became of every mutant, which of them are known to be equivalent and why, and how long it took.
    """

    kills: tuple[Kill, ...]
    equivalent: Mapping[str, str]
    seconds: float = 0.0

    def of(self, verdict: str) -> tuple[Kill, ...]:
        """
        The mutants of one verdict, the controls and those that are equivalent left out.
        """
        return tuple(one for one in self.counted() if one.verdict == verdict)

    def counted(self) -> tuple[Kill, ...]:
        """
        The mutants that count.
        """
        return tuple(one for one in self.kills if one.mutant.name not in (DIES, LIVES) and not self.excused(one))

    def excused(self, kill: Kill) -> bool:
        """
        Whether a mutant is listed as one that nobody can tell from a server that is right.
        """
        return any(matches(glob, kill.mutant.name) for glob in self.equivalent)

    def problems(self) -> list[str]:
        """
        What is wrong with the checks: mutants that survive or die for another reason, and equivalents that die.
        """
        lines = [f"{one.mutant.name}: it survives {', '.join(one.mutant.rules)}" for one in self.of("survived")]
        lines += [
            f"{one.mutant.name}: it breaks {', '.join(one.mutant.rules)} and died under {one.rule or 'none'} "
            f"in {one.case}: {one.why}"
            for one in self.of("killed_otherwise")
        ]
        lines += [
            f"{one.mutant.name}: spec/equivalent_mutants.yaml lists it, and {one.case} kills it"
            for one in self.kills
            if self.excused(one) and one.verdict == "killed"
        ]
        return lines


def run(
    globs: Sequence[str] = (), jobs: int = 1, scenarios: Path | None = None, told: Callable[[Kill], None] | None = None
) -> Matrix:
    """
    Hunt every mutant that a glob means, and the controls. Raises CannotRun where a control is wrong.
    """
    began = time.monotonic()
    chosen = _chosen(listed(), globs)
    contract = Contract(spec.openapi())
    plans = {name: _cases(name, contract, scenarios) for name in {one.profile for one in chosen}}
    started = target.Target(name="mutants", start=(*_SERVER, *_GALLERY), grpc=target.TOLD)
    with target.running(started) as ready:
        ground = Ground(
            ready.server, ready.grpc, contract, spec.load().machine, Tokens(run_token(secrets.choice)), plans
        )
        with ThreadPoolExecutor(jobs) as pool:
            kills = _hunted(chosen, ground, pool, told or (lambda _: None))
    _controlled(kills)
    return Matrix(tuple(sorted(kills, key=lambda one: one.mutant.name)), equivalents(), time.monotonic() - began)


_GALLERY = (
    "--mutant",
    "every",
    "--dapr-http-port",
    "0",
    "--dapr-grpc-port",
    "0",
    "--ready-json",
    "--log-level",
    "error",
)


def _hunted(
    chosen: Sequence[Mutant], ground: Ground, pool: ThreadPoolExecutor, told: Callable[[Kill], None]
) -> tuple[Kill, ...]:
    """
    Each mutant against the cases that carry its rules; then those that no such case failed, against all the others.
    """
    known = equivalents()
    lives = next(one for one in chosen if one.name == LIVES)
    waiting = {lives: scour(lives, ground, pool)}
    kills: dict[str, Kill] = {}
    for kill in pool.map(lambda one: hunt(one, ground), [one for one in chosen if one != lives]):
        kills[kill.mutant.name] = kill
        told(kill)
        if kill.verdict == "survived" and not any(matches(glob, kill.mutant.name) for glob in known):
            waiting[kill.mutant] = scour(kill.mutant, ground, pool)
    for mutant, wait in waiting.items():
        kills[mutant.name] = wait()
    told(kills[LIVES])
    return tuple(kills.values())


def _chosen(mutants: Sequence[Mutant], globs: Sequence[str]) -> list[Mutant]:
    chosen = [one for one in mutants if not globs or any(matches(glob, one.name) for glob in globs)]
    if not chosen:
        raise UsageError(f"no mutant is named {' or '.join(globs)}; `workflow-conformance list mutants` has all")
    controls = [one for one in mutants if one.name in (DIES, LIVES) and one not in chosen]
    everything = [*controls, *chosen]
    return sorted(everything, key=lambda one: one.name != LIVES)


def cases(surfaces: Sequence[str] = SURFACES) -> tuple[Case, ...]:
    """
    Every case of some surfaces in the default profile, whatever a server must be capable of for it.
    """
    return _cases(spec.DEFAULT_PROFILE, Contract(spec.openapi()), None, surfaces)


def _cases(
    profile: str, contract: Contract, scenarios: Path | None, surfaces: Sequence[str] = SURFACES
) -> tuple[Case, ...]:
    held = spec.load(profile)
    selection = replace(Selection(), surfaces=tuple(surfaces))
    ports = [port for port in PORTS if any((HTTP in glob) == (port == HTTP) for glob in surfaces)]
    return plan(load.scenarios(scenarios), held, contract, selection, EVERYTHING, ports=ports).cases


def _controlled(kills: Sequence[Kill]) -> None:
    by_name = {one.mutant.name: one for one in kills}
    dies, lives = by_name[DIES], by_name[LIVES]
    if dies.verdict != "killed":
        raise CannotRun(f"{DIES} lives: the checks see nothing, and this run proves nothing")
    if lives.verdict != "survived":
        raise CannotRun(f"{LIVES} dies, so this run proves nothing: {lives.case}: {lives.why}")
