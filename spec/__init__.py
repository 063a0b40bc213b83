"""
What is true of the workflow management API, as frozen values.

The one reader of this folder: every fact stands in a YAML file here, and everything else derives from it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model import (
    SERVER,
    SURFACES,
    UNSPECIFIED,
    Cell,
    Claim,
    Happening,
    Machine,
    Operation,
    Profile,
    Reply,
    Rule,
    Spec,
    SpecError,
    State,
    Walks,
)
from .reading import BadFile, Document, Mark, read
from .surfaces import Form, Other, Refusal, Surface
from .surfaces import other as _other
from .surfaces import surface as _surface

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULT_PROFILE",
    "SERVER",
    "SURFACES",
    "UNSPECIFIED",
    "BadFile",
    "Cell",
    "Claim",
    "Document",
    "Form",
    "Happening",
    "Machine",
    "Mark",
    "Operation",
    "Other",
    "Profile",
    "Refusal",
    "Reply",
    "Rule",
    "Spec",
    "SpecError",
    "State",
    "Surface",
    "Walks",
    "carrying",
    "divergences",
    "document",
    "drivers",
    "grpc",
    "load",
    "nearest",
    "openapi",
    "others",
    "profiles",
    "read",
    "schema",
    "workflows",
]

DEFAULT_PROFILE = "dapr-1.18"


def load(profile: str = DEFAULT_PROFILE) -> Spec:
    """
    The whole spec under one profile.

    Raises SpecError when there is no such profile.
    """
    if profile not in profiles():
        raise SpecError(f"no profile {profile!r}; there are {', '.join(profiles())}")
    return _load(profile)


@cache
def profiles() -> tuple[str, ...]:
    """
    The names of the profiles, the default first.
    """
    names = sorted(entry.name.removesuffix(".yaml") for entry in _folder().joinpath("profiles").iterdir())
    return tuple(sorted(names, key=lambda name: name != DEFAULT_PROFILE))


@cache
def carrying(checks: str) -> str:
    """
    The ID of the one rule that the kit's own checks of a kind carry: `carries` in a file of rules/.

    Raises SpecError where no rule does, or several do.
    """
    found = [rule.id for rule in _rules().values() if rule.carries == checks]
    if len(found) != 1:
        raise SpecError(f"one rule must carry {checks}; there are {len(found)}")
    return found[0]


@cache
def document(name: str) -> Document:
    """
    One YAML file of this folder with its marks, by its path below the folder.
    """
    entry = _folder()
    for part in name.split("/"):
        entry = entry.joinpath(part)
    return read(entry.read_bytes(), f"spec/{name}")


@cache
def openapi() -> Mapping[str, Any]:
    """
    The OpenAPI 3.1 document of the HTTP surface, as data.
    """
    return dict(document("openapi.yaml").data)


@cache
def grpc() -> Mapping[str, Surface]:
    """
    The gRPC surfaces by name.
    """
    return {name: _surface(name, data) for name, data in document("grpc.yaml").data["surfaces"].items()}


@cache
def others() -> Mapping[str, Other]:
    """
    The methods of the gRPC surfaces that are no operation on an instance.
    """
    return {name: _other(name, data) for name, data in document("grpc.yaml").data["others"].items()}


@cache
def workflows() -> Mapping[str, Any]:
    """
    The contract of the kit workflows.
    """
    return dict(document("workflows.yaml").data)


@cache
def drivers() -> Mapping[str, Any]:
    """
    What drivers of SDKs say to the kit, in words: error classes, fields, verbs, conversations.
    """
    return dict(document("drivers.yaml").data)


@cache
def divergences() -> tuple[Mapping[str, Any], ...]:
    """
    Every place where documents, runtime and SDKs disagree.
    """
    return tuple(document("divergences.yaml").data["divergences"])


@cache
def schema(name: str) -> Mapping[str, Any]:
    """
    A JSON Schema of `schemas/`, by its name without `.json`.
    """
    text = _folder().joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """
    The known word that a misspelt one most likely means, or the empty string.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - 5 ms that only an error needs

    return next(iter(get_close_matches(word, known, n=1, cutoff=0.5)), "")


def _folder() -> Path:
    return Path(__file__).parent  # importlib.resources would cost 15 ms, and no wheel is run from a zip


@cache
def _load(name: str) -> Spec:
    overlay = document(f"profiles/{name}.yaml").data
    machine = document("machine.yaml").data
    table = machine["table"]
    for claim in overlay["claims"]:
        table = _merge(table, claim.get("machine", {}))
    return Spec(
        profile=_profile(overlay),
        machine=_machine(machine, table),
        replies={row: _reply(row, columns) for row, columns in document("replies.yaml").data["replies"].items()},
        rules=_rules(),
        openapi=openapi(),
        workflows=workflows(),
        walks=_walks(document("walks.yaml").data),
    )


def _merge(base: Any, overlay: Any) -> Any:
    """
    The base with the overlay's leaves put in; an unspecified reply keeps the row below it as `acts`.
    """
    if not isinstance(base, dict) or not isinstance(overlay, dict):
        return overlay
    merged = {key: _merge(value, overlay[key]) if key in overlay else value for key, value in base.items()}
    if overlay.get("reply") == UNSPECIFIED and "reply" in base:
        merged["acts"] = base.get("acts", base["reply"])
    unknown = [key for key in overlay if key not in base]
    if unknown:
        raise SpecError(f"a profile changes what the table does not have: {', '.join(unknown)}")
    return merged


def _profile(data: Mapping[str, Any]) -> Profile:
    claims = tuple(Claim(c["id"], c["claims"], c["evidence"], c["source"]) for c in data["claims"])
    return Profile(data["name"], data["title"], data["runtime"], data["features"], claims)


def _walks(data: Mapping[str, Any]) -> Walks:
    return Walks(data["recipes"], data["answers"], data["of_child"], data["of_parent"], data["together"])


def _machine(data: Mapping[str, Any], table: Mapping[str, Any]) -> Machine:
    return Machine(
        states={name: State(name, **fields) for name, fields in data["states"].items()},
        operations={
            name: Operation(name, fields["means"], tuple(fields.get("surfaces", SURFACES)))
            for name, fields in data["operations"].items()
        },
        happenings={name: Happening(name, **fields) for name, fields in data["happenings"].items()},
        table={
            state: {event: _cell(state, event, fields) for event, fields in row.items()} for state, row in table.items()
        },
    )


def _cell(state: str, event: str, fields: Mapping[str, Any]) -> Cell:
    reply = fields.get("reply", "")
    return Cell(
        state=state,
        event=event,
        reply=reply,
        acts=fields.get("acts", reply),
        settles=tuple(fields.get("settles", ())),
        rules=tuple(fields.get("rules", ())),
        races=tuple(fields.get("races", ())),
        when={name: _cell(state, event, inner) for name, inner in fields.get("when", {}).items()},
        impossible=fields.get("impossible", ""),
    )


def _reply(name: str, row: Mapping[str, Any]) -> Reply:
    surfaces = {column: row[column] for column in SURFACES if column in row}
    return Reply(name, row["outcome"], row["rule"], row["source"], surfaces, row.get("acts", ""), row.get("means", ""))


@cache
def _rules() -> Mapping[str, Rule]:
    rules: dict[str, Rule] = {}
    for entry in sorted(_folder().joinpath("rules").iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".yaml"):
            continue
        for fields in document(f"rules/{entry.name}").data["rules"]:
            if fields["id"] in rules:
                raise SpecError(f"the rule {fields['id']} stands twice")
            rules[fields["id"]] = Rule(
                id=fields["id"],
                level=fields["level"],
                statement=fields["statement"],
                source=fields["source"],
                surfaces=tuple(fields.get("surfaces", SURFACES)),
                profiles=tuple(fields.get("profiles", ())),
                since=str(fields.get("since", "1.15")),
                reply=fields.get("reply", ""),
                carries=fields.get("carries", ""),
                excluded=fields.get("excluded", ""),
                role=fields.get("role", SERVER),
            )
    return rules
