"""
How many single-cell faults a walk finds, by kind and seed, and how small it makes them.

    python benchmarks/walks.py [--seeds N=5] [--steps N=1000] [--all]
    python benchmarks/walks.py --sockets [--seeds N=5] [--jobs N] [--every N=1] [--record FILE]
    python benchmarks/walks.py --faultless [--steps N] [--first N=1]

Under a clock that is wound; with `--sockets` the command `walk` itself with its defaults, over real sockets, 30 s each.
`--all` shows each scenario of more than six steps. `--every 10` takes a tenth of the faults. `--first 3` begins with
seed 3. `--record` keeps results over sockets, so that an interrupted measurement goes on. `--faultless` walks the
server as it is in each profile, effects at once and late: what it finds is a false alarm.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from faulty import LATE, Yard, faults, settings
from sockets import LIMIT, NO_RUN, results

import spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockets import Result

SMALL = 6


def main() -> int:
    """
    Walk every fault under every seed.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sockets", action="store_true")
    parser.add_argument("--faultless", action="store_true")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--all", action="store_true")
    chosen = parser.parse_args()
    began = time.perf_counter()
    (_faultless if chosen.faultless else _over_sockets if chosen.sockets else _wound)(chosen)
    print(f"{time.perf_counter() - began:.0f} s")
    return 0


def _faultless(chosen: argparse.Namespace) -> None:
    for profile, settle in itertools.product(spec.profiles(), (0, LATE)):
        moves, found = Yard(profile).walk(chosen.first, chosen.steps, settle=settle)
        print(f"{profile}, --settle {settle}: {moves} moves, {found.finding if found else 'nothing found'}", flush=True)


def _wound(chosen: argparse.Namespace) -> None:
    held = spec.load()
    yards = {hold: Yard(hold=hold) for hold in ("", *held.machine.states)}
    killed, moves, sizes = defaultdict[tuple[str, int], list[bool]](list), list[int](), list[int]()
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        for fault in list(faults(held))[:: chosen.every]:
            settle, hold = settings(held, fault)
            yard = yards[hold]
            executed, found = yard.walk(seed, chosen.steps, fault, settle)
            killed[fault.kind, seed].append(found is not None)
            if found is None:
                print(f"seed {seed}: not found: {fault.name}", flush=True)
                continue
            moves.append(executed)
            told = yard.told(yard.shrunk(found, fault, settle))
            sizes.append(told.count("\n  - "))
            if sizes[-1] > SMALL and chosen.all:
                print(f"seed {seed}: {fault.name}: {sizes[-1]} steps\n{told}", flush=True)
    _table(killed)
    print(f"moves to find: median {statistics.median(moves):g}, most {max(moves)}")
    print(f"steps of scenarios: {_spread(sizes)}")


def _over_sockets(chosen: argparse.Namespace) -> None:
    every = list(faults(spec.load()))
    killed, found = defaultdict[tuple[str, int], list[bool]](list), list["Result"]()
    walked = defaultdict[tuple[str, int], list[bool]](list)
    numbers = range(0, len(every), chosen.every)
    for one in results(range(chosen.first, chosen.first + chosen.seeds), numbers, chosen.jobs, chosen.record):
        killed[every[one.number].kind, one.seed].append(one.killed)
        found += [one] if one.killed else []
        if not one.why.startswith(NO_RUN):
            walked["of those that could be walked", one.seed].append(one.killed)
        for why in _troubles(one):
            print(f"seed {one.seed}: {one.name}: {why}", flush=True)
        if one.number == numbers[-1]:
            print(f"seed {one.seed} is done", file=sys.stderr, flush=True)
    _table(killed)
    print("without those that no command runs on, because they cannot complete a first workflow (exit code 3):")
    _table(walked)
    print(f"seconds until it is found: {_times([one.seconds for one in found])}; limit {LIMIT:g}")
    print(f"seconds of the whole command: {_times([one.whole for one in found])}")
    print(f"steps of scenarios: {_spread([one.steps for one in found])}")
    print(f"scenarios that fail again when run: {sum(one.again for one in found)}/{len(found)}")


def _troubles(one: Result) -> Iterator[str]:
    if not one.killed:
        yield f"not killed: {one.why}"
    elif one.steps > SMALL:
        yield f"{one.steps} steps"
    if one.killed and not one.again:
        yield "its scenario does not fail each time"


def _table(killed: dict[tuple[str, int], list[bool]]) -> None:
    kinds = dict.fromkeys(kind for kind, _ in killed)
    print("| seed | " + " | ".join(kinds) + " | all |")
    for seed in dict.fromkeys(seed for _, seed in killed):
        every = [one for kind in kinds for one in killed[kind, seed]]
        print(f"| {seed} | " + " | ".join(_share(killed[kind, seed]) for kind in kinds) + f" | {_share(every)} |")


def _times(seconds: Sequence[float]) -> str:
    tenths = statistics.quantiles(seconds, n=10)
    return f"median {statistics.median(seconds):.1f}, nine of ten within {tenths[-1]:.1f}, most {max(seconds):.1f}"


def _spread(sizes: Sequence[int]) -> str:
    return ", ".join(f"{size}: {sizes.count(size)}" for size in sorted(set(sizes)))


def _share(found: Sequence[bool]) -> str:
    return f"{sum(found)}/{len(found)} ({100 * sum(found) / max(1, len(found)):.1f} %)"


if __name__ == "__main__":
    sys.exit(main())
