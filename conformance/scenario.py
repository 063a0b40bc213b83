"""
Scenarios as frozen values.

Rule 1: a value here has passed the schema and the reading; nothing downstream asks again whether it is well formed.
Rule 2: no expectation is resolved here: what a rule or a cell demands is for `checks`, once the profile is known.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .match import exact

if TYPE_CHECKING:
    from collections.abc import Mapping

Path = tuple[str | int, ...]

LOOKS = ("eventually", "stays")
"""The verbs that look more than once."""

FAULT = "fault"
"""The verb that makes trouble on the server."""

OTHERS = ("request", "call", "parallel", *LOOKS, "restart", FAULT)
"""The verbs that are no operation of the API."""

RAW = ("request", "call")
"""The verbs whose bytes a scenario gives itself."""

BESIDE = ("expect", "rule", "checks", "on", "headers", "wire")
"""The keys of a step that stand beside its verb."""

WITHIN = 5.0
"""Seconds until an `eventually` must be so, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step. `operation` is the operation of machine.yaml, empty where there is none.

    `number` counts from 1, with the branch behind a dot; `call` holds the arguments of the verb; `checks` and `wire`
    are further checks with their rules: of fields of the answer, and of what the client sends.
    """

    number: str
    line: int
    path: Path
    verb: str
    operation: str
    instance: str
    call: Mapping[str, Any]
    expect: Any
    rule: str
    checks: tuple[tuple[str, Mapping[str, Any]], ...]
    wire: tuple[tuple[str, Mapping[str, Any]], ...]
    on: str
    headers: tuple[tuple[str, str | None], ...]
    branches: tuple[Step, ...]

    @property
    def index(self) -> int:
        """
        The number of the step in its file.
        """
        return int(self.number.partition(".")[0])


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row of a scenario's matrix: its label (empty without a matrix), the IDs and the steps.
    """

    label: str
    instances: Mapping[str, Any]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    One file. `place` is its name as errors show it, `file` its path below the folder, `keep` why it stays although
    others do everything it does.
    """

    id: str
    file: str
    place: str
    title: str
    rules: tuple[str, ...]
    tags: tuple[str, ...]
    requires: tuple[str, ...]
    surfaces: tuple[str, ...]
    profiles: tuple[str, ...]
    rows: tuple[Row, ...]
    keep: str = ""

    @property
    def area(self) -> str:
        """
        The folder it stands in.
        """
        return self.id.rpartition("/")[0]


def step(data: Mapping[str, Any], number: str, path: Path, lines: Mapping[Path, int]) -> Step:
    """
    A step from its data; `lines` tells the line of each path.
    """
    verb = next(key for key in data if key not in BESIDE)
    argument = data[verb]
    call: Mapping[str, Any] = argument if isinstance(argument, dict) else {}
    looks = verb in LOOKS
    if verb == "start":
        instance = argument["as"]
    else:
        instance = call["get"] if looks else call.get("instance", argument if isinstance(argument, str) else "")
    branches = argument if verb == "parallel" else []
    return Step(
        number=number,
        line=lines[path],
        path=path,
        verb=verb,
        operation="get" if looks else "" if verb in OTHERS else verb,
        instance=instance,
        call=call,
        expect=exact(call["expect"] if looks else data.get("expect")),
        rule=data.get("rule", ""),
        checks=tuple((one["rule"], exact(one["expect"])) for one in data.get("checks", ())),
        wire=tuple((one["rule"], exact(one["expect"])) for one in data.get("wire", ())),
        on=data.get("on", ""),
        headers=tuple(data.get("headers", {}).items()),
        branches=tuple(
            step(branch, f"{number}.{index + 1}", (*path, verb, index), lines) for index, branch in enumerate(branches)
        ),
    )


def payload(call: Mapping[str, Any], json_key: str, encode: Any) -> tuple[bytes, bool]:
    """
    The bytes of an input or of an event's data, and whether they are JSON that the kit wrote.
    """
    if json_key in call:
        return encode(call[json_key]), True
    if "raw" in call:
        return call["raw"].encode(), False
    if "raw_base64" in call:
        return base64.b64decode(call["raw_base64"]), False
    return b"", False
