"""
Clocks and IDs.
"""

import time
import uuid

from reference_server.ports import CountingIds, ManualClock, RandomIds, WallClock


def test_the_wall_clock_never_goes_back() -> None:
    """
    It starts at the wall's time and goes on from there.
    """
    before = time.time_ns()
    clock = WallClock()
    times = [clock.now() for _ in range(1000)]

    assert times == sorted(times)
    assert times[0] >= before - 1_000_000


def test_a_manual_clock_goes_as_it_is_wound_but_never_back() -> None:
    """
    Time passes when the test says so.
    """
    clock = ManualClock(5)

    assert (clock.advance(3), clock.advance(-3), clock.now()) == (8, 8, 8)


def test_ids_are_distinct() -> None:
    """
    Random IDs are UUIDs of version 4, counted ones count.
    """
    first, second = RandomIds().new(), RandomIds().new()
    counting = CountingIds()

    assert first != second
    assert uuid.UUID(first).version == 4
    assert (counting.new(), counting.new()) == ("id-1", "id-2")
