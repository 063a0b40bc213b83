"""
What is kept of the exchanges.
"""

from __future__ import annotations

import pytest

from reference_server.control.tape import Answer, Exchange, Tape


def exchange(body: bytes = b"") -> Exchange:
    return Exchange("http", "GET", "/", "/", body=body)


def numbers(tape: Tape, after: int, limit: int = 100) -> tuple[list[int], int, bool, int]:
    page = tape.page(after, limit)
    return [one.number for one in page.exchanges], page.cursor, page.more, page.missing


def test_pages_follow_one_another() -> None:
    """
    The cursor of a page is where the next begins, and an empty page stays where it is.
    """
    tape = Tape()
    for _ in range(5):
        tape.add(exchange())

    assert numbers(tape, 0, 2) == ([1, 2], 2, True, 0)
    assert numbers(tape, 2, 2) == ([3, 4], 4, True, 0)
    assert numbers(tape, 4, 2) == ([5], 5, False, 0)
    assert numbers(tape, 5, 2) == ([], 5, False, 0)
    assert numbers(tape, 99, 2) == ([], 5, False, 0)


def test_the_oldest_go_first_and_are_counted() -> None:
    """
    No more are kept than there is room for, and a reader is told how many it has missed.
    """
    tape = Tape(most=3)
    for _ in range(10):
        tape.add(exchange())

    assert len(tape) == 3
    assert numbers(tape, 0) == ([8, 9, 10], 10, False, 7)
    assert numbers(tape, 8) == ([9, 10], 10, False, 0)


def test_bodies_are_bounded_also_while_they_come() -> None:
    """
    What grows after it was added counts too, answers included; what has gone already does not.
    """
    tape = Tape(largest=10)
    first, second = tape.add(exchange(b"1234")), tape.add(exchange())
    second.body = b"123456"
    tape.weigh(second)
    full = len(tape)
    second.answer = Answer(200, b"7")
    tape.weigh(second)
    first.body = b"1" * 100
    tape.weigh(first)

    assert (full, len(tape)) == (2, 1)
    assert numbers(tape, 0) == ([2], 2, False, 1)


def test_what_is_larger_than_all_the_room_is_not_kept() -> None:
    """
    One enormous exchange does not stay.
    """
    tape = Tape(largest=10)
    tape.add(exchange(b"1" * 11))

    assert numbers(tape, 0) == ([], 1, False, 1)


@pytest.mark.parametrize("limit", [1, 5])
def test_a_page_has_a_size(limit: int) -> None:
    """
    Bodies bound a page too, but a page is never empty where there is something.
    """
    tape = Tape()
    for _ in range(5):
        tape.add(exchange(b"1234"))
    page = tape.page(0, limit, largest=3)

    assert [one.number for one in page.exchanges] == [1]
    assert page.more


def test_numbers_go_on_after_all_was_forgotten() -> None:
    """
    A cursor from before is still good.
    """
    tape = Tape()
    tape.add(exchange())
    tape.clear()

    assert numbers(tape, 1) == ([], 1, False, 0)
    assert tape.add(exchange()).number == 2
    assert numbers(tape, 1) == ([2], 2, False, 0)
