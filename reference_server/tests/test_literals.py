"""
JSON that comes out as it went in.
"""

import json

import pytest

from reference_server.literals import dumps, loads, quoted


@pytest.mark.parametrize(
    "text",
    [
        "1.10",
        "1e400",
        "-0",
        "12345678901234567890123",
        "9" * 5000,
        '{"a":[1,2.50,null,true,false,{}],"b":[]}',
        '"é\\u0000\\n"',
        '"\\ud800"',
        "[]",
        '""',
    ],
)
def test_a_text_that_is_compact_comes_back_unchanged(text: str) -> None:
    """
    Reading and writing loses nothing, whatever the numbers.
    """
    assert text == dumps(loads(text))


def test_what_is_written_is_utf_8() -> None:
    """
    A lone surrogate is written as its escape; other characters stand as they are.
    """
    assert (dumps("\ud800é"), quoted("é")) == ('"\\ud800\\u00e9"', '"é"')


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "", "{", "nope", "'a'"])
def test_what_is_not_json_is_refused(text: str) -> None:
    """
    Python's extensions of JSON are not read.
    """
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_plain_data_is_written_too() -> None:
    """
    What YAML gives is written as JSON.
    """
    assert json.loads(dumps({"a": [1, 1.5, None, True]})) == {"a": [1, 1.5, None, True]}
