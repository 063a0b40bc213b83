"""
`workflow-conformance list`: what there is, as lines or as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

import spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a list is narrowed to.
    """

    profile: str = spec.DEFAULT_PROFILE
    scenarios: Path | None = None
    selecting: Mapping[str, Any] = field(default_factory=dict)


def show(what: str, asked: Asked, *, as_json: bool) -> None:
    """
    Print everything of one kind.
    """
    rows = list(KINDS[what](asked))
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        first, *rest = row.values()
        click.echo(
            f"{first!s:{width}}  {'  '.join(_text(value) for value in rest if value not in ('', [], ()))}".rstrip()
        )


def _text(value: Any) -> str:
    return " ".join(value) if isinstance(value, (list, tuple)) else str(value)


def _rules(asked: Asked) -> Iterable[Row]:
    held = spec.load(asked.profile)
    for rule in held.rules.values():
        row: Row = {"name": rule.id, "level": rule.level, "statement": rule.statement}
        yield {**row, **({"excluded": rule.excluded} if rule.excluded else {})}


def _profiles(asked: Asked) -> Iterable[Row]:
    del asked
    for name in spec.profiles():
        yield {"name": name, "title": spec.load(name).profile.title}


def _targets(asked: Asked) -> Iterable[Row]:
    from . import target  # noqa: PLC0415 - not for the other lists

    del asked
    for name in target.names():
        one = target.load(name)
        yield {"name": name, "title": one.title, "capabilities": one.capabilities}


def _drivers(role: str) -> Iterable[Row]:
    from . import manifest  # noqa: PLC0415 - not for the other lists

    for name in manifest.names(role):
        one = manifest.load(role, name)
        sdk = one.sdk
        yield {"name": name, "sdk": sdk.package, "version": sdk.version, "language": sdk.language, "title": one.title}


def _mutants(asked: Asked) -> Iterable[Row]:
    from . import mutants  # noqa: PLC0415 - not for the other lists

    del asked
    for one in mutants.listed():
        yield {"name": one.name, "rules": one.rules, "means": one.means, "profile": one.profile}


def _scenarios(asked: Asked) -> Iterable[Row]:
    from . import load  # noqa: PLC0415 - not for the other lists

    for one in load.scenarios(asked.scenarios, heads=True):
        yield {"name": one.id, "title": one.title, "tags": one.tags, "requires": one.requires, "rules": one.rules}


def _cases(asked: Asked) -> Iterable[Row]:
    from . import load, plan  # noqa: PLC0415 - not for the other lists
    from .contract import Contract  # noqa: PLC0415 - not for the other lists

    held = spec.load(asked.profile)
    given = asked.selecting
    selection = plan.Selection(given["surface"], given["names"], given["rules"], given["tags"], given["shard"])
    everything = ("hold_pending", "hold_stalled", "restart", "api_token")
    drawn = plan.plan(load.scenarios(asked.scenarios), held, Contract(held.openapi), selection, everything)
    for case in drawn.cases:
        yield {"name": case.name, "checks": len(case.checks), "requires": case.scenario.requires}


KINDS: Mapping[str, Callable[[Asked], Iterable[Row]]] = {
    "rules": _rules,
    "scenarios": _scenarios,
    "cases": _cases,
    "profiles": _profiles,
    "targets": _targets,
    "mutants": _mutants,
    "clients": lambda _: _drivers("client"),
    "workers": lambda _: _drivers("worker"),
}
"""What can be listed."""
