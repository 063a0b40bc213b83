"""
Delta debugging: the least of a sequence that still fails.

Rule 1: pure; whoever asks tells whether a candidate fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
