"""
What an instance may be, as a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .moves import Op, Script

POST, AWAKE = "told", "told_awake"
"""A letter that a workflow is told of something by; the second one is written only while the workflow runs."""

AWAITED, OWN, TAKEN = "awaited", "own", "taken"
"""A child that its parent waits for, one that it waits for no more, and one that only has its ID."""


class Guess(NamedTuple):
    """
    One state an instance may be in: what waits for a turn, what the workflow will do, what it was told and has not
    taken, and what is on the way to it. `child` is the one that its last run started, `kin` what that is to its parent.
    """

    state: str
    inbox: tuple[Op, ...] = ()
    script: Script = ()
    held: int = 0
    mail: tuple[Op, ...] = ()
    child: Guess | None = None
    kin: str = ""


Guesses = frozenset[Guess]


def least(guesses: Iterable[Guess]) -> Guess:
    """
    One of several, always the same.
    """
    return min(guesses, key=repr)
