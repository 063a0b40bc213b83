"""
Paths and queries.
"""

import pytest

from reference_server.paths import broken_escape, clean, decoded, is_text, queried


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b"),
        ("//a///b//", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/../../a", "/a"),
        ("/", "/"),
        ("", "/"),
        ("/a/..", "/"),
        ("/a/...", "/a/..."),
        ("/a/.b", "/a/.b"),
        ("/a/%2e%2e/b", "/a/%2e%2e/b"),
        ("/a/%2F/b", "/a/%2F/b"),
    ],
)
def test_a_path_is_cleaned_as_go_cleans_it(path: str, cleaned: str) -> None:
    """
    Doubled slashes, dot segments and the last slash go; escapes are left alone.
    """
    assert cleaned == clean(path)


@pytest.mark.parametrize(("path", "broken"), [(b"/a%zz/b", "%zz"), (b"/a%2", "%2"), (b"/%", "%"), (b"/%41", "")])
def test_a_broken_escape_is_named(path: bytes, broken: str) -> None:
    """
    The first escape that is none is what the client hears of.
    """
    assert broken == broken_escape(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("a+b", "a b"), ("a%2Bb", "a+b"), ("a%2Fb", "a/b"), ("%C3%A9", "é"), ("Ã©", "é"), ("plain", "plain")],
)
def test_a_segment_is_decoded_once(text: str, value: str) -> None:
    """
    Plus is a space, an escape its byte, raw bytes are UTF-8.
    """
    assert value == decoded(text)


def test_what_is_no_utf_8_survives() -> None:
    """
    Decoding never fails, and such a text can be told.
    """
    assert (is_text(decoded("%ff")), is_text(decoded("%C3%A9"))) == (False, True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"instanceID=a&instanceID=b", {"instanceID": "a"}),
        (b"instanceId=a", {}),
        (b"instanceID=", {"instanceID": ""}),
        (b"instanceID", {"instanceID": ""}),
        (b"x=1&instance%49D=a%20b", {"instanceID": "a b"}),
        (b"instanceID=%zz&y", {}),
        (b"instanceID=a;b", {}),
        (b"", {}),
    ],
)
def test_the_first_value_of_a_parameter_counts(query: bytes, found: dict[str, str]) -> None:
    """
    Others, and pairs that are broken, are passed over.
    """
    assert found == queried(query, frozenset({"instanceID"}))
