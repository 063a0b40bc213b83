"""
Request bodies, read up to a limit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import Receive, Send

    from .answers import Response

LINGER_SECONDS = 5.0
"""How long a body that was refused is read on, so that its sender gets to read the answer."""

LINGER_BYTES = 64 << 20
"""How much of it."""


class Gone(Exception):  # noqa: N818 - an event, not an error
    """
    The client left before its request was whole.
    """


class TooLarge(Exception):  # noqa: N818 - as Gone
    """
    The body is over the limit; the rest of it was not read.
    """


async def read(receive: Receive, limit: int) -> bytes:
    """
    The whole body.

    Raises TooLarge as soon as it is over the limit, Gone when it breaks off.
    """
    message = await receive()
    if message["type"] != "http.request":
        raise Gone
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise TooLarge
    if not message.get("more_body"):
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


async def present(receive: Receive, happening: Awaitable[None]) -> None:
    """
    Wait for something to happen, as long as the client is there.

    Raises Gone when it leaves first.
    """
    waits = {asyncio.ensure_future(happening), asyncio.ensure_future(_left(receive))}
    done, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for one in done:
        one.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise Gone


async def linger(answer: Response, receive: Receive, send: Send) -> None:
    """
    Answer, and pass over the rest of the request for a while before the connection closes.
    """
    start = {**answer.start, "headers": [*answer.start["headers"], (b"connection", b"close")]}
    await send(start)
    await send({**answer.body, "more_body": True})
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            await _pass_over(receive)
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


async def _pass_over(receive: Receive) -> None:
    left = LINGER_BYTES
    more = True
    while more and left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        more = bool(message.get("more_body"))
