"""
Answers in the form that two servers can share: what must differ between two runs is taken out.

Rule 1: instance IDs become names, instants their form and their order, texts for people a mark; all else stays.
Rule 2: pure; it works on the exchange events of a run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from .match import instant, parse, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERIAL = "[a-z0-9]{4}"
"""What follows the run's own part in the token of a case."""

TEXTS = ("message", "dapr.workflow.failure.stack_trace")
"""Fields that are written for people; no two versions of a server agree on them."""

_MADE = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_FRACTION = re.compile(r"T\d{2}:\d{2}:\d{2}(?:\.(\d+))?(.*)$")
_GROUPS = 3
NOTHING = "(nothing)"
"""What stands for a field that one of two answers does not have."""


class Names:
    """
    The names of the IDs of one run: its tokens, and what its server made up.
    """

    def __init__(self, run: str) -> None:
        self._token = re.compile(re.escape(run) + SERIAL) if run else None
        self._made: dict[str, str] = {}

    def learn(self, exchange: Mapping[str, Any]) -> None:
        """
        Remember the ID that an answer to a request without one made up.
        """
        body = _json(exchange)
        made = body.get("instanceID") if isinstance(body, dict) else None
        if isinstance(made, str) and made and made not in _asked(exchange) and self.text(made) == made:
            self._made.setdefault(made, f"{{made {len(self._made) + 1}}}")

    def text(self, text: str) -> str:
        """
        A text with names in place of IDs.
        """
        for made, name in self._made.items():
            text = text.replace(made, name)
        text = self._token.sub("{u}", text) if self._token else text
        return _MADE.sub("{made}", text)


def answer(exchange: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """
    One answer, normalised: status, media type, body; only `error` where there was none.
    """
    response = exchange["response"]
    if response is None:
        return {"error": "no answer"}
    headers = {name.lower(): value for name, value in response["headers"].items()}
    media = str(headers.get("content-type", "")).partition(";")[0].strip().lower()
    found: dict[str, Any] = {"status": response["status"], "media": media}
    body = _json(exchange)
    if body is _NO_JSON:
        found["body"] = "{text}" if response["body"] else ""
        return found
    found["body"] = _value(body, names, _asked(exchange))
    order = _order(body)
    if order:
        found["order"] = order
    return found


def apart(left: Any, right: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """
    Each place where two normalised answers differ.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right}):
            where = f"{path}.{key}" if path else key
            yield from apart(left.get(key, NOTHING), right.get(key, NOTHING), where)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from apart(one, other, f"{path}[{index}]")
    elif left != right or isinstance(left, bool) != isinstance(right, bool):
        yield path, plain(left), plain(right)


_NO_JSON = object()


def _json(exchange: Mapping[str, Any]) -> Any:
    response = exchange["response"]
    if response is None or response.get("truncated"):
        return _NO_JSON
    try:
        return parse(response["body"])
    except ValueError:
        return _NO_JSON


def _asked(exchange: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Whatever stands in a request where an ID may stand.
    """
    url = urlsplit(exchange["request"]["url"])
    return (*map(unquote, url.path.split("/")), *parse_qs(url.query).get("instanceID", ()))


def _value(value: Any, names: Names, asked: tuple[str, ...], key: str = "") -> Any:
    if isinstance(value, dict):
        return {names.text(inner): _value(value[inner], names, asked, inner) for inner in value}
    if isinstance(value, list):
        return [_value(inner, names, asked) for inner in value]
    if not isinstance(value, str):
        return value
    if key in TEXTS and value:
        return "{text}"
    if key == "instanceID" and value in asked:
        return "{the ID that was asked for}"
    return _time(value) if instant(value) is not None else names.text(value)


def _time(text: str) -> str:
    """
    The form of an instant. Whole groups of three digits are one form: trailing groups of zeros are left out.
    """
    found = _FRACTION.search(text)
    if not found:
        return "{time}"
    digits, zone = len(found[1] or ""), found[2]
    form = "groups of three digits" if digits % _GROUPS == 0 and digits <= 3 * _GROUPS else f"{digits} digits"
    return f"{{time, {form}, {'Z' if zone == 'Z' else 'offset'}}}"


def _order(body: Any) -> str:
    """
    The instants of an answer, in their order.
    """
    if not isinstance(body, dict):
        return ""
    times = {key: found for key, one in body.items() if isinstance(one, str) and (found := instant(one)) is not None}
    names = sorted(times, key=lambda key: (times[key], key))
    steps = [
        ("" if not index else " = " if times[names[index - 1]] == times[name] else " < ") + name
        for index, name in enumerate(names)
    ]
    return "".join(steps) if len(names) > 1 else ""
