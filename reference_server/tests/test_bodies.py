"""
Request bodies.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reference_server import bodies
from reference_server.answers import response


def receiving(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_parts_are_put_together() -> None:
    """
    Up to exactly the limit.
    """
    assert asyncio.run(bodies.read(receiving(part(b"ab"), part(b""), part(b"c", more=False)), 3)) == b"abc"


def test_reading_stops_at_the_limit() -> None:
    """
    What comes after it is not asked for.
    """
    with pytest.raises(bodies.TooLarge):
        asyncio.run(bodies.read(receiving(part(b"ab"), part(b"cd")), 3))


@pytest.mark.parametrize("before", [(), (part(b"a"),)])
def test_a_body_that_breaks_off_is_none(before: tuple[dict[str, Any], ...]) -> None:
    """
    At its beginning or in its middle.
    """
    with pytest.raises(bodies.Gone):
        asyncio.run(bodies.read(receiving(*before, {"type": "http.disconnect"}), 3))


def linger(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(bodies.linger(response(400, b"x"), receiving(*messages), send))
    return sent


def test_the_answer_goes_out_before_the_rest_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The response ends when the request has, or has gone on for too long.
    """
    monkeypatch.setattr(bodies, "LINGER_BYTES", 10)
    sent = linger(part(b"abc"), part(b"d" * 10), part(b"never"))

    assert [message.get("body") for message in sent] == [None, b"x", b""]
    assert [message.get("more_body") for message in sent] == [None, True, None]


def test_a_sender_that_stops_in_the_middle_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    For longer than a while.
    """
    monkeypatch.setattr(bodies, "LINGER_SECONDS", 0.001)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(bodies.linger(response(400, b"x"), receive, send))

    assert len(sent) == 3
