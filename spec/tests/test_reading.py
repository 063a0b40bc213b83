from __future__ import annotations

import pytest

from spec import BadFile, Mark, read
from spec.reading import MAX_BYTES, MAX_DEPTH


@pytest.mark.parametrize(
    "text",
    [
        "0123",
        "no",
        "yes",
        "on",
        "Off",
        "12:30",
        "2026-01-01",
        "0x1F",
        "0o17",
        "1_000",
        ".5",
        "5.",
        "+1",
        "True",
        "NULL",
        ".inf",
        ".nan",
        "-",
        "1.2.3",
        "01",
        "<<",
        "=",
        "null and void",
        "é",
        "1e",
        "--1",
    ],
)
def test_text_stays_text(text: str) -> None:
    """
    What only looks like a number, a truth or a date is text.
    """
    assert read(f"a: [{text}]" if text != "-" else 'a: ["-"]', "f").data == {"a": [text]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-0.25E-1", -0.025),
        ("9007199254740993", 9007199254740993),
        ("'1'", "1"),
        ('"true"', "true"),
    ],
)
def test_scalars_are_those_of_json(text: str, value: object) -> None:
    """
    Plain scalars that JSON has become what JSON says, big integers exactly; quoted ones are text.
    """
    data = read(f"a: {text}", "f").data["a"]

    assert (data, type(data)) == (value, type(value))


def test_block_scalars_are_text() -> None:
    """
    A block never becomes a number.
    """
    assert read("a: |-\n  1\nb: >-\n  true\n", "f").data == {"a": "1", "b": "true"}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "4:3", "the key 'c' stands twice"),
        ("a: {b: 1, b: 2}", "1:11", "the key 'b' stands twice"),
        ("a: &x [1]\nb: *x\n", "2:4", "aliases are not read (*x); write the value out"),
        ("a: *x", "1:4", "aliases are not read (*x)"),
        ("a: 1\n*x : 2\n", "2:1", "a key must be plain text"),
        ("a: !!int '5'", "1:4", "the tag tag:yaml.org,2002:int is not read"),
        ("a: !!python/object:os.system {}", "1:4", "the tag tag:yaml.org,2002:python/object:os.system is not read"),
        ("a: !mine [1]", "1:4", "the tag !mine is not read"),
        ("? [1]\n: 2\n", "1:3", "a key must be plain text"),
        ("a: 1\n---\nb: 2\n", "2:1", "a second document begins"),
        ("a: [1, 2\nb: 3\n", "2:2", "not YAML: "),
        ("a: 1\n\tb: 2\n", "2:1", "not YAML: "),
        ("a: 'x\n", "2:1", "not YAML: "),
        ("- 1\n- 1e999\n", "2:3", "'1e999' is not a number that is read; quote it"),
        (f"- {'9' * 5000}\n", "1:3", "is not a number that is read; quote it"),
        ("", "1:1", "the file is empty"),
        ("# nothing but words\n", "1:1", "the file is empty"),
        ("a: \x07", "1:1", "not YAML: "),
    ],
)
def test_traps_are_refused_where_they_stand(text: str, place: str, words: str) -> None:
    """
    What the reader does not read is refused with file, line and column.
    """
    with pytest.raises(BadFile) as caught:
        read(text, "some.yaml")

    assert str(caught.value).startswith(f"some.yaml:{place}: ")
    assert words in str(caught.value)


def test_a_bomb_does_not_go_off() -> None:
    """
    Aliases of aliases are refused at the first one.
    """
    lines = ["a: &a [x, x]"] + [
        f"{name}: &{name} [*{of}, *{of}]" for of, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]

    with pytest.raises(BadFile, match=r"f:2:\d+: aliases are not read"):
        read("\n".join(lines), "f")


@pytest.mark.parametrize("text", ["[" * 400_000, "{a: " * 200_000, "- " * 400_000, "[" * (MAX_DEPTH + 1)])
def test_depth_is_bounded(text: str) -> None:
    """
    Nesting beyond the bound is refused before anything is built.
    """
    with pytest.raises(BadFile, match=f"nested deeper than {MAX_DEPTH}"):
        read(text, "f")


def test_the_deepest_that_is_allowed_is_read() -> None:
    """
    As many levels as the bound says are read.
    """
    data = read("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f").data

    for _ in range(MAX_DEPTH - 1):
        (data,) = data
    assert data == []


def test_size_is_bounded_in_bytes() -> None:
    """
    The largest file is read, one byte more is not.
    """
    most = "a: " + "x" * (MAX_BYTES - 3)

    assert read(most, "f").data == {"a": most[3:]}
    with pytest.raises(BadFile, match=f"f:1:1: the file has {MAX_BYTES + 1} bytes; at most {MAX_BYTES} are read"):
        read(most + "x", "f")


def test_bytes_must_be_utf8() -> None:
    """
    A byte that is no UTF-8 is refused with its line; a byte order mark is not seen.
    """
    with pytest.raises(BadFile, match="f:2:1: the file is not UTF-8"):
        read(b"a: 1\nb: \xff\n", "f")
    assert read("\ufeffa: é".encode(), "f").data == {"a": "é"}


def test_marks_tell_where_values_and_keys_stand() -> None:
    """
    Every value and key has its mark; what has none gets that of what is around it.
    """
    document = read("a:\n  - x\n  - {b: 1}\n", "f")

    assert document.marks == {
        (): Mark(1, 1),
        ("a",): Mark(2, 3),
        ("a", 0): Mark(2, 5),
        ("a", 1): Mark(3, 5),
        ("a", 1, "b"): Mark(3, 9),
    }
    assert document.keys == {("a",): Mark(1, 1), ("a", 1, "b"): Mark(3, 6)}
    assert document.mark(("a", 1, "c", 7)) == Mark(3, 5)
    assert str(document.bad(("a", 1, "b"), "odd")) == "f:3:9: odd"
    assert str(document.bad(("a", 1, "b"), "odd", key=True)) == "f:3:6: odd"
