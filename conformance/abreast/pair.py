"""
Moves on two servers, one after the other: what each answers, and where both settle.

Rule 1: nothing more is asked of an instance until both show the same, in a state that the table knows as settled: what
a server shows on the way there is never compared.
Rule 2: where both do alike what the table does not know, the instance is left; it could not be waited for.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from conformance.compare import SIDES
from conformance.errors import CannotRun
from conformance.judge import shown
from conformance.match import Text, plain
from conformance.normal import Names, answer, apart
from conformance.steps import FIRST, LONGEST, SLOWER
from conformance.talk import Talk
from conformance.walk.moves import GET, Move, Op
from conformance.walk.steady import Steady
from conformance.walk.walker import Place, Walker

from .parting import Parting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.compare import Place as Differs
    from conformance.exchange import Observation
    from conformance.reach import Reached
    from conformance.walk.instance import Instance
    from conformance.walk.model import Model
    from conformance.walk.oracle import Finding, Oracle


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How long both get to settle, and how long settled answers must differ in the same way, in seconds.
    """

    within: float
    quiet: float


class Lane:
    """
    One side of a walk.
    """

    def __init__(self, side: str, at: Reached, oracle: Oracle, surface: str) -> None:
        calls = at.asks[surface]
        self._talk = Talk(at.server, calls, "walk", 1, 0.0)
        self._names = Names(at.tokens.run)
        place = Place(at.server.connection.ask, calls, Steady(), at.server.probe, at.target.workflows)
        self._side, self.walker = side, Walker(place, oracle, at.tokens.next())

    def ask(self, name: str, op: Op) -> tuple[Observation, dict[str, Any]]:
        """
        One exchange, and its answer as two servers can share it. Raises CannotRun when nobody answers.
        """
        try:
            saw = self.walker.ask(self.walker.instance(name), op)
        except CannotRun as error:
            raise CannotRun(f"{self._side.upper()}: {error}") from None
        found = answer(self._talk.event(saw, 0), self._names)
        if "order" in found:  # whether a turn takes time is nobody's promise
            found["order"] = found["order"].replace(" = ", " < ")
        return saw, found

    def asks(self, name: str, op: Op) -> str:
        """
        What an operation is over the wire, with names in place of IDs.
        """
        request = self.walker.request(self.walker.instance(name), op)
        return self._names.text(f"{request.method} {request.target.decode('utf-8', 'replace')}")


class Pair:
    """
    Instances that live on both sides. `settled` holds the cells that are not entered any more.
    """

    def __init__(self, lanes: Mapping[str, Lane], model: Model, pace: Pace, *, held: bool) -> None:
        self._lanes, self._model, self._pace, self._held = lanes, model, pace, held
        self._births: dict[str, int] = defaultdict(int)
        self._done: dict[str, list[Move]] = defaultdict(list)
        self._last: dict[str, tuple[str, Op]] = {}
        self._before = ""
        self.known: set[tuple[str, str, str]] = set()
        self.moves = self.alike = 0

    def move(self, move: Move) -> Parting | None:
        """
        One move on both sides; what differs, if anything does. Its instances are then left for fresh ones.
        """
        births = self._births[move.instance]
        name = f"{move.instance}-{births}" if births else move.instance
        quiet, self._before = move.kind == "later" and self._before != "later", move.kind
        if quiet:
            time.sleep(self._pace.quiet)
        if move.kind == "act" and move.op.operation != GET:
            state = self._instance(name).likely().state
            if (state, move.op.operation, move.op.event) in self.known:
                return None
            self._last[name] = state, move.op
        elif move.kind == "settle":
            return None  # it is
        self._done[name].append(move)
        self.moves += 1
        found, alike = self._both(name, move)
        if found or not alike:
            self._births[move.instance] += 1
            self._left(name, found)
        return found and replace(found, moves=tuple(self._done[name]))

    def sweep(self) -> None:
        """
        End and purge what both sides have left.
        """
        for lane in self._lanes.values():
            lane.walker.sweep()

    def _left(self, name: str, found: Parting | None) -> None:
        """
        Do not come here again.
        """
        self.alike += found is None
        state, op = self._last.get(name, (self._model.absent, Op(GET)))
        self.known.add((state, op.operation, op.event))

    def _instance(self, name: str, side: str = SIDES[0]) -> Instance:
        return self._lanes[side].walker.instance(name)

    def _both(self, name: str, move: Move) -> tuple[Parting | None, bool]:
        """
        What differs, and whether both did what the table knows.
        """
        if move.kind == "act" and move.op.operation != GET:
            seen = {side: lane.ask(name, move.op) for side, lane in self._lanes.items()}
            findings = {side: self._instance(name, side).acted(move.op, saw) for side, (saw, _) in seen.items()}
            places = _places(seen)
            if places or any(findings.values()):
                return self._parting(name, "answer", move.op, places, findings), False
        return self._settled(name)

    def _settled(self, name: str) -> tuple[Parting | None, bool]:
        """
        Look at both until they show the same and have settled, or will not any more.
        """
        until, pause = time.monotonic() + self._pace.within, FIRST
        differs: tuple[Differs, ...] = ()
        since = time.monotonic()
        while True:
            last = time.monotonic() >= until
            seen = {side: lane.ask(name, Op(GET)) for side, lane in self._lanes.items()}
            findings = {side: self._instance(name, side).looked(saw, Op(GET)) for side, (saw, _) in seen.items()}
            there = {side: self._there(self._instance(name, side), saw) for side, (saw, _) in seen.items()}
            places = _places(seen)
            if not places and not any(findings.values()) and all(there.values()):
                return None, True
            if places != differs:
                differs, since = places, time.monotonic()
            certain = all(findings[side] or there[side] for side in SIDES)
            if last or (certain and time.monotonic() - since >= self._pace.quiet):
                late = {
                    side: findings[side] or (None if there[side] else self._instance(name, side).late(seen[side][0]))
                    for side in SIDES
                }
                return self._parting(name, "settles", Op(GET), places, late), False
            time.sleep(min(pause, max(0.0, until - time.monotonic())))
            pause = min(pause * SLOWER, LONGEST)

    def _there(self, instance: Instance, saw: Observation) -> bool:
        """
        Whether what was seen is where an instance settles: in its state, and with the input of its generation.
        """
        if instance.blind:
            return False
        settled = [one for one in self._model.settled(instance.guesses) if one in instance.guesses]
        recipe = instance.members[""].recipe
        if recipe is None or not recipe.restarts or self._held:
            return bool(settled)
        inputs, raw, states = recipe.inputs, _input(saw), self._model.machine.states
        return any(
            raw == inputs[-len(one.script)]
            if one.script and states[one.state].exists and not states[one.state].terminal
            else raw in (None, *inputs)
            for one in settled
        )

    def _parting(
        self, name: str, kind: str, op: Op, places: tuple[Differs, ...], findings: Mapping[str, Finding | None]
    ) -> Parting | None:
        state, asked = self._last.get(name, (self._model.absent, Op(GET)))
        request = self._lanes[SIDES[0]].asks(name, op)
        return Parting(state, asked, kind, request, places, findings) if places else None


def _places(seen: Mapping[str, tuple[Observation, dict[str, Any]]]) -> tuple[Differs, ...]:
    left, right = (seen[side][1] for side in SIDES)
    return tuple(apart(left, right))


def _input(saw: Observation) -> Any:
    text = shown(saw).get("input")
    return plain(text.raw) if isinstance(text, Text) else text
