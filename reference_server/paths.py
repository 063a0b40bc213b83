"""
Paths and queries as daprd reads them.

Rule 1: a path is cleaned and matched in its escaped form; only then are its parameters decoded.
Rule 2: what is no UTF-8 survives as surrogates; it never makes decoding fail.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})[^%]{0,2}")
_UNCLEAN = re.compile(r"/(?:/|\.\.?(?:/|$)|$)")


def broken_escape(path: bytes) -> str:
    """
    The first percent escape of a path that is none, or the empty string.
    """
    found = _BROKEN.search(path) if b"%" in path else None
    return found.group().decode("latin-1") if found else ""


def clean(path: str) -> str:
    """
    A path without doubled slashes, dot segments and a slash at the end, as Go's path.Clean leaves it.
    """
    if path and _UNCLEAN.search(path) is None:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept)


def decoded(text: str) -> str:
    """
    A segment or a query value, decoded as Go's QueryUnescape does: `+` is a space.
    """
    if "%" not in text and "+" not in text and text.isascii():
        return text
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode("utf-8", "surrogateescape")


def queried(query: bytes, wanted: frozenset[str]) -> dict[str, str]:
    """
    The first value of each wanted parameter of a query. Pairs that are broken are passed over, as Go passes over them.
    """
    found: dict[str, str] = {}
    for pair in query.split(b"&"):
        if b";" in pair or broken_escape(pair):
            continue
        key, _, value = pair.decode("latin-1").partition("=")
        name = decoded(key)
        if name in wanted and name not in found:
            found[name] = decoded(value)
    return found


def is_text(text: str) -> bool:
    """
    Whether a decoded text came from UTF-8.
    """
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
