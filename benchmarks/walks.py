"""
How many single-cell faults a walk finds, by kind and seed, and how small it makes them.

    python benchmarks/walks.py [--seeds N=5] [--steps N=1000] [--all]

`--all` shows each fault that a walk did not find, and each scenario of more than six steps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict

from faulty import Yard, faults, settings

import spec

SMALL = 6


def main() -> int:
    """
    Walk every fault under every seed.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--all", action="store_true")
    chosen = parser.parse_args()
    held = spec.load()
    yards = {hold: Yard(hold=hold) for hold in ("", *held.machine.states)}
    killed, moves, sizes = defaultdict(list), [], []
    began = time.perf_counter()
    for seed in range(1, chosen.seeds + 1):
        for fault in faults(held):
            settle, hold = settings(held, fault)
            yard = yards[hold]
            executed, found = yard.walk(seed, chosen.steps, fault, settle)
            killed[fault.kind, seed].append(found is not None)
            if found is None:
                print(f"seed {seed}: not found: {fault.name}") if chosen.all else None
                continue
            moves.append(executed)
            small = yard.shrunk(found, fault, settle)
            steps = sum(line.startswith("  - ") for line in yard.told(small).splitlines())
            sizes.append(steps)
            if steps > SMALL and chosen.all:
                print(f"seed {seed}: {fault.name}: {steps} steps\n{yard.told(small)}")
    kinds = dict.fromkeys(kind for kind, _ in killed)
    print("| seed | " + " | ".join(kinds) + " | all |")
    for seed in range(1, chosen.seeds + 1):
        cells = [_share(killed[kind, seed]) for kind in kinds]
        print(
            f"| {seed} | " + " | ".join(cells) + f" | {_share([one for kind in kinds for one in killed[kind, seed]])} |"
        )
    print(f"moves to find: median {statistics.median(moves):g}, most {max(moves)}")
    spread = {size: sizes.count(size) for size in sorted(set(sizes))}
    print(f"steps of scenarios: {spread}; {time.perf_counter() - began:.0f} s")
    return 0


def _share(found: list[bool]) -> str:
    return f"{sum(found)}/{len(found)} ({100 * sum(found) / max(1, len(found)):.1f} %)"


if __name__ == "__main__":
    sys.exit(main())
