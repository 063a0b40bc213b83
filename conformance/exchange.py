"""
A request and what came of it, as values: all that the judge ever sees of a connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Trouble = Literal["", "environment", "protocol"]


@dataclass(frozen=True, slots=True)
class Request:
    """
    A request, byte for byte; a header of None is left out. `retriable`: sending it twice does no harm.
    """

    method: str
    target: bytes
    headers: tuple[tuple[str, str | None], ...] = ()
    body: bytes = b""
    retriable: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """
    What was seen. Without a status there was no answer: `environment` when nobody answered in time,
    `protocol` when what came is no HTTP, or not the whole of it.
    """

    request: Request
    status: int | None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    trouble: Trouble = ""
    error: str = ""
    at: str = ""
    seconds: float = 0.0

    @property
    def media(self) -> str:
        """
        The content type, empty where none was sent.
        """
        return next((value for name, value in self.headers if name.lower() == "content-type"), "")

    @property
    def text(self) -> str:
        """
        The body as text.
        """
        return self.body.decode("utf-8", "replace")
