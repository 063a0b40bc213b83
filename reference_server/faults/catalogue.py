"""
All mutants by name: those that the data makes, and those of mutants.yaml.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import spec

from . import cells, fields, forms, rows
from .calls import CALLS
from .events import EVENTS
from .lives import LIVES
from .mutant import Fault, Mutant, with_cell
from .replays import RUNS
from .requests import REQUESTS, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from spec import Spec


CHANGES = frozenset({"cell", "parameter", "feature"})
"""The keys of mutants.yaml that say what is changed in the data."""


@cache
def catalogue() -> Mapping[str, Mutant]:
    """
    Every mutant whose rules are not all excluded.
    """
    loaded = spec.load()
    made = (*cells.mutants(loaded), *rows.mutants(loaded), *fields.mutants(), *forms.mutants(), *_listed())
    kept: dict[str, Mutant] = {}
    for mutant in made:
        rules = tuple(rule for rule in mutant.rules if not loaded.rules[rule].excluded)
        if rules or not mutant.rules:
            kept[mutant.name] = replace(mutant, rules=rules)
    return kept


def named(name: str) -> Mutant:
    """
    One mutant.

    Raises SpecError where there is none of this name.
    """
    known = catalogue()
    if name not in known:
        near = spec.nearest(name, list(known))
        raise spec.SpecError(f"no mutant {name!r}{f'; did you mean {near!r}?' if near else ''} --list-mutants has all")
    return known[name]


def implemented() -> Mapping[str, Fault]:
    """
    The faults that stand in code, by name.
    """
    return {**CALLS, **EVENTS, **LIVES, **RUNS, **REQUESTS, **versions()}


def _listed() -> Iterator[Mutant]:
    code = implemented()
    for fields_ in spec.document("mutants.yaml").data["faults"]:
        name = fields_["name"]
        if name not in code and not CHANGES & fields_.keys():
            raise spec.SpecError(
                f"mutants.yaml: {name} says no {', '.join(sorted(CHANGES))}, and no fault in code has it"
            )
        fault = code[name] if name in code else Fault(data=_overlay(fields_))
        profile = fields_.get("profile", spec.DEFAULT_PROFILE)
        withholds = fields_.get("withholds", False)
        yield Mutant(name, tuple(fields_["rules"]), fields_["means"], fault, profile, withholds)


def _overlay(fields_: Mapping[str, Any]) -> Callable[[Spec], Spec]:
    if "cell" in fields_:
        state, _, event = fields_["cell"].partition(".")
        return with_cell(state, event, settles=tuple(fields_["settles"]))
    if "feature" in fields_:
        return lambda loaded: replace(
            loaded, profile=replace(loaded.profile, features={**loaded.profile.features, **fields_["feature"]})
        )
    return lambda loaded: replace(loaded, openapi=_document(loaded.openapi, fields_["parameter"], fields_["set"]))


def _document(openapi: Mapping[str, Any], parameter: str, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    The document with something changed about a parameter: `start` is the ID that start takes, `path` the one in paths,
    `security` opens every operation.
    """
    document = copy.deepcopy(dict(openapi))
    if parameter == "security":
        for item in document["paths"].values():
            for operation in item.values():
                if isinstance(operation, dict):
                    operation["security"] = [{}]
        return document
    found = document["components"]["parameters"]["instanceID"]
    if parameter == "start":
        starting = next(item["post"] for item in document["paths"].values() if _starts(item))
        found = next(one for one in starting["parameters"] if one.get("name") == "instanceID")
    for key, value in changes.items():
        holder = found["schema"] if key in ("pattern", "maxLength") else found
        holder[key] = value
    return document


def _starts(item: Mapping[str, Any]) -> bool:
    return bool(item.get("post", {}).get("x-operation") == "start")
