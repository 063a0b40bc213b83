"""
Where two servers part, as a value: what was asked, what differs, and what the spec says of it.

Rule 1: pure; the rule is that which a walk of the side that breaks it would find.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import spec
from conformance.compare import MOST, SIDES
from conformance.walk.moves import START

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.compare import Place
    from conformance.walk.moves import Move, Op
    from conformance.walk.oracle import Finding

Event = dict[str, Any]

NO_RULE, UNSPECIFIED = "no rule speaks of what differs here", "the reply is unspecified in this profile"
"""Why the spec is silent."""


@dataclass(frozen=True, slots=True)
class Parting:
    """
    Where two servers part: the state before, what was asked, and what the oracle says of either side.
    """

    state: str
    op: Op
    kind: str
    request: str
    places: tuple[Place, ...]
    findings: Mapping[str, Finding | None]
    moves: tuple[Move, ...] = ()

    @property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """
        Each rule that one side breaks, and who keeps it.
        """
        broken = {side: one.rule for side, one in self.findings.items() if one}
        if len(set(broken.values())) < len(broken):
            return ((next(iter(broken.values())), "none"),)
        return tuple((rule, SIDES[1 - SIDES.index(side)]) for side, rule in broken.items())

    @property
    def where(self) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
        """
        What must be the same in a shorter walk.
        """
        return self.state, self.op.operation, self.kind, self.rules

    @property
    def looks(self) -> str:
        """
        What differences of one kind have in common.
        """
        return json.dumps([self.rules, self.places], sort_keys=True)

    @property
    def cell(self) -> Event:
        """
        The cell of the table that was entered last.
        """
        return {"state": self.state, "operation": self.op.operation}

    def event(self, label: Mapping[str, Any], held: spec.Spec) -> Event:
        """
        The line of the record, with the seed, the walk and the surface as its label.
        """
        says = [_says(self, rule, kept, held) for rule, kept in self.rules]
        cell = held.machine.cell(self.state, self.op.operation)
        silent = UNSPECIFIED if cell.reply == spec.UNSPECIFIED else NO_RULE
        return {
            "event": "walk_difference",
            **label,
            "cells": [self.cell],
            "kind": self.kind,
            "moves": [spelt(move) for move in self.moves],
            "request": self.request,
            "spec": "says" if says else "silent",
            "says": says,
            "silence": "" if says else silent,
            "places": [{"path": path, "a": left, "b": right} for path, left, right in self.places[:MOST]],
            "more": max(0, len(self.places) - MOST),
        }


def spelt(move: Move) -> str:
    """
    A move as people read it: an operation with its recipe or event, or a later look.
    """
    if move.kind != "act":
        return move.kind
    return " ".join(filter(None, (move.op.operation, move.op.recipe if move.op.operation == START else move.op.event)))


def _says(parting: Parting, rule: str, kept: str, held: spec.Spec) -> Event:
    found = next(one for one in parting.findings.values() if one and one.rule == rule)
    return {
        "rule": rule,
        "statement": held.rules[rule].statement,
        "kept_by": kept,
        "check": found.kind,
        "why": found.why,
    }
