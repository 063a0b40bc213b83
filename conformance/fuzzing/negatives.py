"""
Requests that are broken in one place -> named scenarios that say which rule refuses them.

Rule 1: which rule it is follows from the spec: from `x-refusals`, `x-body` and the rows that rules name.
Rule 2: a request that breaks nothing a rule speaks of, or several things at once, is not judged; it is counted.
Rule 3: pure; every scenario holds an accepted step, and looks whether the refusal changed anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import yaml

import spec
from conformance.believe import nowhere, settled
from conformance.contract import encode

from .document import holds, operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .broken import Broken

ROUTE, BODY, ANY = "route.unknown", "body.malformed", "refused.any"
"""The rows for a wrong method and for a body that is no object, and the one that leaves the code open."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Methods that reach a server's routes; what answers others is often not the server itself."""

INSTANCE = "instanceID"


@dataclass(frozen=True, slots=True)
class Negative:
    """
    One named case: its name below the folder, its rule, and the scenario file.
    """

    name: str
    rule: str
    text: str


def named(cases: Sequence[Broken], openapi: Mapping[str, Any], held: spec.Spec) -> tuple[list[Negative], Counter[str]]:
    """
    The scenarios, and how many cases were left out, by reason.
    """
    places = {fields["operationId"]: (path, method.upper(), fields) for path, method, fields in operations(openapi)}
    made: dict[str, Negative] = {}
    left: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    requests: set[str] = set()
    for case in cases:
        path, method, fields = places[case.operation]
        rows = list(dict.fromkeys(_rows(case, method, fields)))
        rule = _rule(rows[0], held) if len(rows) == 1 else ""
        if not rule:
            left[_why(rows, held)] += 1
            continue
        step = _step(case, path, rule, held)
        if step is None or yaml.safe_dump(step) in requests:
            left["it cannot be written down, or stands there already"] += 1
            continue
        requests.add(yaml.safe_dump(step))
        name = re.sub(r"\W+", "_", f"{case.place or case.method.lower()}_{case.scenario}").strip("_").lower()
        seen[f"{case.operation}/{name}"] += 1
        number = seen[f"{case.operation}/{name}"]
        full = f"{case.operation}/{name}{f'_{number}' if number > 1 else ''}"
        made[full] = Negative(full, rule, _scenario(case, step, rule, held))
    return list(made.values()), left


def _rows(case: Broken, method: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """
    The rows that answer what is broken; empty where it is broken, and no rule says how.
    """
    if case.method != method:
        yield ROUTE if case.method in METHODS else ""
        return
    for parameter in fields["parameters"]:
        values = case.query if parameter["in"] == "query" else case.path
        if parameter["name"] in values and "x-refusals" in parameter:
            row = refusal(parameter, values[parameter["name"]])
            if row is not None:
                yield row
    if fields.get("x-body") == "json-object" and case.body is not None and not case.body.startswith("{"):
        yield BODY
    if any(name.lower() == "content-type" for name in case.headers):
        yield ""


def refusal(parameter: Mapping[str, Any], value: str) -> str | None:
    """
    The row of the first keyword that a value breaks; nothing where it breaks none.
    """
    for one in parameter["x-refusals"]:
        keyword = one["keyword"]
        if keyword == "x-max-bytes":
            if len(value.encode("utf-8", "surrogatepass")) > parameter[keyword]:
                return str(one["reply"])
        elif not _fits(keyword, parameter, value):
            return str(one["reply"]) if _beyond_doubt(keyword, parameter, value) else ""
    return None


def _fits(keyword: str, parameter: Mapping[str, Any], value: str) -> bool:
    return jsonschema_rs.is_valid({keyword: parameter["schema"][keyword]}, value)


def _beyond_doubt(keyword: str, parameter: Mapping[str, Any], value: str) -> bool:
    """
    Whether a character of a value is refused by itself, and is ASCII or a symbol: letters of all scripts are disputed.
    """
    return any(
        (char.isascii() or unicodedata.category(char).startswith("S")) and not _fits(keyword, parameter, char)
        for char in value
    )


def _rule(row: str, held: spec.Spec) -> str:
    rules = [rule.id for rule in held.rules.values() if row and rule.reply == row and holds(rule, held)]
    return min(rules, default="")


def _why(rows: Sequence[str], held: spec.Spec) -> str:
    if len(rows) > 1:
        return "several things are broken at once"
    return (
        f"no rule of {held.profile.name} speaks of it"
        if rows
        else "what is broken is nothing that an answer depends on"
    )


def _step(case: Broken, path: str, rule: str, held: spec.Spec) -> dict[str, Any] | None:
    """
    The request as a step; nothing where a scenario cannot hold it.
    """
    values = {name: encode(value) for name, value in case.path.items() if not _unwritable(value)}
    if len(values) != len(case.path) or any(map(_unwritable, (*case.query.values(), case.body or ""))):
        return None
    if INSTANCE in values:
        values[INSTANCE] = "${wf}"
    filled = re.sub(r"\{([^{}]+)\}", lambda found: values[found[1]], path)
    query = "&".join(f"{encode(name)}={encode(value)}" for name, value in case.query.items())
    request: dict[str, Any] = {"method": case.method, "path": f"/{{version}}{filled}{'?' * bool(query)}{query}"}
    if case.body is not None:
        request |= {"headers": {"content-type": "application/json"}, "body": case.body}
    row = held.replies[held.rules[rule].reply]
    if holds(held.rules[row.rule], held):
        return {"request": request, "expect": {"refused": rule}}
    return {"request": request, "expect": {"row": ANY}, "rule": rule}


def _unwritable(text: str) -> bool:
    return "${" in text or any(unicodedata.category(char) == "Cs" for char in text)


def _scenario(case: Broken, step: Mapping[str, Any], rule: str, held: spec.Spec) -> str:
    machine = held.machine
    unchanged = spec.carrying("unchanged")
    runs = settled(machine, machine.cell(nowhere(machine), "start"))
    script = {"workflow": "ConformanceScript", "input": {"do": [{"wait_event": "go"}]}, "as": "wf"}
    steps = [
        {"start": script},
        {"eventually": {"get": "wf", "expect": {"runtimeStatus": runs}}},
        step,
        {"stays": {"get": "wf", "expect": {"runtimeStatus": runs}, "for": 0.05}, "rule": unchanged},
    ]
    about = f"{case.operation} by {case.method}: {case.about}"
    data = {
        "version": 1,
        "title": about if about.isprintable() else about.encode("unicode_escape").decode(),
        "rules": [rule, unchanged],
        "tags": ["fuzz"],
        "surfaces": ["http"],
        "steps": steps,
    }
    return yaml.safe_dump(data, sort_keys=False, width=10**6)
