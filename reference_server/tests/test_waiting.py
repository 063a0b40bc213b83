from __future__ import annotations

import asyncio

from reference_server.engine import Engine
from reference_server.waiting import Waiting
from spec import load


def waiting() -> Waiting:
    loaded = load()
    return Waiting(Engine(loaded.machine, loaded.replies))


def test_what_holds_is_not_waited_for() -> None:
    """
    A wait for what is so already ends at once.
    """
    asyncio.run(waiting().until("a", lambda: True))


def test_a_wait_looks_again_when_something_happens() -> None:
    """
    Only news of its own instance wakes a wait, and only what it waits for ends it.
    """

    async def story() -> None:
        waits, looked = waiting(), []

        def holds() -> bool:
            looked.append(1)
            return len(looked) > 2

        wait = asyncio.ensure_future(waits.until("a", holds))
        for name, times in (("b", 1), ("a", 2), ("b", 2), ("a", 3)):
            await asyncio.sleep(0)
            waits.tell(name)
            await asyncio.sleep(0)
            assert len(looked) == times
        await wait
        assert len(waits) == 0

    asyncio.run(story())


def test_what_is_cancelled_leaves_nothing() -> None:
    """
    Of two waits one is cancelled; the other goes on, and after it nothing is left.
    """

    async def story() -> None:
        waits = waiting()
        first, second = (asyncio.ensure_future(waits.until("a", lambda: False)) for _ in range(2))
        await asyncio.sleep(0)
        assert len(waits) == 2
        for one, left in ((first, 1), (second, 0)):
            one.cancel()
            await asyncio.gather(one, return_exceptions=True)
            assert len(waits) == left
        waits.tell("a")

    asyncio.run(story())


def test_one_that_is_cancelled_while_it_is_told() -> None:
    """
    News and a cancellation in the same moment do each other no harm.
    """

    async def story() -> None:
        waits = waiting()
        wait = asyncio.ensure_future(waits.until("a", lambda: False))
        await asyncio.sleep(0)
        wait.cancel()
        waits.tell("a")
        await asyncio.gather(wait, return_exceptions=True)
        assert wait.cancelled()
        assert len(waits) == 0

    asyncio.run(story())
