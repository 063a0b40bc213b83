"""
Whether some order of operations that overlapped explains what each of them answered.

Rule 1: pure. An operation takes its place between its request and its answer; its effect may come later, as ever.
Rule 2: what was asked for and not answered may have taken place, or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.exchange import Observation

    from .guess import Guesses
    from .moves import Op
    from .oracle import Oracle


class Done(NamedTuple):
    """
    One operation in a history; times are seconds of one clock.
    """

    op: Op
    saw: Observation
    asked: float
    answered: float


def explained(oracle: Oracle, guesses: Guesses, history: Sequence[Done], *, upto: float = float("inf")) -> Guesses:
    """
    Everything that may be true after a history; nothing where no order explains it.

    Answers after `upto` do not count: those operations may have taken place or not, whatever they answered.
    """
    certain = frozenset(index for index, one in enumerate(history) if one.answered <= upto)
    known: set[tuple[frozenset[int], Guesses]] = set()
    ends: set[Guesses] = set()
    waiting = [(frozenset[int](), guesses)]
    while waiting:
        here = waiting.pop()
        if here in known:
            continue
        known.add(here)
        placed, now = here
        if certain <= placed:
            ends.add(now)
        left = [index for index in range(len(history)) if index not in placed]
        bound = min((history[index].answered for index in left), default=0.0)
        for index in left:
            if history[index].asked <= bound:
                after = _after(oracle, now, history[index], certain=index in certain)
                if after:
                    waiting.append((placed | {index}, after))
    return frozenset(guess for one in ends for guess in one)


def shortest(oracle: Oracle, guesses: Guesses, history: Sequence[Done]) -> list[Done]:
    """
    The shortest beginning of a history that no order explains.
    """
    for upto in sorted(one.answered for one in history):
        if not explained(oracle, guesses, history, upto=upto):
            return [one for one in history if one.asked <= upto]
    return list(history)


def _after(oracle: Oracle, guesses: Guesses, one: Done, *, certain: bool) -> Guesses:
    now = oracle.model.closure(guesses)
    if certain:
        return oracle.explained(now, one.op, one.saw)
    model = oracle.model
    accepted = {
        after
        for guess in now
        if model.accepts(model.cell(guess, one.op.operation).acts)
        for after in model.asked(guess, one.op)
    }
    return frozenset(accepted) | now
