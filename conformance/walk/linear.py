"""
Whether some order of operations that overlapped explains what each of them answered.

Rule 1: pure. An operation takes its place between its request and its answer; its effect may come later, as ever.
Rule 2: what was asked for and not answered may have taken place, or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spec import UNSPECIFIED

from .moves import GET

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.exchange import Observation

    from .guess import Guess, Guesses
    from .model import Model
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


def outcomes(model: Model, guess: Guess, ops: Sequence[Op]) -> tuple[frozenset[int], frozenset[str]]:
    """
    How many of some simultaneous operations may be accepted, and where the instance may settle, in any order of them.
    """
    counts, states = set[int](), set[str]()
    known: set[tuple[frozenset[int], int, Guess]] = set()
    waiting = [(frozenset[int](), 0, guess)]
    while waiting:
        here = waiting.pop()
        if here in known:
            continue
        known.add(here)
        placed, count, now = here
        if len(placed) == len(ops):
            counts.add(count)
            states |= {one.state for one in model.settled(frozenset({now}))}
        for one in model.closure(frozenset({now})):
            for index, op in enumerate(ops):
                if index not in placed:
                    waiting += [(placed | {index}, count + more, after) for more, after in _answers(model, one, op)]
    return frozenset(counts), frozenset(states)


def _answers(model: Model, guess: Guess, op: Op) -> Iterator[tuple[int, Guess]]:
    cell = model.cell(guess, op.operation)
    silent = cell.reply == UNSPECIFIED
    if silent or model.accepts(cell.reply):
        yield from ((1, after) for after in ([guess] if op.operation == GET else model.asked(guess, op)))
    if silent or not model.accepts(cell.reply):
        yield 0, guess
