"""
Small pieces of text for people: short JSON, clean lines, commands of curl and grpcurl, timelines.

Rule 1: what a server sent can not move the cursor, change colours or fake a line.
"""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

WIDTH = 240
"""So many characters of a value are shown."""

MASK = "***"
TOKEN = "$DAPR_API_TOKEN"  # noqa: S105 - the name of a variable of the shell

LONGEST_BODY = 4000
"""Bodies longer than this are not written out in commands."""

CALL = "gRPC"
"""The method of a request that is a call."""

ASK = "ASK"
"""The method of a request to the driver of a client."""

_CURL_WRITES = frozenset({"host", "content-length", "connection", "user-agent", "accept-encoding", "transfer-encoding"})


def clean(text: str) -> str:
    """
    The text with every character that does not print written as an escape.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def cut(text: str, width: int = WIDTH) -> str:
    """
    The text, or its beginning and how much is missing.
    """
    return text if len(text) <= width else f"{text[:width]}... ({len(text)} characters)"


def line(text: str, width: int = WIDTH) -> str:
    """
    The text on one line.
    """
    return cut(clean(" ".join(text.split())), width)


def short(value: Any, width: int = WIDTH) -> str:
    """
    A value as short JSON on one line.
    """
    return cut(clean(json.dumps(value, ensure_ascii=False, default=str)), width)


def timeline(exchanges: Sequence[Mapping[str, Any]]) -> list[str]:
    """
    One line an exchange, with the time since the first; polls with the same answer are one line.
    """
    start = _instant(exchanges[0]) if exchanges else None
    lines = []
    for first, last, count in polls(exchanges):
        at = _instant(first)
        since = f"+{(at - start).total_seconds():.3f}s" if at and start else "?"
        request, response = last["request"], last["response"]
        answer = f"{response['status']} {line(response['body'], 120)}" if response else f"no answer: {last['error']}"
        times = f"  x{count}" if count > 1 else ""
        lines.append(
            f"{since:>9}  {clean(request['method'])} {line(_path(request['url']), 160)} -> {line(answer)}{times}"
        )
    return lines


def polls(exchanges: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], int]]:
    """
    Runs of the same question with the same status: the first, the last, and how many.
    """
    run: list[Mapping[str, Any]] = []
    for exchange in exchanges:
        if run and _question(exchange) != _question(run[0]):
            yield run[0], run[-1], len(run)
            run = []
        run.append(exchange)
    if run:
        yield run[0], run[-1], len(run)


def curl(exchange: Mapping[str, Any]) -> str:
    """
    The command that sends this request again; a redacted token is read from the environment.
    """
    request = exchange["request"]
    if request["method"] == CALL:
        return grpcurl(exchange)
    if request["method"] == ASK:
        return f"# a line for the driver, spec/DRIVERS.md: {line(request['body'], LONGEST_BODY)}"
    if request.get("truncated") or len(request["body"]) > LONGEST_BODY:
        told = f"{clean(request['method'])} {clean(request['url'])}"
        return f"# {told}: the body is too long to show; see exchange {exchange['n']} of the record"
    words = ["curl", "-sS", "--path-as-is", "-g", "-X", shlex.quote(clean(request["method"])), _quoted(request["url"])]
    headers = [(name, value) for name, value in _pairs(request["headers"]) if name.lower() not in _CURL_WRITES]
    for name, value in headers:
        words += ["-H", _quoted(f"{name}: {value}" if value else f"{name};")]
    encoded, body = request.get("body_base64", ""), request["body"]
    if not encoded and not body:
        return " ".join(words)
    if not any(name.lower() == "content-type" for name, _ in headers):
        words += ["-H", "content-type:"]
    if encoded:
        return f"printf %s {shlex.quote(encoded)} | base64 -d | {' '.join([*words, '--data-binary', '@-'])}"
    return " ".join([*words, "--data-raw", _quoted(body)])


def grpcurl(exchange: Mapping[str, Any]) -> str:
    """
    The command that makes this call again, from a server that has reflection.
    """
    request = exchange["request"]
    scheme, _, rest = clean(request["url"]).rpartition("://")
    address, _, method = rest.partition("/")
    if request.get("truncated") or request.get("body_base64") or len(request["body"]) > LONGEST_BODY:
        return f"# {address}/{method}: this message cannot be written here; see exchange {exchange['n']} of the record"
    words = ["grpcurl", *([] if scheme else ["-plaintext"])]
    for name, value in _pairs(request["headers"]):
        words += ["-H", _quoted(f"{name}: {value}")]
    return " ".join([*words, "-d", _quoted(request["body"]), shlex.quote(address), shlex.quote(method)])


def _question(exchange: Mapping[str, Any]) -> tuple[Any, ...]:
    request, response = exchange["request"], exchange["response"]
    return request["method"], request["url"], request["body"], response["status"] if response else exchange["error"]


def _instant(exchange: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(exchange["at"])
    except ValueError:
        return None


def _path(url: str) -> str:
    rest = url.partition("://")[2] or url
    return f"/{rest.partition('/')[2]}" if "/" in rest else rest


def _pairs(headers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            yield name, value


def _quoted(text: str) -> str:
    """
    A word for a POSIX shell, of printing characters only; what is masked becomes the token variable.
    """
    if not text.isprintable():
        escaped = "".join(_dollar_quoted(c) for c in text)
        return f"$'{escaped}'"
    if MASK not in text:
        return shlex.quote(text)
    escaped = "".join(f"\\{c}" if c in '"\\$`' else c for c in text)
    return f'"{escaped.replace(MASK, TOKEN)}"'


def _dollar_quoted(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
