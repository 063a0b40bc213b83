"""
One case's conversation with the server: every exchange is recorded, and none outlives the run.

Rule 1: after an exchange without an answer the server is looked at again; a dead one ends the run, not the case.
Rule 2: every wait can be cut short, by the end of the case's time or of the run.
"""

from __future__ import annotations

import base64
import itertools
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from .errors import CannotRun, KitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .calls import Asks
    from .connection import Connection
    from .contract import Contract
    from .control import Control
    from .exchange import Observation, Request
    from .sent import Sent

Event = dict[str, Any]

KEPT = 64 * 1024
"""Bytes of a body that are recorded."""

CLIENT = "client"
"""The kind of port that an SDK under test is behind."""

AFTER = 0.05
"""Seconds after the answer of a client in which it may still send something."""

PATIENCE = 8
"""So many requests without an answer in one run are taken for a server that hangs."""


class StoppedError(Exception):
    """
    A case cannot go on: its time is over, or the run is. The text says why.
    """


@dataclass(slots=True)
class Server:
    """
    The server under test as all cases share it.

    `control` is that of a server which has one. `probe` tells whether it still answers; `asks` makes the requests of
    each surface, for steps that are on another than their case; `stop` is set when the run is to end.
    """

    connection: Connection
    contract: Contract
    url: str
    emit: Callable[[Event], None]
    probe: Callable[[], bool]
    restart: Callable[[], None] | None = None
    scale: float = 1.0
    asks: Mapping[str, Asks] = field(default_factory=dict)
    control: Control | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    gone: str = ""
    silent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def afresh(self) -> Self:
        """
        The same server, with nothing held against it.
        """
        return replace(self, stop=threading.Event(), gone="", silent=0, lock=threading.Lock())

    def silence(self, saw: Observation) -> bool:
        """
        An exchange gave no answer: whether the server is still there. Raises CannotRun where the run must end.
        """
        if self.probe():
            with self.lock:
                self.silent += saw.trouble == "environment"
                many = self.silent
            if many < PATIENCE:
                return True
            self._end(f"{many} requests got no answer; the last: {saw.error}")
        else:
            self._end(f"the server is gone; last seen: {saw.error}")
        raise CannotRun(self.gone)

    def _end(self, why: str) -> None:
        with self.lock:
            self.gone = self.gone or f"{self.url}: {why}"
        self.stop.set()


class Talk:
    """
    The conversation of one attempt at one case.
    """

    def __init__(self, server: Server, calls: Asks, case: str, attempt: int, seconds: float) -> None:
        self.server, self.calls, self.case, self.attempt = server, calls, case, attempt
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        self._numbers = itertools.count(1)

    def ask(self, request: Request, step: int, barrier: threading.Barrier | None = None) -> tuple[Observation, int]:
        """
        One exchange, with the number it is recorded under.
        """
        if barrier:
            barrier.wait(timeout=30)
        saw = self.server.connection.ask(request)
        event = self.event(saw, step)
        number = int(event["n"])
        self.server.emit(event)
        if saw.trouble == "driver":
            return saw, number
        if saw.status is None and not self.server.stop.is_set():
            try:
                self.server.silence(saw)
            except CannotRun as error:
                saw = replace(saw, trouble="environment", error=str(error))
        elif saw.status is None:
            saw = replace(saw, trouble="environment")
        return saw, number

    def mark(self) -> str:
        """
        Where the exchanges that come from now on begin.
        """
        return self._control.mark()

    def sent(self, since: str, step: int) -> tuple[Sent, ...]:
        """
        What the server has been asked since then, by whoever is under test; it is recorded.

        A client may ask once more although it has answered; the kit's own do not, and nobody waits for them.
        """
        if self.calls.port == CLIENT:
            self.pause(AFTER)
        exchanges, sent = self._control.since(since)
        told = {"event": "wire", "case": self.case, "attempt": self.attempt, "step": step}
        self.server.emit({**told, "exchanges": [_short(one) for one in exchanges]})
        return sent

    def trouble(self, fault: Mapping[str, Any]) -> None:
        """
        Make trouble on the server, in place of what there was; none without a word.
        """
        self._control.trouble([fault] if fault else [])

    @property
    def _control(self) -> Control:
        if self.server.control is None:
            raise KitError("this case needs the control of the server, and the server has none")
        return self.server.control

    def check_time(self) -> None:
        """
        Raises StoppedError when the case must not go on.
        """
        if self.server.stop.is_set():
            raise StoppedError(self.server.gone or "the run was stopped")
        if time.monotonic() > self._until:
            raise StoppedError(f"the case took longer than {self._seconds:g} s")

    def pause(self, seconds: float) -> None:
        """
        Wait, but not longer than the case or the run lasts.
        """
        self.server.stop.wait(max(0.0, min(seconds, self._until - time.monotonic() + 0.01)))
        self.check_time()

    def event(self, saw: Observation, step: int) -> Event:
        """
        The event that records an exchange; step 0 is no step of the scenario.
        """
        request = saw.request
        response = None
        if saw.status is not None:
            response = {"status": saw.status, "headers": joined(saw.headers), **_answer(saw)}
        target = request.target.decode("utf-8", "backslashreplace")
        return {
            "event": "exchange",
            "case": self.case,
            "attempt": self.attempt,
            "n": next(self._numbers),
            "step": step,
            "at": saw.at,
            "seconds": saw.seconds,
            "request": {
                "method": request.method,
                "url": self.server.connection.address(request) + target,
                "headers": joined(self.server.connection.headers(request)),
                **_body(request.text.encode() if request.reads else request.body),
            },
            "response": response,
            "error": saw.error,
        }


def _short(exchange: Mapping[str, Any]) -> Event:
    """
    An exchange as it is recorded: bodies no longer than those of other exchanges, messages as their bytes say them.
    """

    def cut(held: Mapping[str, Any]) -> Event:
        long = {key for key in ("body", "body_base64") if len(held.get(key, "")) > KEPT}
        kept = {key: value[:KEPT] if key in long else value for key, value in held.items()}
        if long:
            kept.pop("message", None)
        return {**kept, **({"truncated": True} if long else {})}

    answer = exchange["answer"]
    return {**cut(exchange), "answer": cut(answer) if answer else None}


def joined(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """
    Headers as a mapping; those that came several times, joined.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _answer(saw: Observation) -> Event:
    """
    The body of an answer; where it is a message that is wrong, its bytes too.
    """
    if saw.said is None:
        return _body(saw.body)
    found = _body(saw.said.text.encode("utf-8", "backslashreplace"))
    if saw.said.problems:
        found["body_base64"] = base64.b64encode(saw.body[:KEPT]).decode()
    return found


def _body(raw: bytes) -> Event:
    cut = raw[:KEPT]
    found: Event = {}
    try:
        found["body"] = cut.decode()
    except UnicodeDecodeError:
        found["body"] = cut.decode("utf-8", "replace")
        found["body_base64"] = base64.b64encode(cut).decode()
    if len(raw) > KEPT:
        found["truncated"] = True
    return found
