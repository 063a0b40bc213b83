"""
The wall: `/__control/` of a server, which tells what it was asked and makes trouble on purpose.

Rule 1: it goes over a connection of its own; nothing of it is seen among what it tells.
Rule 2: an answer that is not as spec/schemas/control.json says ends the case, as an error.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs

import spec

from .connection import DEADLINE, Http
from .errors import CannotRun
from .exchange import Request
from .lint import CONTROL
from .sent import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .contract import Contract
    from .sent import Sent
    from .target import Target

PATH, VERSION = "/__control/", 1
_PAGE = 500


def controlled(target: Target, contract: Contract, scale: float) -> Control | None:
    """
    The control of a target that claims one. Raises CannotRun where it has none.
    """
    if CONTROL not in target.capabilities:
        return None
    if not target.server:
        raise CannotRun(f"target {target.name} claims the capability control, which goes over HTTP; say server: URL")
    found = Control(target.server, Reader(contract), deadline=DEADLINE * scale)
    try:
        found.mark()
    except CannotRun:
        found.close()
        raise
    return found


class Control:
    """
    The control of one server. What it tells is read by `reader`.
    """

    def __init__(self, server: str, reader: Reader, *, deadline: float) -> None:
        self._http, self._reader = Http(server, deadline=deadline), reader

    def mark(self) -> str:
        """
        The cursor behind the newest exchange.
        """
        return str(self._ask("GET", "")["exchanges"]["last"])

    def since(self, cursor: str) -> tuple[tuple[Mapping[str, Any], ...], tuple[Sent, ...]]:
        """
        The exchanges behind a cursor, as they are told and as they are read.

        Raises CannotRun where some of them are not kept any more.
        """
        found: list[Mapping[str, Any]] = []
        more = True
        while more:
            page = self._ask("GET", f"exchanges?after={cursor}&limit={_PAGE}", shape="exchanges")
            if page["missing"]:
                raise CannotRun(f"{self._http.url}{PATH} does not keep {page['missing']} exchanges any more")
            found += page["exchanges"]
            cursor, more = page["cursor"], page["more"]
        return tuple(found), tuple(map(self._reader, found))

    def trouble(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """
        What goes wrong from now on.
        """
        self._ask("PUT", "faults", {"version": VERSION, "faults": list(faults)}, shape="faults")

    def close(self) -> None:
        """
        Close the connection.
        """
        self._http.close()

    def _ask(self, method: str, name: str, body: Any = None, *, shape: str = "") -> dict[str, Any]:
        sent = b"" if body is None else json.dumps(body).encode()
        saw = self._http.ask(Request(method, (PATH + name).encode(), (), sent, retriable=method == "GET"))
        try:
            answer = json.loads(saw.body) if saw.status == 200 else None  # noqa: PLR2004 - well
        except ValueError:
            answer = None
        good = isinstance(answer, dict) and answer.get("version") == VERSION
        if not good or (shape and not _validator(shape).is_valid(answer)):
            seen = saw.error or f"status {saw.status}: {' '.join(saw.text[:200].split())}"
            raise CannotRun(
                f"{self._http.url}{PATH} is not the control of a reference server: {seen}\n"
                "Start the server with --control, or do not claim the capability control."
            )
        return dict(answer)  # type: ignore[arg-type]


@cache
def _validator(shape: str) -> jsonschema_rs.Draft202012Validator:
    definitions = spec.schema("control")["$defs"]
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{shape}", "$defs": definitions})
