"""
A client under test: what it can do, and how a step becomes a message to its driver.

Rule 1: what a client declares in hello decides before the run what is asked of it; what it does not declare is
unsupported, never skipped.
Rule 2: pure; what an SDK shows is judged in its own words, which hello gives for the words of the API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import spec

from .exchange import OK
from .scenario import LOOKS, payload
from .wants import RowOf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .scenario import Step

PATIENCE = 10.0
"""Seconds that an SDK is to wait where a scenario gives a wait no time; some wait it out for an ID of nobody."""

FORCED = {"force_purge": ("purge", "force")}
"""Operations that are another with an option."""

GIVEN: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "start": {"input": ("input", ""), "raw": ("raw", "raw"), "delay": ("delay", "delay")},
    "raise_event": {"data": ("data", ""), "raw": ("raw", "raw")},
    "terminate": {"data": ("output", "output"), "recursive": ("recursive", "recursive")},
    "purge": {"recursive": ("recursive", "recursive")},
    "wait_start": {"within": ("timeout", "")},
    "wait_completion": {"within": ("timeout", "")},
}
"""For each verb the keys of a step that its message has: its own word for it, and the option that it takes."""

DEFAULTS = {"payloads": True}
"""Keys of a step that say what a client does anyway."""

CHILDREN = "recursive"
"""The key that says whether children are meant too; surfaces that have no word for it always mean them."""

NAMING = ("as", "id", "instance", "workflow", "name", "raw_base64")
"""Keys of a step that every message has in some way."""


class Unsupported(Exception):  # noqa: N818 - it says what it is
    """
    A client cannot do what a step asks for; the text says why, empty where it is for no client at all.
    """


@dataclass(frozen=True, slots=True)
class Client:
    """
    What the driver of a client has said of it. `kind` is what its SDK speaks on the wire.
    """

    name: str
    kind: str
    verbs: frozenset[str]
    fields: frozenset[str]
    errors: frozenset[str]
    statuses: Mapping[str, str]
    options: frozenset[str] = frozenset()
    sdk: Mapping[str, str] = field(default_factory=dict)

    def words(self, wanted: Sequence[Any]) -> list[Any]:
        """
        Of several statuses the SDK's own names; what is no status stays. Raises Unsupported where it has none of them.
        """
        nameless = _statuses() - self.statuses.keys()
        lacking = [one for one in wanted if isinstance(one, str) and one in nameless]
        if len(lacking) == len(wanted):
            raise Unsupported(f"its SDK has no name for the status {' or '.join(lacking)}")
        kept = [one for one in wanted if one not in lacking]
        return [self.statuses.get(one, one) if isinstance(one, str) else one for one in kept]

    def shows(self, words: Iterable[str]) -> None:
        """
        Raises Unsupported where its states do not show these words of the API.
        """
        shown = {
            word for name, word in spec.drivers()["fields"].items() if name in self.fields | {"instance", "status"}
        }
        lacking = [one for one in words if one not in shown]
        if lacking:
            raise Unsupported(f"its SDK shows no {lacking[0]}")

    def row(self, row: RowOf, reply: spec.Reply) -> RowOf:
        """
        What a row of replies.yaml demands of an error: its class, as far as this SDK tells classes apart.

        That there is no instance, and that nothing was deleted, an SDK may also say without an error.
        """
        if reply.outcome == "accepted":
            return RowOf(row.name, (OK,), "", "")
        found = [_class(status, empty=row.empty) for status in row.status]
        told = [one if one in self.errors else "other" for one in (*found, *([reply.means] if reply.means else []))]
        return RowOf(row.name, (*dict.fromkeys(told), OK), "", "", empty=True)


def client(name: str, hello: Mapping[str, Any]) -> Client:
    """
    A client by the hello of its driver.
    """
    sets = {key: frozenset(hello.get(key, ())) for key in ("verbs", "fields", "errors", "options")}
    return Client(name, hello["surface"], statuses=hello["statuses"], sdk=hello["sdk"], **sets)


def anyone(name: str, kind: str) -> Client:
    """
    A client that claims everything there is, on a kind of surface.
    """
    hello = spec.schema("driver")["$defs"]["ok.hello.client"]["properties"]
    every = {key: hello[key]["items"]["enum"] for key in ("verbs", "fields", "errors", "options")}
    statuses = {status: status for status in _statuses()}
    return client(name, {**every, "surface": kind, "statuses": statuses, "sdk": {}})


def message(one: Client, step: Step, call: Mapping[str, Any], instance: str | None) -> tuple[str, dict[str, Any]]:
    """
    What a driver is asked for a step; `call` holds the arguments of its verb, every name put in.

    Raises Unsupported where the client cannot do it.
    """
    if not step.operation or step.headers:
        raise Unsupported
    op, option = FORCED.get(step.operation, (step.operation, ""))
    if op not in one.verbs or op not in GIVEN.keys() | {"get", "pause", "resume"}:
        raise Unsupported(f"its SDK has no {step.operation}")
    words: dict[str, Any] = {} if instance is None else {"instance": instance}
    if option:
        words[_optional(one, option)] = True
    words |= {key: call[key] for key in ("workflow", "name") if key in call}
    if step.verb not in LOOKS:
        waits = {"within": PATIENCE} if op.startswith("wait") else {}
        words |= _given(one, op, step.operation, {**waits, **call, **_raw(call)})
    if words.get("timeout", 1) is None:
        raise Unsupported(f"a client gives {step.operation} a time")
    return op, words


def _given(one: Client, op: str, operation: str, call: Mapping[str, Any]) -> dict[str, Any]:
    """
    The words of a message that come of the keys of a step.
    """
    words = {}
    for key, value in call.items():
        word, needed = GIVEN.get(op, {}).get(key, ("", ""))
        if not word and key not in NAMING and (key, value) not in DEFAULTS.items():
            raise Unsupported(f"a client cannot give {operation} {key}")
        if word and (key != CHILDREN or _says(one.kind, operation, key)):
            words[word] = value
            if needed:
                _optional(one, needed)
    return words


def _says(kind: str, operation: str, word: str) -> bool:
    """
    Whether the messages of a kind of surface have a word.
    """
    surface = spec.grpc().get(kind)
    return surface is not None and word in surface.forms[operation].fields


def _optional(one: Client, option: str) -> str:
    if option not in one.options:
        raise Unsupported(f"its SDK takes no {option}")
    return option


def _raw(call: Mapping[str, Any]) -> dict[str, str]:
    """
    Bytes as the text that they are. Raises Unsupported where they are none.
    """
    if "raw_base64" not in call:
        return {}
    try:
        return {"raw": payload(call, "", str)[0].decode()}
    except UnicodeDecodeError:
        raise Unsupported("a client sends text, and these bytes are none") from None


def _class(status: int | str, *, empty: bool) -> str:
    """
    The class of a status of HTTP or gRPC; a call that went well and shows no instance says that there is none.
    """
    return "not_found" if status == OK and empty else _classes().get(status, "other")


@cache
def _classes() -> Mapping[int | str, str]:
    classes = spec.drivers()["classes"].items()
    return {status: name for name, one in classes for column in ("http", "grpc") for status in one.get(column, ())}


@cache
def _statuses() -> frozenset[str]:
    """
    Every word for a status that the API has.
    """
    return frozenset(
        spec.schema("driver")["$defs"]["ok.hello.client"]["properties"]["statuses"]["propertyNames"]["enum"]
    )
