"""
A request and what came of it, as values: all that the judge ever sees of a connection.

Rule 1: a surface is known by what a request carries: how its answer is read. Nothing here knows which there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Trouble = Literal["", "environment", "protocol", "driver"]

OK = "OK"
"""The status of a call that went well, where statuses have names."""


@dataclass(frozen=True, slots=True)
class Said:
    """
    What the bytes of an answer say: the fields of an instance in the words of the API, whether they say that there is
    none, in what they are not as they must be, and all of it as text for people.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    absent: bool = False
    problems: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """
    A request, byte for byte; a header of None is left out. `retriable`: sending it twice does no harm.

    A call of a method has `reads`, which tells what its answer says, and `text`, its message for people. `within`:
    the caller itself gives up after so many seconds, which is an answer then; infinite: it says no time. `via`: the
    client under test that is to make the call, empty where the kit makes it itself.
    """

    method: str
    target: bytes
    headers: tuple[tuple[str, str | None], ...] = ()
    body: bytes = b""
    retriable: bool = False
    text: str = ""
    reads: Callable[[bytes], Said] | None = None
    within: float | None = None
    via: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """
    What was seen. Without a status there was no answer: `environment` when nobody answered in time,
    `protocol` when what came is no answer, or not the whole of one, `driver` when the driver of a client failed. The
    status is a number of HTTP, the name of one of gRPC, or the class of a client's error; the answer to a call that
    went well has `said`.
    """

    request: Request
    status: int | str | None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    trouble: Trouble = ""
    error: str = ""
    at: str = ""
    seconds: float = 0.0
    said: Said | None = None

    @property
    def accepted(self) -> bool:
        """
        Whether it accepts.
        """
        if isinstance(self.status, int):
            return 200 <= self.status < 300  # noqa: PLR2004
        return self.status == OK and not (self.said and self.said.absent)

    @property
    def refused(self) -> bool:
        """
        Whether it refuses.
        """
        if isinstance(self.status, int):
            return 400 <= self.status < 600  # noqa: PLR2004
        return self.status is not None and not self.accepted

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
        return self.said.text if self.said else self.body.decode("utf-8", "replace")
