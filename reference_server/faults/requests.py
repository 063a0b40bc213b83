"""
Faults of requests: what is not read, read too strictly, or done although it was refused; and what clashes.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import spec
from reference_server.instance import DELIVERED, GET, PAUSE, PURGE, RAISE_EVENT, RESUME, START, TERMINATE

from .mutant import Fault, same
from .wire import (
    ACCEPTED,
    LONGEST,
    Asked,
    Memory,
    Said,
    answered,
    asking,
    exchanged,
    json_of,
    refusal,
    refused,
    slow,
    with_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_server.ports import Ids

HELD = 0.2
"""Seconds that a request is held to see what comes at the same time."""

PLAIN = DELIVERED - {RAISE_EVENT} | {GET, PURGE}
"""The operations whose body is read and ignored."""


def clash(operation: str, *, reading: bool = False) -> Fault:
    """
    Of requests for one operation on one instance that come at the same time none has an effect, or one is refused.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        if asked.operation != operation:
            said: Said = await ask(asked)
            return said
        key = asked.instance
        memory.busy[key] += 1
        memory.counts[key] = max(memory.counts[key], memory.busy[key])
        await asyncio.sleep(HELD)
        clashes = memory.counts[key] > 1
        said = ACCEPTED if clashes and not reading else refusal(500) if clashes else await ask(asked)
        memory.busy[key] -= 1
        if not memory.busy[key]:
            memory.counts[key] = 0
        return said

    return exchanged(exchange)


def unlike() -> Fault:
    """
    Of different operations on one instance that come at the same time none has an effect.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        if asked.operation not in DELIVERED:
            said: Said = await ask(asked)
            return said
        key = object()
        memory.values[key] = asked
        await asyncio.sleep(HELD)
        here = {one.operation for one in memory.values.values() if one.instance == asked.instance}
        await asyncio.sleep(HELD)
        del memory.values[key]
        lost: Said = ACCEPTED if len(here) > 1 else await ask(asked)
        return lost

    return exchanged(exchange)


def mixing() -> Fault:
    """
    Operations on different instances that come at the same time change places.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        key = object()
        if asked.operation not in DELIVERED:
            said: Said = await ask(asked)
            return said
        memory.values[key] = asked
        await asyncio.sleep(HELD)
        other = next((one for one in memory.values.values() if one.instance != asked.instance), None)
        await asyncio.sleep(HELD)
        del memory.values[key]
        path = asked.path if other is None else asked.path.replace(f"/{asked.instance}/", f"/{other.instance}/")
        moved: Said = await ask(replace(asked, path=path))
        return moved

    return exchanged(exchange)


def apart(version: str) -> Fault:
    """
    One API version has instances of its own.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        del memory
        mark = "_"
        if asked.version != version or not asked.instance or asked.operation == "":
            said: Said = await ask(asked)
            return said
        query = asked.query.replace(asked.instance, asked.instance + mark)
        path = asked.path.replace(f"/{asked.instance}", f"/{asked.instance}{mark}")
        said = await ask(replace(asked, path=path, query=query))
        old, new = (asked.instance + mark).encode(), asked.instance.encode()
        return replace(said, body=said.body.replace(old, new))

    return exchanged(exchange)


def broken(version: str, operation: str, answer: Said | None = None) -> Fault:
    """
    One operation of one API version has no effect, or gives another answer.
    """
    said = answer or ACCEPTED
    return asking(
        lambda asked, _: said if (asked.version, asked.operation) == (version, operation) else asked,
    )


def done_all_the_same() -> Fault:
    """
    A request that is refused for its body or for its token is carried out.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        del memory
        said: Said = await ask(asked)
        if said.status == refusal().status and asked.operation in PLAIN:
            await ask(replace(asked, body=b""))
        return said

    return exchanged(exchange)


def creating() -> Fault:
    """
    An ID that is refused is started all the same: whoever asks for it finds it.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        said: Said = await ask(asked)
        if asked.operation == START and said.status == refusal().status:
            free = await ask(replace(asked, query=""))
            made = json_of(free)
            if isinstance(made, dict) and "instanceID" in made:
                memory.values[asked.instance] = made["instanceID"]
        elif asked.operation == GET and asked.instance in memory.values:
            head = asked.path.rpartition("/")[0]
            said = await ask(replace(asked, path=f"{head}/{memory.values[asked.instance]}"))
        return said

    return exchanged(exchange)


def _query(change: Callable[[str], str]) -> Fault:
    return asking(lambda asked, _: replace(asked, query=change(asked.query)) if asked.operation == START else asked)


def _path(change: Callable[[str], str]) -> Fault:
    return asking(lambda asked, _: replace(asked, path=change(asked.path)))


def _unclean(asked: Asked) -> bool:
    return "//" in asked.path or "/./" in asked.path or "/../" in asked.path or asked.path.endswith(("/", "/.", "/.."))


def _typed(asked: Asked) -> bool:
    return any(name == b"content-type" and value == b"application/json" for name, value in asked.headers)


def _json(asked: Asked) -> bool:
    with suppress(ValueError):
        json.loads(asked.body or b"0")
        return True
    return False


@cache
def _names() -> frozenset[str]:
    return frozenset({"instanceID", "appID"} | set(spec.openapi()["components"]["parameters"]))


def _component(asked: Asked) -> str:
    parts = asked.path.split("/")
    return parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - /version/workflows/component


def _text(asked: Asked, _: Memory) -> Asked:
    return replace(asked, body=asked.body.decode("utf-8", "replace").encode()) if asked.operation == START else asked


def _payload(asked: Asked, _: Memory) -> Asked:
    text = asked.body.decode("utf-8", "replace").encode()
    return replace(asked, body=text) if asked.operation == RAISE_EVENT else asked


def _unread(asked: Asked, _: Memory) -> Asked:
    return replace(asked, body=b"") if asked.operation in PLAIN else asked


class Constant:
    """
    IDs of which all are the same, or none is valid.
    """

    def __init__(self, before: Ids, *, same_one: bool) -> None:
        self._before, self._same = before, same_one

    def new(self) -> str:
        """
        An ID.
        """
        return "made-up" if self._same else f"{self._before.new()}.made"


REQUESTS: dict[str, Fault] = {
    "together/reads_refused": clash(GET, reading=True),
    "together/events_lost": clash(RAISE_EVENT),
    "together/pauses_lost": clash(PAUSE),
    "together/terminates_lost": clash(TERMINATE),
    "together/purges_lost": clash(PURGE),
    "together/unlike_lost": unlike(),
    "together/mixed": mixing(),
    "request/done_though_refused": done_all_the_same(),
    "request/component_read": refused(lambda asked: bool(asked.operation) and _component(asked) != "dapr"),
    "request/query_strict": refused(
        lambda asked: any(name not in _names() for name, _ in parse_qsl(asked.query, keep_blank_values=True))
    ),
    "request/body_unread": asking(_unread),
    "request/body_refused": refused(lambda asked: bool(asked.body) and asked.operation in PLAIN),
    "request/path_not_cleaned": refused(_unclean, 404),
    "request/path_not_decoded": _path(lambda path: path.replace("%", "%25")),
    "request/plus_is_plus": _path(lambda path: path.replace("+", "%2B")),
    "request/slash_splits": _path(lambda path: path.replace("%2F", "/").replace("%2f", "/")),
    "request/health_refused": refused(lambda asked: "/healthz" in asked.path, 500),
    "request/metadata_empty": asking(lambda asked, _: Said(200, b"[]") if asked.path.endswith("/metadata") else asked),
    "request/refused_with_503": answered(
        lambda _, said, _memory: replace(said, status=503) if said.status >= refusal().status else said
    ),
    "request/method_unread": asking(
        lambda asked, _: Said(405, b"", "") if not asked.operation and "/workflows/" in asked.path else asked
    ),
    "start/id_demanded": refused(lambda asked: asked.operation == START and "instanceID=" not in asked.query),
    "start/any_parameter_case": _query(
        lambda query: re.sub("instance_?id=", "instanceID=", query, flags=re.IGNORECASE)
    ),
    "start/empty_id_refused": _query(
        lambda query: query.replace("instanceID=&", "instanceID=%20&") + "%20" * query.endswith("instanceID=")
    ),
    "start/made_id_invalid": Fault(ids=lambda ids: Constant(ids, same_one=False)),
    "start/made_id_constant": Fault(ids=lambda ids: Constant(ids, same_one=True)),
    "start/input_demanded": refused(lambda asked: asked.operation == START and not asked.body),
    "start/null_refused": refused(lambda asked: asked.operation == START and asked.body == b"null"),
    "start/media_demanded": refused(lambda asked: asked.operation == START and bool(asked.body) and not _typed(asked)),
    "start/json_demanded": refused(lambda asked: asked.operation == START and not _json(asked)),
    "start/not_utf8_taken": asking(_text),
    "start/refused_id_creates": creating(),
    "event/not_utf8_taken": asking(_payload),
    **{f"late/{operation}": slow(operation, LONGEST) for operation in (START, GET, PAUSE, TERMINATE, PURGE)},
    "control/lives": replace(slow("", 0.02), delay=20),
    "control/dies": refused(lambda asked: asked.operation == START, 500),
    "restart/forgets": Fault(data=same, forgets=True),
}
"""The faults of requests, by name."""


def versions() -> dict[str, Fault]:
    """
    One API version differs from the others.
    """
    found: dict[str, Fault] = {}
    for version in spec.openapi()["servers"][0]["variables"]["version"]["enum"]:
        found[f"version/{version}/apart"] = apart(version)
        for operation in (PAUSE, RESUME, RAISE_EVENT, TERMINATE, PURGE):
            found[f"version/{version}/no_{operation}"] = broken(version, operation)
        found[f"version/{version}/no_get"] = broken(version, GET, refusal(404))
        found[f"version/{version}/starts_twice"] = _twice(version)
    return found


def _twice(version: str) -> Fault:
    """
    A start on one API version is accepted under any ID, and does nothing where the ID is taken.
    """

    async def exchange(asked: Asked, ask: Any, memory: Memory) -> Said:
        del memory
        said: Said = await ask(asked)
        if (asked.version, asked.operation) == (version, START) and said.status >= 500:  # noqa: PLR2004
            return with_json(Said(ACCEPTED.status, b""), {"instanceID": asked.instance})
        return said

    return exchanged(exchange)
