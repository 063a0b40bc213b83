"""
What a walk is made of, as values, and the kit workflows it starts.

Rule 1: values only; a move says what is done, never what must come of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from conformance.calls import dump
from conformance.preflight import ECHO

if TYPE_CHECKING:
    from collections.abc import Mapping

START, GET, RAISE = "start", "get", "raise_event"
SCRIPT = "ConformanceScript"

Kind = Literal["act", "look", "settle", "later"]
"""An operation; one get; gets until the effects are there; a get after a while in which nothing was asked for."""

Script = tuple[tuple[int, str], ...]
"""What a workflow will do: so many events, then this happening, and so on."""


class Op(NamedTuple):
    """
    An operation, with the recipe that a start takes or the event that is raised. In an inbox also a happening.
    """

    operation: str
    recipe: str = ""
    event: str = ""


class Move(NamedTuple):
    """
    One thing a walk does to one of its instances.
    """

    kind: Kind
    instance: str
    op: Op = Op(GET)


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    A workflow to start: its name, its input, what it will do, and every text that its input may become.
    """

    workflow: str
    input: Any
    script: Script
    inputs: tuple[str, ...]

    @property
    def restarts(self) -> bool:
        """
        Whether it begins anew under its own ID.
        """
        return len(self.script) > 1


@dataclass(frozen=True, slots=True)
class Book:
    """
    Every recipe by its name, the event they wait for, and one that nobody waits for.
    """

    recipes: Mapping[str, Recipe]
    event: str
    other: str


def book(workflows: Mapping[str, Any]) -> Book:
    """
    The recipes of spec/workflows.yaml, and the workflow that ends at once.
    """
    given = workflows["recipes"]
    found = {name: _scripted(one) for name, one in given.items() if isinstance(one, dict)}
    found[ECHO] = Recipe(ECHO, 1, ((0, _RETURNS),), ("1",))
    return Book(found, given["event"], given["other_event"])


_RETURNS = "complete"
"""The happening of a script that comes to its end."""


def _scripted(data: Mapping[str, Any]) -> Recipe:
    chain: list[tuple[int, str]] = []
    inputs: list[str] = []
    following: Any = data
    while following is not None:
        inputs.append(dump(following).decode())
        waits, happening, following = _generation(following["do"])
        chain.append((waits, happening))
    return Recipe(SCRIPT, dict(data), tuple(chain), tuple(inputs))


def _generation(instructions: list[Mapping[str, Any]]) -> tuple[int, str, Any]:
    """
    How many events a script takes, what happens then, and the script that follows.
    """
    waits = 0
    for one in instructions:
        name = next(iter(one))
        if name == "wait_event":
            waits += 1
        elif name == "continue_as_new":
            return waits, name, one[name]
        elif name == "fail":
            return waits, name, None
    return waits, _RETURNS, None
