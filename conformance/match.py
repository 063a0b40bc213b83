"""
Comparisons that explain themselves: what was wanted, what was seen, and where.

Rule 1: exact by default. JSON equality: 1 == 1.0, true != 1, big numbers to the last digit; same keys in an object.
Rule 2: a mapping whose keys begin with `$` is a matcher; all of its operators must hold.
Rule 3: pure. What `$bind` captures is returned, and kept by whoever asked, if they were content.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Number = (int, float, Decimal)
_LONG = 4000
"""Digits from which on an integer is kept as a Decimal, which has no limit."""


class Missing:
    """
    The value of a field that is not there.
    """

    def __repr__(self) -> str:
        """
        As it stands in a message.
        """
        return "(absent)"


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Text:
    """
    A text that is compared as the JSON it holds, such as the input of a workflow.
    """

    raw: str


class Moment(str):
    """
    A time as an SDK shows it: the same as one of another resolution, if they are less than a unit of the coarser apart.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One place where what was seen is not what was wanted.
    """

    path: str
    wanted: Any
    saw: Any

    def __str__(self) -> str:
        """
        `path: wanted x, saw y`.
        """
        return f"{self.path or 'answer'}: wanted {show(self.wanted)}, saw {show(self.saw)}"


@dataclass(slots=True)
class Names:
    """
    What is bound already, and what a comparison captures.
    """

    known: Mapping[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)


def parse(text: str | bytes) -> Any:
    """
    Strict JSON in UTF-8 with exact numbers. Raises ValueError for anything else.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except (RecursionError, ArithmeticError) as error:
        raise ValueError(f"nested too deeply, or a number too large: {type(error).__name__}") from None


def exact(value: Any) -> Any:
    """
    A wanted value with its fractions made exact, as `parse` makes those that are seen.
    """
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    return value


def plain(value: Any) -> Any:
    """
    A value as a record can hold it.
    """
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value.adjusted()) < 300 else float(value)  # noqa: PLR2004
    if isinstance(value, Text):
        return value.raw
    if isinstance(value, Missing):
        return repr(value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def show(value: Any) -> str:
    """
    A value in a message, cut where it gets long.
    """
    text = value if isinstance(value, str) else repr(value)
    if not isinstance(value, (str, Missing)):
        text = json.dumps(plain(value), ensure_ascii=False)
    elif isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}... ({len(text)} characters)"  # noqa: PLR2004


def is_matcher(wanted: Any) -> bool:
    """
    Whether a wanted value is made of operators.
    """
    return isinstance(wanted, dict) and bool(wanted) and all(key.startswith("$") for key in wanted)


def differences(wanted: Any, saw: Any, names: Names, path: str = "") -> list[Difference]:
    """
    Where what was seen is not what was wanted; nothing means that it is.
    """
    if is_matcher(wanted):
        found: list[Difference] = []
        for operator, operand in wanted.items():
            found += OPERATORS[operator](operand, saw, names, path)
        return found
    if isinstance(saw, Text):
        try:
            saw = parse(saw.raw)
        except ValueError:
            return [Difference(path, wanted, f"a text that is not JSON: {saw.raw}")]
    if isinstance(wanted, dict) and isinstance(saw, dict):
        return _objects(wanted, saw, names, path)
    if isinstance(wanted, list) and isinstance(saw, list):
        if len(wanted) != len(saw):
            return [Difference(path, wanted, saw)]
        return [
            one
            for index, (inner, other) in enumerate(zip(wanted, saw, strict=True))
            for one in differences(inner, other, names, f"{path}[{index}]")
        ]
    return [] if same(wanted, saw) else [Difference(path, wanted, saw)]


def same(one: Any, other: Any) -> bool:
    """
    JSON equality.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    if isinstance(one, Moment) or isinstance(other, Moment):
        return _simultaneous(one, other)
    if isinstance(one, Number) and isinstance(other, Number):
        return bool(one == other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def instant(text: Any) -> int | None:
    """
    The nanoseconds since 1970 of an RFC 3339 time, or nothing.
    """
    found = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    *when, fraction, zone = found.groups()
    try:
        offset = UTC if zone in "Zz" else timezone(_offset(zone))
        moment = datetime(*map(int, when), tzinfo=offset)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 10**9 + int((fraction or "").ljust(9, "0")[:9])


def _simultaneous(one: Any, other: Any) -> bool:
    left, right = instant(one), instant(other)
    if left is None or right is None:
        return False
    digits = [len(_INSTANT.fullmatch(text)[7] or "") for text in (one, other)]  # type: ignore[index]
    return left == right or (digits[0] != digits[1] and abs(left - right) < 10 ** (9 - min(digits)))


_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _offset(zone: str) -> timedelta:
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    return -size if zone[0] == "-" else size


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) < _LONG else Decimal(text)


def _whole(number: float | Decimal) -> bool:
    return (
        number == number.to_integral_value()
        if isinstance(number, Decimal)
        else isinstance(number, int) or number.is_integer()
    )


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, parse_constant=_constant)


def _objects(wanted: Mapping[str, Any], saw: Mapping[str, Any], names: Names, path: str) -> list[Difference]:
    found: list[Difference] = []
    for key, inner in wanted.items():
        found += differences(inner, saw.get(key, MISSING), names, f"{path}.{key}" if path else key)
    found += [
        Difference(f"{path}.{key}" if path else key, MISSING, value) for key, value in saw.items() if key not in wanted
    ]
    return found


def _held(holds: bool, operator: str, operand: Any, saw: Any, path: str) -> list[Difference]:  # noqa: FBT001
    return [] if holds else [Difference(path, {operator: operand}, saw)]


def _value(saw: Any) -> Any:
    """
    What a text holds; the text itself where it holds no JSON.
    """
    if isinstance(saw, Text):
        try:
            return parse(saw.raw)
        except ValueError:
            return saw
    return saw


def _any(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:  # noqa: ARG001
    return []


def _type(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:  # noqa: ARG001
    value = _value(saw)
    return _held(not isinstance(value, (Text, Missing)) and TYPES[operand](value), "$type", operand, saw, path)


def _match(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:  # noqa: ARG001
    value = _value(saw)
    if isinstance(value, (Missing, Text)):
        return _held(False, "$match", operand, saw, path)  # noqa: FBT003
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    return _held(re.search(operand, text) is not None, "$match", operand, saw, path)


def _one_of(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:
    for inner in operand:
        tried = Names({**names.known, **names.new})
        if not differences(inner, saw, tried, path):
            names.new.update(tried.new)
            return []
    return _held(False, "$one_of", operand, saw, path)  # noqa: FBT003


def _not(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:
    unlike = bool(differences(operand, saw, Names({**names.known, **names.new}), path))
    return _held(unlike and not isinstance(saw, Missing), "$not", operand, saw, path)


def _compared(operand: Any, saw: Any) -> int | None:
    """
    -1, 0, 1 as the seen value is less, equal or greater; nothing where the two cannot be compared.
    """
    value = _value(saw)
    if isinstance(operand, bool) or isinstance(value, bool):
        return None
    if isinstance(operand, Number) and isinstance(value, Number):
        return (value > operand) - (value < operand)
    if isinstance(value, Moment) and same(value, operand):
        return 0
    left, right = instant(value), instant(operand)
    return None if left is None or right is None else (left > right) - (left < right)


def _gte(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:  # noqa: ARG001
    return _held(_compared(operand, saw) in (0, 1), "$gte", operand, saw, path)


def _lte(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:  # noqa: ARG001
    return _held(_compared(operand, saw) in (0, -1), "$lte", operand, saw, path)


def _absent(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:  # noqa: ARG001
    return _held(isinstance(saw, Missing) is operand, "$absent", operand, saw, path)


def _present(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:  # noqa: ARG001
    return _held(isinstance(saw, Missing) is not operand, "$present", operand, saw, path)


def _text(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:
    raw = saw.raw if isinstance(saw, Text) else saw
    return differences(operand, raw, names, path)


def _bind(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:
    value = _value(saw)
    if isinstance(value, (Missing, Text)):
        return _held(False, "$bind", operand, saw, path)  # noqa: FBT003
    for bound in (names.new, names.known):
        if operand in bound:
            return [] if same(bound[operand], value) else [Difference(path, bound[operand], saw)]
    names.new[operand] = value
    return []


def _some(operand: Any, saw: Any, names: Names, path: str) -> list[Difference]:
    """
    One element of a list is as wanted; of an object, the fields that are named.
    """
    for element in saw if isinstance(saw, list) else ():
        tried = Names({**names.known, **names.new})
        keys = operand if isinstance(operand, dict) and isinstance(element, dict) and not is_matcher(operand) else None
        seen = element if keys is None else {key: element.get(key, MISSING) for key in keys}
        if not differences(operand, seen, tried, path):
            names.new.update(tried.new)
            return []
    return [Difference(path, {"$some": operand}, saw)]


OPERATORS: Mapping[str, Callable[[Any, Any, Names, str], list[Difference]]] = {
    "$any": _any,
    "$type": _type,
    "$match": _match,
    "$one_of": _one_of,
    "$gte": _gte,
    "$lte": _lte,
    "$absent": _absent,
    "$present": _present,
    "$not": _not,
    "$text": _text,
    "$bind": _bind,
    "$some": _some,
}

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, Number) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, Number) and not isinstance(value, bool) and _whole(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
