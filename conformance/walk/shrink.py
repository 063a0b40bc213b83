"""
Delta debugging: the least of a sequence that still fails.

Rule 1: pure; whoever asks tells whether a candidate fails.
Rule 2: what began with the last start is tried first: what came before it mattered, if at all, by the time it took,
and that is never the same twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .moves import START, Move

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STARTS = 6
"""So many of the last starts are tried as the beginning."""

Item = TypeVar("Item")


def least(items: Sequence[Item], fails: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """
    A subsequence that fails and of which no single item can be left out. The whole is known to fail.
    """
    kept = tuple(items)
    size = max(1, len(kept) // 2)
    while kept:
        before, place = len(kept), 0
        while place < len(kept):
            candidate = kept[:place] + kept[place + size :]
            if fails(candidate):
                kept = candidate
            else:
                place += size
        if size > 1:
            size = max(1, min(size // 2, len(kept) // 2))
        elif len(kept) == before:
            break
    return kept


def ends(moves: Sequence[Move]) -> Iterator[tuple[Move, ...]]:
    """
    What to try first: what follows each of the last starts, the shortest first; then the whole. Each as it was, with a
    wait for all effects before the last operation, and with one after each.
    """
    starts = [index for index, move in enumerate(moves) if move.op.operation == START]
    for begin in [*reversed(starts[-STARTS:]), 0]:
        some = tuple(moves[begin:])
        yield from dict.fromkeys((some, (*some[:-1], _wait(some[-1]), some[-1]), _patient(some)))


def _wait(move: Move) -> Move:
    return Move("settle", move.instance)


def _patient(moves: Sequence[Move]) -> tuple[Move, ...]:
    found: list[Move] = []
    for move in moves:
        found += (move, _wait(move)) if move.kind == "act" else (move,)
    return tuple(found)
