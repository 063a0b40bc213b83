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
    from collections.abc import Iterator, Mapping, Sequence

    from spec import Spec

START, GET, RAISE = "start", "get", "raise_event"
SCRIPT = "ConformanceScript"
CHILD = "child"
"""Whom an operation is about that is not about the instance itself; `${child}` in a script is that one's ID."""

WAIT, SLEEP, CALL = "wait_event", "sleep", "call_child"
SOON = 1.0
"""Seconds of a timer, at most, that ends during a walk."""

Kind = Literal["act", "look", "settle", "later"]
"""An operation; one get; gets until the effects are there; a get after a while in which nothing was asked for."""


class Op(NamedTuple):
    """
    An operation, with the recipe that a start takes or the event that is raised, and whom it is about.

    In an inbox or in the mail also a happening, or what a workflow is told.
    """

    operation: str
    recipe: str = ""
    event: str = ""
    whom: str = ""


class Move(NamedTuple):
    """
    One thing a walk does to one of its instances.
    """

    kind: Kind
    instance: str
    op: Op = Op(GET)


class Part(NamedTuple):
    """
    What a workflow does next: once it was told so often what it waits for, the happening comes about.
    """

    need: int
    happening: str
    waits: str = ""


Script = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    A workflow to start: its name, its input, what it will do, and every text that its input may become.

    `sets_off` is what its first turn sets off: a timer that ends soon, a child. `rule` is what it shows, if it says so.
    """

    workflow: str
    input: Any
    script: Script
    inputs: tuple[str, ...]
    sets_off: tuple[str, ...] = ()
    child: Script | None = None
    rule: str = ""

    @property
    def restarts(self) -> bool:
        """
        Whether it begins anew under its own ID.
        """
        return len(self.script) > 1

    def text(self, child: str) -> str:
        """
        Its input, with the ID of a child.
        """
        return _named(dump(self.input).decode(), child)

    def texts(self, child: str) -> tuple[str, ...]:
        """
        What its input may become.
        """
        return tuple(_named(one, child) for one in self.inputs)


@dataclass(frozen=True, slots=True)
class Book:
    """
    Every recipe by its name, the event they wait for, and one that nobody waits for.
    """

    recipes: Mapping[str, Recipe]
    event: str
    other: str


def book(held: Spec, *, alone: bool = False) -> Book:
    """
    The recipes of the spec, and the workflow that ends at once. `alone`: those that wait for events only.
    """
    given = held.workflows["recipes"]
    found: dict[str, Recipe] = {ECHO: Recipe(ECHO, 1, (Part(0, RETURNS),), ("1",))}
    for name, one in given.items():
        if isinstance(one, dict) and one not in [recipe.input for recipe in found.values()]:
            found[name] = _scripted(one)
    for name, one in {} if alone else held.walks.recipes.items():
        found[name] = _scripted({"do": one["do"]}, one["rule"])
    return Book(found, given["event"], given["other_event"])


RETURNS, FAILS = "complete", "fail"
"""The happening of a script that comes to its end, and that of one whose child fails."""


def _named(text: str, child: str) -> str:
    return text.replace(f"${{{CHILD}}}", child)


def _scripted(data: Mapping[str, Any], rule: str = "") -> Recipe:
    parts: list[Part] = []
    inputs: list[str] = []
    following: Any = data
    while following is not None:
        inputs.append(dump(following).decode())
        part, following = _generation(following["do"])
        parts.append(part)
    script = _generation(called["do"])[0] if (called := _called(data["do"])) else None
    child = None if script is None else (script,)
    return Recipe(SCRIPT, dict(data), tuple(parts), tuple(inputs), tuple(_sets_off(data["do"])), child, rule)


def _called(instructions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((one[CALL] for one in instructions if CALL in one), None)


def _sets_off(instructions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in instructions:
        if CALL in one or one.get(SLEEP, SOON + 1) <= SOON:
            yield next(iter(one))


def _generation(instructions: Sequence[Mapping[str, Any]]) -> tuple[Part, Any]:
    """
    What a script waits for and what happens then, and the script that follows. All its waits are for one thing.
    """
    need, waits = 0, ""
    for one in instructions:
        name = next(iter(one))
        if name in (WAIT, SLEEP, CALL):
            need, waits = need + 1, one[name] if name == WAIT else name
        elif name == "continue_as_new":
            return Part(need, name, waits), one[name]
        elif name == FAILS:
            return Part(need, name, waits), None
    return Part(need, RETURNS, waits), None
