"""
What is due when.

Rule 1: adding, cancelling and popping cost the same however much is on the agenda.
Rule 2: what was cancelled is forgotten; a heap of dead entries is rebuilt.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

_SLACK = 64
"""Dead entries that are tolerated besides as many as there are live ones."""

Key = TypeVar("Key", bound="Hashable")


class Agenda(Generic[Key]):
    """
    Keys with a due time each; equal times come out in the order they went in.
    """

    __slots__ = ("_heap", "_live", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Key]] = []
        self._live: dict[Key, tuple[int, int, Key]] = {}
        self._order = count()

    def __len__(self) -> int:
        """
        How many keys are on the agenda.
        """
        return len(self._live)

    def add(self, key: Key, due: int) -> None:
        """
        Put a key on the agenda; one that is on it already keeps the earlier time.
        """
        live = self._live.get(key)
        if live is not None and live[0] <= due:
            return
        entry = (due, next(self._order), key)
        self._live[key] = entry
        heappush(self._heap, entry)

    def cancel(self, key: Key) -> None:
        """
        Take a key off, if it is on.
        """
        if self._live.pop(key, None) is not None and len(self._heap) > 2 * len(self._live) + _SLACK:
            self._heap = list(self._live.values())
            heapify(self._heap)

    def pop(self, now: int) -> Key | None:
        """
        The key that has been due the longest, or None.
        """
        due = self.next_due()
        if due is None or due > now:
            return None
        key = heappop(self._heap)[2]
        del self._live[key]
        return key

    def next_due(self) -> int | None:
        """
        When something is due next.
        """
        heap, live = self._heap, self._live
        while heap:
            entry = heap[0]
            if live.get(entry[2]) is entry:
                return entry[0]
            heappop(heap)
        return None
