"""
Calls that wait until something has happened to an instance.

Rule 1: a wait is one future; it costs nothing while nothing happens to its instance.
Rule 2: a wait that is cancelled, by its client or by a deadline, leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine


class Waiting:
    """
    Everything that waits for a change of an instance of one engine.
    """

    __slots__ = ("_waits",)

    def __init__(self, engine: Engine) -> None:
        self._waits: dict[str, set[asyncio.Future[None]]] = {}
        engine.listener = self.tell

    def __len__(self) -> int:
        """
        How many wait.
        """
        return sum(map(len, self._waits.values()))

    def tell(self, instance: str) -> None:
        """
        Something has happened to an instance: whoever waits for it looks again.
        """
        for future in self._waits.pop(instance, ()):
            if not future.done():
                future.set_result(None)

    async def until(self, instance: str, holds: Callable[[], bool]) -> None:
        """
        Wait until something holds, looking again whenever something has happened to an instance.
        """
        while not holds():
            await self._change(instance)

    async def _change(self, instance: str) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waits.setdefault(instance, set()).add(future)
        try:
            await future
        finally:
            others = self._waits.get(instance)
            if others is not None:
                others.discard(future)
                if not others:
                    del self._waits[instance]
