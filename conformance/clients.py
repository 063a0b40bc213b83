"""
Clients under test as surfaces: who makes their requests, and what came of each.

Rule 1: whatever becomes of a driver comes back as an Observation, never as an exception.
"""

from __future__ import annotations

import json as _json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import spec

from . import names
from .client import message
from .exchange import OK, Observation, Request, Said
from .match import Moment, Text
from .process import BrokenError, LateError, WrongError
from .report.text import ASK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .client import Client
    from .process import Answer
    from .wants import Planned

TEXTS = ("input", "output", "customStatus")
"""Words of the API whose value is the text of some JSON."""

TIMES = ("createdAt", "lastUpdatedAt")
"""Words of the API whose value is a time."""

DEADLINE = 30.0
"""Seconds for one call, beyond what a wait is given."""


class Drives:
    """
    Makes the requests of one client.
    """

    port = "client"

    def __init__(self, client: Client, workflows: Mapping[str, str]) -> None:
        self._client, self._workflows, self.url = client, workflows, f"client:{client.name}"

    def operation(  # noqa: PLR0913 - the arguments of an operation
        self,
        name: str,
        instance: str | None,
        *,
        workflow: str = "",
        event: str = "",
        body: bytes = b"",
        json: bool = False,
    ) -> Request:
        """
        The request of one operation on an instance; None: without an ID.
        """
        words: dict[str, Any] = {} if instance is None else {"instance": instance}
        words |= {"workflow": self._workflows.get(workflow, workflow)} if workflow else {}
        words |= {"name": event} if event else {}
        words |= {("data" if event else "input"): _json.loads(body)} if json else {}
        return request(self._client, name, words)

    def step(self, planned: Planned, known: Mapping[str, Any]) -> Request:
        """
        The request of a step, with everything that is known by now put in.
        """
        step = planned.step
        call = names.fill(dict(step.call), known)
        nameless = (step.operation == "start" and "id" in call) or not step.instance
        op, words = message(self._client, step, call, None if nameless else str(known[step.instance]))
        if "workflow" in words:
            words["workflow"] = self._workflows.get(words["workflow"], words["workflow"])
        return request(self._client, op, words)


class Asked(Protocol):
    """
    Anything that answers as a driver does.
    """

    name: str

    def ask(self, op: str, words: Mapping[str, Any], seconds: float) -> Answer:
        """
        One request and its answer. Raises BrokenError, LateError or WrongError.
        """
        ...


class Spoken:
    """
    A driver as a connection: one exchange is one message and its answer.
    """

    def __init__(self, driver: Asked, *, scale: float = 1.0) -> None:
        self._driver, self._scale = driver, scale

    def ask(self, asked: Request, deadline: float | None = None) -> Observation:
        """
        One exchange.
        """
        at, began = datetime.now(UTC).isoformat(timespec="microseconds"), time.monotonic()
        words = _json.loads(asked.text)
        limit = (deadline or DEADLINE * self._scale) + float(words.get("timeout", 0.0))

        def seen(**more: Any) -> Observation:
            return Observation(asked, at=at, seconds=round(time.monotonic() - began, 6), **more)

        try:
            answer = self._driver.ask(words.pop("op"), words, limit)
            said = asked.reads(answer.text.encode()) if asked.reads and answer.ok is not None else None
        except (BrokenError, LateError, WrongError) as error:
            return seen(status=None, trouble="driver", error=f"{self.address(asked)}: {error}")
        if answer.error is None:
            return seen(status=OK, body=answer.text.encode(), said=said)
        named, told = answer.error["class"], str(answer.error["message"])
        if named == "unsupported":
            why = f"{self.address(asked)}: hello declares what it answers with unsupported: {told}"
            return seen(status=None, trouble="driver", error=why)
        return seen(status=named, headers=(("type", str(answer.error["type"])),), body=told.encode("utf-8", "replace"))

    def headers(self, asked: Request) -> tuple[tuple[str, str], ...]:
        """
        What goes out with a request besides its body: nothing.
        """
        del asked
        return ()

    def address(self, asked: Request) -> str:
        """
        Where a request goes.
        """
        del asked
        return f"client:{self._driver.name}"


def request(one: Client, op: str, words: Mapping[str, Any]) -> Request:
    """
    A request to a driver. What it says is for people; what goes out gets an id on the way.
    """
    text = _json.dumps({"op": op, **words}, ensure_ascii=False, separators=(",", ":"))
    asked = words.get("instance")
    return Request(
        ASK, f"/{op}".encode(), (), text.encode(), text=text, reads=lambda raw: _said(one, asked, raw), via=one.name
    )


def _said(one: Client, asked: str | None, raw: bytes) -> Said:
    """
    What the answer of a driver says, in the words of the API.
    """
    ok = _json.loads(raw)["ok"]
    text = _json.dumps(ok, ensure_ascii=False)
    if "state" not in ok:
        made = ok.get("instance")
        fields = {} if made is None else {_word("instance"): made}
        wrong = []
        if made is not None and made != (asked or made or None):
            wrong.append(f"instance: it returns {made!r}, and {asked!r} was given" if asked else "it returns no ID")
        return Said(fields, absent=ok.get("purged") is False, problems=tuple(wrong), text=text)
    state = ok["state"]
    if state is None:
        return Said(absent=True, text=text)
    fields = {_word(name): value for name, value in state.items() if value is not None}
    fields |= {word: Text(fields[word]) for word in TEXTS if word in fields}
    fields |= {word: Moment(fields[word]) for word in TIMES if word in fields}
    if any((fields.get("failure") or {}).values()):
        fields["failure"] = {key: value for key, value in fields["failure"].items() if value}
    return Said(fields, problems=tuple(_wrong(one, asked, state)), text=text)


def _wrong(one: Client, asked: str | None, state: Mapping[str, Any]) -> list[str]:
    """
    In what a state is not the whole of what this SDK shows of the instance that was asked for.
    """
    found = [f"{name} is missing" for name in sorted(one.fields) if name not in state]
    if state["status"] not in one.statuses.values():
        found.append(f"status: {state['status']!r} is none of the SDK's own names")
    if asked is not None and state["instance"] != asked:
        found.append(f"instance: it shows {state['instance']!r}, and {asked!r} was asked for")
    return found


def _word(name: str) -> str:
    return str(spec.drivers()["fields"][name])
