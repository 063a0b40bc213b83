import json
from decimal import Decimal
from typing import Any

import pytest

from conformance.match import MISSING, Moment, Names, Text, differences, exact, instant, parse, plain, show


def holds(wanted: Any, saw: Any, **known: Any) -> bool:
    return not differences(exact(wanted), saw, Names(known))


@pytest.mark.parametrize(
    ("wanted", "saw"),
    [
        (1, 1.0), (1.0, 1), (0.1, Decimal("0.1")), (None, None), ("1", "1"), ([1, {"a": []}], [1, {"a": []}]),
        (10**30, 10**30), ({"a": {"$any": True}}, {}), ({"a": {"$absent": True}}, {}), ({"$present": True}, None),
        ({"$type": "integer"}, Decimal("3.0")), ({"$type": "number"}, 2), ({"$type": "null"}, None),
        ({"$match": "^a"}, "abc"), ({"$match": '"k":1'}, {"k": 1}), ({"$one_of": [1, 2]}, 2),
        ({"$gte": 1, "$lte": 3}, 2),
        ({"$not": "x"}, "y"), ({"$gte": "2026-01-01T00:00:00.000000001Z"}, "2026-01-01T01:00:00.000000001+01:00"),
        ({"$type": "integer"}, Decimal("1e999999")),
    ],
)  # fmt: skip
def test_equal_values_match(wanted: Any, saw: Any) -> None:
    """
    JSON equality and every operator, where they hold.
    """
    assert holds(wanted, saw)


@pytest.mark.parametrize(
    ("wanted", "saw"),
    [
        (True, 1), (0, False), ("1", 1), (1, "1"), (None, MISSING), ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ([1], [1, 1]), (10**30, 10**30 + 1), (0.1, Decimal("0.1000000000000000055")), ({"$present": True}, MISSING),
        ({"$absent": True}, None), ({"$type": "integer"}, True), ({"$type": "integer"}, 1.5),
        ({"$type": "string"}, MISSING),
        ({"$match": "b$"}, "abc"), ({"$match": ""}, MISSING), ({"$one_of": [1, 2]}, True), ({"$gte": 1}, "1"),
        ({"$gte": 1}, True), ({"$lte": 3, "$gte": 1}, 4), ({"$not": "x"}, "x"), ({"$not": "x"}, MISSING),
        ({"$gte": "2026-01-01T00:00:00.000000002Z"}, "2026-01-01T00:00:00.000000001Z"), ({"$bind": "n"}, MISSING),
    ],
)  # fmt: skip
def test_other_values_do_not(wanted: Any, saw: Any) -> None:
    """
    What is merely alike does not match.
    """
    assert not holds(wanted, saw)


def test_a_difference_says_where() -> None:
    """
    A difference names the path, what was wanted and what was seen.
    """
    found = differences({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, Names())

    assert [str(one) for one in found] == ["a[0].b: wanted 1, saw 2"]


def test_bind_captures_then_compares() -> None:
    """
    The first use of a name captures, in the same comparison and in later ones it compares.
    """
    names = Names()

    assert not differences([{"$bind": "x"}, {"$bind": "x"}], [5, 5], names)
    assert names.new == {"x": 5}
    assert differences([{"$bind": "x"}, {"$bind": "x"}], [5, 6], Names())
    assert holds({"$bind": "x"}, 5, x=5)
    assert not holds({"$bind": "x"}, "5", x=5)


def test_a_text_is_compared_as_json() -> None:
    """
    A text equals the JSON it holds; one that holds none equals only $text.
    """
    assert holds({"a": 1}, Text('{"a": 1.0}'))
    assert not holds("abc", Text("abc"))
    assert holds({"$text": "abc"}, Text("abc"))
    assert not holds({"$text": "1.0"}, Text("1"))
    assert not holds({"$type": "string"}, Text("abc"))
    assert not holds({"$bind": "x"}, Text("abc"))


@pytest.mark.parametrize("text", ["NaN", "[1,]", "", "{'a':1}", "Infinity", "[" * 100_000, "1e99999999999999999999"])
def test_what_is_not_json_is_refused(text: Any) -> None:
    """
    Only strict JSON is parsed, and nothing it holds brings the parser down.
    """
    with pytest.raises(ValueError):  # noqa: PT011 - any text will do
        parse(text)


def test_big_numbers_are_exact() -> None:
    """
    Numbers are compared to the last digit, however many there are.
    """
    assert parse("9" * 5000) == Decimal("9" * 5000)
    assert parse("0.10000000000000000001") != Decimal("0.1")


def test_values_can_be_recorded_and_shown() -> None:
    """
    Whatever is compared can be written into the record, and is cut where it gets long.
    """
    assert (
        json.dumps(plain({"a": [Decimal("1.5"), Decimal(2), Text("x"), MISSING]})) == '{"a": [1.5, 2, "x", "(absent)"]}'
    )
    assert show("x" * 1000).endswith("(1002 characters)")


@pytest.mark.parametrize("text", ["2026-13-01T00:00:00Z", "2026-01-01", 5, "2026-01-01T00:00:00", None])
def test_no_instant(text: Any) -> None:
    """
    What is no RFC 3339 time is none.
    """
    assert instant(text) is None


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.123456789Z", True),
        ("2026-01-01T00:00:00.124Z", "2026-01-01T00:00:00.123500001Z", True),
        ("2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00.124000000Z", False),
        ("2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00.124Z", False),
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        ("2026-01-01T00:00:00Z", "yesterday", False),
    ],
)
def test_a_moment_is_compared_at_the_coarser_resolution(one: str, other: str, *, alike: bool) -> None:
    """
    An SDK that shows fewer digits shows the same instant; one that shows as many must show the same.
    """
    assert (not differences(Moment(one), other, Names())) is alike
    assert (not differences(other, Moment(one), Names())) is alike
    assert not (alike and differences({"$gte": other}, Moment(one), Names()))
