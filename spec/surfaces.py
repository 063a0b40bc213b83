"""
The gRPC surfaces as values: grpc.yaml read.

Rule 1: what a message calls a field stands in grpc.yaml; whoever writes or reads messages derives it from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A field that is refused, with the row that answers: one that is missing, given, or not of its type.

    `parameter` names the HTTP parameter whose own checks it is held to; it has the rows.
    """

    field: str
    missing: str = ""
    given: str = ""
    invalid: str = ""
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """
    How one operation looks on one surface: `method` without its version, and where each of our words stands.

    `with_effect`: the answer to an accepted call comes when the turn that takes it is committed, unless the word
    `unless` is given. `asked` gives, for a field, the words of the answer that come only with it. `beyond`: it looks
    beyond one instance, or into its history. `carries` are fields that a worker finds again in the started event.
    """

    operation: str
    method: str
    fields: Mapping[str, str]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    generates: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    with_effect: bool = False
    unless: str = ""
    asked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beyond: bool = False
    carries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surface:
    """
    One gRPC service. `prefix` is what stands before a status word in its enumeration.
    """

    name: str
    service: str
    versions: tuple[str, ...]
    prefix: str
    forms: Mapping[str, Form]

    def path(self, operation: str, version: str = "") -> str:
        """
        What stands on the wire for an operation in one of the versions.
        """
        return f"/{self.service}/{self.forms[operation].method}{version}"


@dataclass(frozen=True, slots=True)
class Other:
    """
    Methods that are no operation on an instance.
    """

    name: str
    surface: str
    methods: tuple[str, ...]
    answers: Mapping[str, str]


def surface(name: str, data: Mapping[str, Any]) -> Surface:
    """
    One entry of `surfaces`.
    """
    forms = {operation: _form(operation, fields, data) for operation, fields in data["operations"].items()}
    return Surface(name, data["service"], tuple(data["versions"]), data["prefix"], forms)


def other(name: str, data: Mapping[str, Any]) -> Other:
    """
    One entry of `others`.
    """
    return Other(name, data["surface"], tuple(data["methods"]), data.get("answers", {}))


def _form(operation: str, data: Mapping[str, Any], whole: Mapping[str, Any]) -> Form:
    fields = {**whole["every"]["fields"], **data.get("fields", {})}
    answers = data.get("answers", {})
    refusals = data.get("refusals", whole["every"].get("refusals", ()))
    return Form(
        operation=operation,
        method=data["method"],
        fields={word: place for word, place in fields.items() if place},
        fixed=data.get("with", {}),
        defaults=data.get("defaults", {}),
        generates=data.get("generates", ""),
        answers=whole["shapes"][answers] if isinstance(answers, str) else answers,
        refusals=tuple(Refusal(**fields) for fields in refusals),
        with_effect=data.get("with_effect", False),
        unless=data.get("unless", ""),
        beyond=data.get("beyond", False),
        carries=tuple(data.get("carries", ())),
        asked={word: tuple(words) for word, words in whole.get("asked", {}).items() if word in fields},
    )
