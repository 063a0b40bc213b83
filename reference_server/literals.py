"""
JSON that comes out as it went in.

Rule 1: a number keeps its text: `1.10`, `1e400` and integers of any length survive.
Rule 2: what is written is compact, not escaped, and always UTF-8: a lone surrogate is written as its escape.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

_encode = json.JSONEncoder(ensure_ascii=False).encode
_escape = json.JSONEncoder(ensure_ascii=True).encode


class Number(str):
    """
    The text of a JSON number.
    """

    __slots__ = ()

    def value(self) -> float:
        """
        The number, infinite when it is too large.
        """
        return float(self)


def loads(text: str) -> Any:
    """
    Read JSON, strictly.

    Raises ValueError for what is not JSON, RecursionError for what is nested too deep.
    """
    return _decoder.decode(text)


def dumps(value: Any) -> str:
    """
    Write what `loads` read, or plain data.
    """
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def quoted(text: str) -> str:
    """
    A text as a JSON string.
    """
    return _encode(text) if text.isascii() or _sound(text) else _escape(text)


def _sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _write(value: Any, put: Callable[[str], None]) -> None:
    if isinstance(value, Number):
        put(value)
    elif isinstance(value, str):
        put(quoted(value))
    elif isinstance(value, dict):
        mark = "{"
        for key, item in value.items():
            put(mark + quoted(key) + ":")
            _write(item, put)
            mark = ","
        put("}" if value else "{}")
    elif isinstance(value, list):
        mark = "["
        for item in value:
            put(mark)
            _write(item, put)
            mark = ","
        put("]" if value else "[]")
    else:
        put(json.dumps(value, allow_nan=False))


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_decoder = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_refuse)
