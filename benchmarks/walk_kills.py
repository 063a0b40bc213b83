"""
How many mutants of cells `walk` kills with its defaults over real sockets, seed by seed, and how long a kill takes.

    python benchmarks/walk_kills.py [--seeds N=5] [--seconds S=30] [--jobs N] [-k TEXT]

A mutant of an operation's cell in PENDING or STALLED is walked on a server that holds that state, as the suite's cases
of those are.
Mutants that spec/equivalent_mutants.yaml lists are counted apart: nobody can tell them from a server that is right.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple
from urllib.parse import quote

import spec
from conformance import mutants, target
from conformance.calls import Calls
from conformance.connection import Http
from conformance.contract import Contract
from conformance.exchange import Request
from conformance.known import matches
from conformance.walk.choose import Chooser
from conformance.walk.model import Model
from conformance.walk.moves import book
from conformance.walk.oracle import Oracle
from conformance.walk.session import Asked, Wall
from conformance.walk.walker import Place, Walker

FAMILY = "cell/"
OPERATIONS = tuple(spec.load().machine.operations)
PLAIN, HELD = "plain", ("PENDING", "STALLED")
GALLERY = (
    "{python}",
    "-P",
    "-m",
    "reference_server",
    "--mutant",
    "every",
    "--dapr-http-port",
    "0",
    "--dapr-grpc-port",
    "0",
    "--ready-json",
)


class Kill(NamedTuple):
    """
    What a walk made of a mutant: whether it found anything, after how many seconds and moves, and under which rule.
    """

    mutant: mutants.Mutant
    seed: int
    found: str
    seconds: float
    moves: int

    @property
    def right(self) -> bool:
        """
        Whether the rule is one that the mutant breaks.
        """
        return self.found in self.mutant.rules


@cache
def oracle(profile: str, hold: str) -> Oracle:
    """
    The judge of walks where new instances are held in a state, or are not.
    """
    held = spec.load(profile)
    return Oracle(Model(held, book(held.workflows), "" if hold == PLAIN else hold), Contract(held.openapi))


def hunt(url: str, mutant: mutants.Mutant, seed: int, seconds: float) -> Kill:
    """
    One walk with the defaults of the command line, for at most so many seconds.
    """
    hold = next((state for state in HELD if any(f"/{state}.{name}/" in mutant.name for name in OPERATIONS)), PLAIN)
    judge = oracle(mutant.profile, hold)
    place = f"{url}/{quote(mutant.name, safe='')}/{hold}"
    connection = Http(place)
    walker = Walker(
        Place(connection.ask, Calls(judge.contract, place, judge.contract.versions[0]), Wall(), lambda: True),
        judge,
        f"w{secrets.token_hex(4)}",
    )
    began = time.monotonic()
    moves = Chooser(judge.model, random.Random(f"{seed}/0")).moves(Asked().steps)
    violation = walker.walk(move for move in moves if time.monotonic() - began < seconds)
    took = time.monotonic() - began
    walker.sweep()
    connection.close()
    return Kill(mutant, seed, violation.finding.rule if violation else "", took, walker.executed)


def main() -> int:
    """
    Walk every mutant under every seed, several side by side.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--jobs", type=int, default=4 * (os.cpu_count() or 1))
    parser.add_argument("-k", default="")
    chosen = parser.parse_args()
    known = mutants.equivalents()
    hunted = [one for one in mutants.listed() if one.name.startswith(FAMILY) and chosen.k in one.name]
    equal = {one.name for one in hunted if any(matches(pattern, one.name) for pattern in known)}
    began = time.monotonic()
    server = target.running(target.Target(name="mutants", start=GALLERY))
    with server as started, ThreadPoolExecutor(chosen.jobs) as pool:
        found = pool.map(lambda one: _seeds(started.server, one, chosen), hunted)
        kills = [kill for some in found for kill in some]
    _report(kills, equal, chosen, time.monotonic() - began)
    return 0


def _seeds(url: str, mutant: mutants.Mutant, chosen: argparse.Namespace) -> list[Kill]:
    found = [hunt(url, mutant, seed, chosen.seconds) for seed in range(1, chosen.seeds + 1)]
    connection = Http(f"{url}/{quote(mutant.name, safe='')}")
    for hold in (PLAIN, *HELD):
        connection.ask(Request("DELETE", f"/{hold}".encode()))
    connection.close()
    return found


def _report(kills: list[Kill], equal: set[str], chosen: argparse.Namespace, seconds: float) -> None:
    counted = [one for one in kills if one.mutant.name not in equal]
    print(
        "| seed | killed | under a rule of the mutant | median s | 95th percentile s | most s |\n" + "| --- " * 6 + "|"
    )
    for seed in range(1, chosen.seeds + 1):
        of = [one for one in counted if one.seed == seed]
        dead = [one for one in of if one.found]
        took = sorted(one.seconds for one in dead)
        times = f"{statistics.median(took):.2f} | {took[int(len(took) * 0.95)]:.2f} | {took[-1]:.2f}"
        right = sum(one.right for one in dead)
        print(f"| {seed} | {len(dead)} of {len(of)} ({100 * len(dead) / len(of):.1f} %) | {right} | {times} |")
    left = sorted({one.mutant.name for one in counted if not one.found})
    for name in left:
        print(f"survives: {name}: seeds {[one.seed for one in counted if one.mutant.name == name and not one.found]}")
    print(f"{len(equal)} equivalent mutants apart; {chosen.jobs} walks at once; {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
