"""
IDs of instances: unique to the case run, so that cases run side by side and a crashed run leaves nothing in the way.

Rule 1: an ID holds the token of its case, unless it is too short to.
Rule 2: short IDs are lent by an allocator: no two live cases hold the same one.
"""

from __future__ import annotations

import itertools
import string
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TOKEN = 10
"""Characters of the token of a case run."""

_ALPHABET = string.ascii_lowercase + string.digits
_SERIAL = 4


class IdentityError(Exception):
    """
    No ID is as long as a scenario asks; the text says why.
    """


class Tokens:
    """
    Hands out the token of each case run: the run's own part and a serial number.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self._serial = itertools.count()

    def next(self) -> str:
        """
        Another token; no two are the same.
        """
        number, digits = next(self._serial), ""
        for _ in range(_SERIAL):
            number, digit = divmod(number, len(_ALPHABET))
            digits = _ALPHABET[digit] + digits
        return self.run + digits


def run_token(choose: Callable[[str], str]) -> str:
    """
    The part of a token that is unique to a run, of characters picked by `choose`.
    """
    return "".join(choose(_ALPHABET) for _ in range(TOKEN - _SERIAL))


def short(identity: Any) -> int:
    """
    The length of an ID that has no room for a token; 0 for one that has.
    """
    if not isinstance(identity, dict):
        return 0
    length = int(identity["characters"] if "characters" in identity else identity["bytes"])
    return length if length < TOKEN + 2 else 0


def spell(identity: Any, token: str) -> str:
    """
    The ID that a scenario describes. Raises IdentityError where none can be.
    """
    if not identity:
        return ""
    if isinstance(identity, str):
        if "{u}" not in identity:
            raise IdentityError("an ID holds {u}, the token that makes it unique to the case")
        return identity.replace("{u}", token)
    unit = identity["fill"]
    if short(identity):
        if len(unit.encode()) > 1 or "characters" in identity:
            raise IdentityError(f"an ID with fewer than {TOKEN + 2} bytes is filled with one ASCII character")
        return str(unit * identity["bytes"])
    return _filled(f"{token}-", unit, identity.get("bytes"), identity.get("characters"))


def _filled(head: str, unit: str, size: int | None, length: int | None) -> str:
    """
    The head, the unit repeated, and letters to make up an exact number of bytes, of characters, or of both.
    """
    wide, long = len(unit.encode()), len(unit)
    if size is None and length is not None:
        times = (length - len(head)) // long
        return head + unit * times + "a" * (length - len(head) - times * long)
    if size is None:
        raise IdentityError("bytes or characters is expected")
    if length is None:
        times = (size - len(head)) // wide
        return head + unit * times + "a" * (size - len(head) - times * wide)
    spare, times = (size - length) % (wide - long) if wide > long else size - length, 0
    if spare == 0 and wide > long:
        times = (size - length) // (wide - long)
    rest = length - len(head) - times * long
    if spare or times < 0 or rest < 0:
        raise IdentityError(f"no ID filled with {unit!r} has {size} bytes and {length} characters")
    return head + unit * times + "a" * rest


class Allocator:
    """
    Lends short IDs. `sweep` removes what an earlier run may have left under one.
    """

    def __init__(self, sweep: Callable[[str], None]) -> None:
        self._sweep = sweep
        self._held: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def lend(self, identities: Mapping[str, Any], wait: float) -> Iterator[Mapping[str, str]]:
        """
        A short ID for each of the identities that need one, for as long as the context lasts.
        """
        lent: dict[str, str] = {}
        try:
            for name, identity in identities.items():
                if short(identity):
                    lent[name] = self._take(identity, wait)
                    self._sweep(lent[name])
            yield lent
        finally:
            with self._changed:
                self._held -= set(lent.values())
                self._changed.notify_all()

    def _take(self, identity: Mapping[str, Any], wait: float) -> str:
        with self._changed:
            found = self._changed.wait_for(lambda: self._free(identity), wait)
            if not found:
                raise IdentityError("every ID so short is taken by another case")
            self._held.add(found)
            return found

    def _free(self, identity: Mapping[str, Any]) -> str:
        first = str(identity["fill"] * identity["bytes"])
        if first not in self._held:
            return first
        if not first.isalnum():
            return ""
        others = ("".join(one) for one in itertools.product(_ALPHABET, repeat=len(first)))
        return next((one for one in others if one not in self._held), "")
