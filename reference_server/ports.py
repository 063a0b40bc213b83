"""
What the server asks of the world: the time, new IDs, and someone who runs workflows. The real ones and the manual ones.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .instance import Activity, Decision, Result, Turn


class Clock(Protocol):
    """
    Nanoseconds since the epoch, never going back.
    """

    def now(self) -> int:
        """
        The time.
        """


class Ids(Protocol):
    """
    IDs for instances that were started without one.
    """

    def new(self) -> str:
        """
        An ID that nobody has.
        """


class Executor(Protocol):
    """
    Runs turns and activities. The same turn always gets the same decision.
    """

    @property
    def workers(self) -> int:
        """
        How many workers are connected.
        """

    def turn(self, turn: Turn) -> Decision:
        """
        What the workflow does next.
        """

    def activity(self, activity: Activity) -> Result:
        """
        What the activity comes to.
        """


class Workers(Protocol):
    """
    Executors elsewhere, which give their decisions back to the engine in their own time.
    """

    @property
    def name(self) -> str:
        """
        Their name as an executor.
        """

    def __len__(self) -> int:
        """
        How many are connected.
        """

    def send(self, work: Turn | Activity) -> None:
        """
        Take on a turn or an activity.
        """


class WallClock:
    """
    The wall clock at the start, the monotonic clock from there on.
    """

    __slots__ = ("_base",)

    def __init__(self) -> None:
        self._base = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """
        The time.
        """
        return self._base + time.monotonic_ns()


class ManualClock:
    """
    A clock that somebody else winds.
    """

    __slots__ = ("_now",)

    def __init__(self, now: int = 0) -> None:
        self._now = now

    def now(self) -> int:
        """
        The time.
        """
        return self._now

    def advance(self, nanoseconds: int) -> int:
        """
        Let time pass; how late it is then.
        """
        self._now += max(nanoseconds, 0)
        return self._now


class WoundClock:
    """
    A clock that goes by itself, that somebody can wind on, and stop for a while.
    """

    __slots__ = ("_ahead", "_behind", "_stopped")

    def __init__(self, behind: Clock) -> None:
        self._behind, self._ahead, self._stopped = behind, 0, 0

    @property
    def stopped(self) -> bool:
        """
        Whether it goes only when it is wound.
        """
        return bool(self._stopped)

    def now(self) -> int:
        """
        The time.
        """
        return (self._stopped or self._behind.now()) + self._ahead

    def advance(self, nanoseconds: int) -> int:
        """
        Let time pass; how late it is then.
        """
        self._ahead += max(nanoseconds, 0)
        return self.now()

    def stop(self) -> None:
        """
        Go only when wound.
        """
        self._stopped = self._stopped or self._behind.now()

    def go(self) -> None:
        """
        Go by itself again, from the time that it shows.
        """
        if self._stopped:
            self._ahead -= self._behind.now() - self._stopped
            self._stopped = 0


class RandomIds:
    """
    UUIDs of version 4, in lower case with dashes, as daprd makes them (dapr pkg/api/universal/workflow.go:131).
    """

    __slots__ = ()

    def new(self) -> str:
        """
        An ID that nobody has.
        """
        return str(uuid.uuid4())


class CountingIds:
    """
    `id-1`, `id-2`, ...
    """

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        """
        The next ID.
        """
        self._count += 1
        return f"id-{self._count}"
