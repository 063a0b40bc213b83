"""
Trouble that somebody asked for: answers that come late, not at all, or with another status.

Rule 1: pure; what happens is decided here, and done where the answers are sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .tape import Exchange

STATUS, CODE = {"http": "status"}, "code"
"""The key that says with which status an exchange of a surface ends, and that of all other surfaces."""


@dataclass(slots=True, eq=False)
class Trouble:
    """
    One fault. `where` names the operation, surface, template, and a text that the path, the query or the body contains;
    all that are named must be so. `left` is how many exchanges it still meets, None for all that come.

    `delay` is in seconds; `drop`: the `request` is lost, or only the `answer`; `status` and `code` end the exchange in
    place of the server.
    """

    where: dict[str, str]
    left: int | None = None
    delay: float = 0.0
    drop: str = ""
    status: int = 0
    code: str = ""
    message: str = ""
    met: int = 0

    def meets(self, exchange: Exchange, operation: str) -> bool:
        """
        Whether it concerns an exchange.
        """
        if self.left == 0 or not (self.delay or self.ends(exchange.surface)):
            return False
        seen = {"operation": operation, "surface": exchange.surface, "template": exchange.template}
        wanted = {key: value for key, value in self.where.items() if key != "contains"}
        if any(seen[key] != value for key, value in wanted.items()):
            return False
        text = self.where.get("contains", "")
        return text in exchange.path or text in exchange.query or text.encode() in exchange.body

    def met_by(self) -> None:
        """
        It has met one more exchange.
        """
        self.met += 1
        if self.left is not None:
            self.left -= 1

    def ends(self, surface: str) -> bool:
        """
        Whether it stands in place of the server's answer on a surface; a status of HTTP is none of gRPC.
        """
        return bool(self.drop or getattr(self, STATUS.get(surface, CODE)))

    def as_data(self) -> dict[str, Any]:
        """
        As it is shown.
        """
        told = {
            "delay": self.delay,
            "drop": self.drop,
            "status": self.status,
            "code": self.code,
            "message": self.message,
        }
        shown: dict[str, Any] = {"where": self.where, **{key: value for key, value in told.items() if value}}
        return {**shown, "met": self.met, **({} if self.left is None else {"left": self.left})}


def troubles(data: Sequence[dict[str, Any]]) -> list[Trouble]:
    """
    From data that the schema has let pass.
    """
    return [Trouble(**{("left" if key == "times" else key): value for key, value in one.items()}) for one in data]


def met(every: Sequence[Trouble], exchange: Exchange, operation: str) -> Trouble | None:
    """
    The first that concerns an exchange, which counts.
    """
    found = next((one for one in every if one.meets(exchange, operation)), None)
    if found is not None:
        found.met_by()
    return found
