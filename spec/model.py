"""
The frozen values that the files of this folder become.

Rule 1: values only; reading is done in `spec/__init__.py`.
Rule 2: the words are the specification's: operation, happening, state, reply, rule, profile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

UNSPECIFIED = "unspecified"
"""The reply of a cell where the profile is silent: recorded, never failed."""

SURFACES = ("http", "dapr_grpc", "taskhub")
"""The surfaces of the API."""

SERVER = "server"
"""The role that most rules are about."""

Level = Literal["MUST", "SHOULD", "MAY", "PROFILE"]
Outcome = Literal["accepted", "refused", "unspecified"]


class SpecError(Exception):
    """
    A name that the spec does not know was asked for; the text says which names there are.
    """


@dataclass(frozen=True, slots=True)
class State:
    """
    A state of an instance. `reported` gives, for each surface, the word that get answers.
    """

    name: str
    exists: bool
    terminal: bool
    reported: Mapping[str, str]
    means: str


@dataclass(frozen=True, slots=True)
class Cell:
    """
    What one operation or happening does in one state.

    `reply` is what a peer is held to, `acts` is the row the reference server answers with (the same,
    unless `reply` is unspecified). Happenings have neither. `impossible` is the reason why a happening
    cannot occur here.
    """

    state: str
    event: str
    reply: str = ""
    acts: str = ""
    settles: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    races: tuple[str, ...] = ()
    when: Mapping[str, Cell] = field(default_factory=dict)
    impossible: str = ""

    @property
    def reply_rule(self) -> str:
        """
        The rule that a wrong reply breaks.
        """
        return self.rules[0]

    @property
    def settles_rule(self) -> str:
        """
        The rule that a wrong settling breaks.
        """
        return self.rules[-1]


@dataclass(frozen=True, slots=True)
class Operation:
    """
    Something a client asks for. `surfaces` are those where it can.
    """

    name: str
    means: str
    surfaces: tuple[str, ...] = SURFACES


@dataclass(frozen=True, slots=True)
class Happening:
    """
    Something the workflow does by itself; `spontaneous` ones need no cause from a scenario.
    """

    name: str
    spontaneous: bool
    means: str


@dataclass(frozen=True, slots=True)
class Machine:
    """
    The total table of states x (operations + happenings).
    """

    states: Mapping[str, State]
    operations: Mapping[str, Operation]
    happenings: Mapping[str, Happening]
    table: Mapping[str, Mapping[str, Cell]]

    def cell(self, state: str, event: str, conditions: tuple[str, ...] = ()) -> Cell:
        """
        The cell of an operation or happening; the first condition that the cell knows wins.
        """
        cell = self.table[state][event]
        for condition in conditions:
            if condition in cell.when:
                return cell.when[condition]
        return cell

    def offered(self, surface: str) -> tuple[str, ...]:
        """
        The operations that a surface (`http`, `dapr_grpc`, `taskhub`) has, in the order of the file.
        """
        return tuple(name for name, operation in self.operations.items() if surface in operation.surfaces)

    def reported(self, surface: str, word: str) -> frozenset[str]:
        """
        The states that a surface (`http`, `dapr_grpc`, `taskhub`) reports with this word.
        """
        return frozenset(name for name, state in self.states.items() if state.reported.get(surface) == word)


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One row of replies.yaml. `surfaces` maps a surface to its column, as written in the file.

    `acts` is the row that a server sends where this one leaves a choice; `means` the class of drivers.yaml that a
    refusal says, empty where it says none.
    """

    name: str
    outcome: Outcome
    rule: str
    source: str
    surfaces: Mapping[str, Mapping[str, Any]]
    acts: str = ""
    means: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One demand. `reply` names the row that a refusal under this rule shows, where no cell does; `carries` the checks
    that the kit makes by itself, with no scenario that names the rule, empty for most.

    `excluded` is the reason why nothing can observe it, empty for a rule that is checked. `role` is whose demand it is:
    the server's, the client's or the worker's.
    `profiles` is empty for a rule that holds in every profile.
    """

    id: str
    level: Level
    statement: str
    source: str
    surfaces: tuple[str, ...]
    profiles: tuple[str, ...]
    since: str
    reply: str
    carries: str
    excluded: str
    role: str = SERVER


@dataclass(frozen=True, slots=True)
class Claim:
    """
    One thing a profile says, with the evidence for it.
    """

    id: str
    claims: str
    evidence: Literal["source", "observed"]
    source: str


@dataclass(frozen=True, slots=True)
class Profile:
    """
    A reading of the contract: what one runtime does, or what the documentation promises.

    `features` are the facts about answers that are neither a cell nor a row.
    """

    name: str
    title: str
    runtime: str
    features: Mapping[str, Any]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Walks:
    """
    What walks know beyond the table: scripts with their rules, and the rules of what no cell speaks of.

    `answers` maps a field of an answer to its rule; `of_child` an operation on a parent, or `ended`, to the rule of
    what becomes of the child; `of_parent` a happening of a child, or `otherwise`, to the parent's.
    """

    recipes: Mapping[str, Mapping[str, Any]]
    answers: Mapping[str, str]
    of_child: Mapping[str, str]
    of_parent: Mapping[str, str]
    together: str


@dataclass(frozen=True, slots=True)
class Spec:
    """
    Everything, under one profile.
    """

    profile: Profile
    machine: Machine
    replies: Mapping[str, Reply]
    rules: Mapping[str, Rule]
    openapi: Mapping[str, Any]
    workflows: Mapping[str, Any]
    walks: Walks
