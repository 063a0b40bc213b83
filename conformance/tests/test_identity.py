import threading
from typing import Any

import pytest

from conformance.identity import Allocator, IdentityError, Tokens, short, spell

TOKEN = "u" * 10


@pytest.mark.parametrize(
    ("identity", "size", "length"),
    [
        ({"fill": "a", "bytes": 64}, 64, 64),
        ({"fill": "é", "bytes": 64}, 64, 38),
        ({"fill": "é", "bytes": 63}, 63, 37),
        ({"fill": "語", "characters": 64}, 170, 64),
        ({"fill": "é", "bytes": 80, "characters": 64}, 80, 64),
        ({"fill": "a", "bytes": 12}, 12, 12),
        ({"fill": ".", "bytes": 1000}, 1000, 1000),
    ],
)
def test_ids_are_as_long_as_asked(identity: Any, size: Any, length: Any) -> None:
    """
    A filled ID has exactly the bytes and characters asked for, and the token in it.
    """
    made = spell(identity, TOKEN)

    assert (len(made.encode()), len(made)) == (size, length)
    assert made.startswith(TOKEN)


@pytest.mark.parametrize(
    "identity",
    [
        "no-token",
        {"fill": "é", "bytes": 3},
        {"fill": "a", "bytes": 80, "characters": 64},
        {"fill": "é", "bytes": 300, "characters": 64},
    ],
)
def test_impossible_ids_are_refused(identity: Any) -> None:
    """
    An ID that cannot be, or that is not unique, is an error.
    """
    with pytest.raises(IdentityError):
        spell(identity, TOKEN)


def test_tokens_differ() -> None:
    """
    No two case runs have the same token, and each is ten small letters or digits.
    """
    tokens = Tokens("abcdef")
    made = [tokens.next() for _ in range(2000)]

    assert len(set(made)) == 2000
    assert all(len(one) == 10 and one.isalnum() and one == one.lower() for one in made)


def test_short_ids_are_lent_to_one_at_a_time() -> None:
    """
    Two live cases never hold the same short ID, and each is swept before it is used.
    """
    swept = []
    allocator = Allocator(swept.append)
    one_byte = {"x": {"fill": "a", "bytes": 1}}
    with allocator.lend(one_byte, 1) as first, allocator.lend(one_byte, 1) as second:
        assert first["x"] != second["x"]
        assert len(first["x"]) == len(second["x"]) == 1
    assert swept == [first["x"], second["x"]]
    with allocator.lend(one_byte, 1) as third:
        assert third == first


def test_a_short_id_that_means_something_waits() -> None:
    """
    Where only one ID is as the scenario says, the second case waits for the first, and not for ever.
    """
    allocator = Allocator(lambda _: None)
    dash = {"x": {"fill": "-", "bytes": 1}}
    got = threading.Event()

    def second() -> None:
        with allocator.lend(dash, 60) as lent:
            assert lent["x"] == "-"
            got.set()

    with allocator.lend(dash, 1):
        with pytest.raises(IdentityError), allocator.lend(dash, 0):
            pass
        thread = threading.Thread(target=second)
        thread.start()
        assert not got.is_set()
    thread.join(60)
    assert got.is_set()
    assert short(dash["x"]) == 1
