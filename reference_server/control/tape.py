"""
The exchanges that a server has seen, the newest of them, by number.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

MOST = 20_000
"""Exchanges that are kept."""

LARGEST = 64 << 20
"""Bytes of bodies that are kept."""


@dataclass(slots=True, eq=False)
class Answer:
    """
    What an exchange was answered: the status of HTTP, or the code of gRPC with its message for people.
    """

    status: int | str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    details: str = ""


@dataclass(slots=True, eq=False)
class Exchange:
    """
    One request as it came over the wire, and its answer once there is one.

    `template` is the path as the document or the service has it, empty where nothing has this path; `timeout` the
    seconds that a caller over gRPC gives the call; `cut` says that the body was longer than what is kept.
    """

    surface: str
    method: str
    template: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout: float | None = None
    cut: bool = False
    answer: Answer | None = None
    at: int = 0
    number: int = 0
    weight: int = field(default=0, repr=False)


class Page(NamedTuple):
    """
    Some exchanges in a row. `cursor` is where the next page begins; `missing`: so many before them are not kept.
    """

    exchanges: tuple[Exchange, ...]
    cursor: int
    more: bool
    missing: int


class Tape:
    """
    A bounded record; numbers count from 1 and are never used again.
    """

    def __init__(self, most: int = MOST, largest: int = LARGEST) -> None:
        self._most, self._largest = most, largest
        self._kept: deque[Exchange] = deque()
        self._number = self._weight = 0

    def __len__(self) -> int:
        """
        How many are kept.
        """
        return len(self._kept)

    @property
    def last(self) -> int:
        """
        The number of the newest exchange, 0 where there was none.
        """
        return self._number

    def add(self, exchange: Exchange) -> Exchange:
        """
        Keep an exchange.
        """
        self._number += 1
        exchange.number = self._number
        self._kept.append(exchange)
        self.weigh(exchange)
        return exchange

    def weigh(self, exchange: Exchange) -> None:
        """
        An exchange has grown: the oldest go until all of them fit.
        """
        if exchange.number < self._number - len(self._kept) + 1:
            return
        weight = len(exchange.body) + (len(exchange.answer.body) if exchange.answer else 0)
        self._weight += weight - exchange.weight
        exchange.weight = weight
        while self._kept and (len(self._kept) > self._most or self._weight > self._largest):
            self._weight -= self._kept.popleft().weight

    def clear(self) -> None:
        """
        Forget all of them; the numbers go on.
        """
        self._kept.clear()
        self._weight = 0

    def page(self, after: int, limit: int, largest: int = 8 << 20) -> Page:
        """
        At most so many exchanges after a number, and so many bytes of bodies; at least one where there is one.
        """
        first = self._number - len(self._kept) + 1
        begin = max(after + 1, first)
        found: list[Exchange] = []
        size = 0
        for number in range(begin, min(begin + limit, self._number + 1)):
            exchange = self._kept[number - first]
            size += exchange.weight
            if found and size > largest:
                break
            found.append(exchange)
        cursor = found[-1].number if found else min(max(after, first - 1), self._number)
        return Page(tuple(found), cursor, cursor < self._number, max(0, first - 1 - after))
