"""
The mutants: complete over the data, and each wrong in what it says.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import spec
from reference_server.assembly import Settings, build
from reference_server.faults import fields, forms
from reference_server.faults.catalogue import catalogue, implemented, named
from reference_server.faults.mutant import Fault
from reference_server.instance import Call

MADE = ("cell", "row", "field", "error")


def test_every_cell_has_its_mutants() -> None:
    """
    Each operation that HTTP offers has a wrong reply and every wrong settling in each state, each happening every wrong
    target.
    """
    loaded = spec.load()
    lacking = []
    events = {*loaded.machine.offered("http"), *loaded.machine.happenings}
    for state, row in loaded.machine.table.items():
        for event, cell in row.items():
            if event not in events:
                continue
            wanted = [f"settles-{name}" for name in loaded.machine.states if cell.settles and name not in cell.settles]
            wanted += ["reply"] if event in loaded.machine.operations else []
            for one in wanted:
                rule = cell.reply_rule if one == "reply" else cell.settles_rule
                if not loaded.rules[rule].excluded and f"cell/{state}.{event}/{one}" not in catalogue():
                    lacking.append((state, event, one))

    assert not lacking


def test_every_rule_has_a_mutant() -> None:
    """
    A rule that is checked is broken by at least one mutant, on whichever surface it holds; the PROFILE rules too. What
    is demanded of clients and of workers no server can break.
    """
    broken = {rule for one in catalogue().values() for rule in one.rules}
    demanded = {rule.id for rule in spec.load().rules.values() if not rule.excluded and rule.role == "server"}

    assert demanded - broken == set()
    assert broken <= set(spec.load().rules)


def test_every_field_of_an_instance_has_its_mutants() -> None:
    """
    Each field that the document names is left out, null and a number in some mutant.
    """
    known = spec.openapi()["components"]["schemas"]["Workflow"]["properties"]
    data = spec.document("mutants.yaml").data["fields"]

    assert set(known) <= set(data["get"])
    assert all({"missing", "null", "number"} <= set(data["get"][name]) for name in known)
    assert set(spec.openapi()["components"]["schemas"]["Error"]["properties"]) == set(data["error"])
    assert {kind for place in data.values() for kinds in place.values() for kind in kinds} <= set(fields.KINDS)
    assert set(fields.KINDS) == set(fields.MEANS)


def test_every_fault_in_code_is_listed() -> None:
    """
    What stands in code stands in mutants.yaml, and what stands there alone says what it changes.
    """
    listed = {one["name"]: one for one in spec.document("mutants.yaml").data["faults"]}
    bare = {name for name, one in listed.items() if not {"cell", "parameter", "feature"} & set(one)}

    assert bare == set(implemented())
    assert len(listed) == len(spec.document("mutants.yaml").data["faults"])
    assert not any(name.partition("/")[0] in MADE for name in listed)


def test_a_cell_that_a_fault_names_is_one() -> None:
    """
    A cell that mutants.yaml changes is in the table, and so is the state it then leads to.
    """
    machine = spec.load().machine
    for one in spec.document("mutants.yaml").data["faults"]:
        if "cell" in one:
            state, _, event = one["cell"].partition(".")
            assert event in machine.table[state]
            assert set(one["settles"]) <= set(machine.states)


def test_every_wrong_message_stands_in_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One that mutants.yaml does not name, or that nothing makes, is an error.
    """
    monkeypatch.setattr(forms, "MESSAGES", {name: one for name, one in forms.MESSAGES.items() if name != "apart"})
    with pytest.raises(spec.BadFile, match="apart: there are undecodable"):
        list(forms.mutants())


def test_a_name_that_nobody_has_is_told() -> None:
    """
    A misspelt name is answered with the nearest.
    """
    with pytest.raises(spec.SpecError, match="event/lost"):
        named("event/lots")


def test_a_fault_that_nothing_makes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A line of mutants.yaml without code and without a change of the data is an error, not a server that cannot answer.
    """
    monkeypatch.setattr("reference_server.faults.catalogue.implemented", dict)
    catalogue.cache_clear()
    try:
        with pytest.raises(spec.SpecError, match="control/dies says no cell, feature, parameter, and no fault in code"):
            catalogue()
    finally:
        catalogue.cache_clear()


def test_the_server_that_is_built_from_no_fault_is_right() -> None:
    """
    A fault that says nothing changes nothing: the engine is the engine.
    """
    plain = build(Settings())

    assert type(plain.engine).__name__ == "Engine"
    assert Settings().fault == Fault()


def test_every_mutant_can_be_built() -> None:
    """
    Each of them is a server that starts, says what is wrong with it, and breaks a rule.
    """
    for name, mutant in catalogue().items():
        assert build(Settings(profile=mutant.profile, fault=mutant.fault)).app
        assert mutant.means
        assert mutant.rules or name == "control/lives"


def test_an_ignored_operation_is_answered_and_nothing_happens() -> None:
    """
    The engine of an ignoring mutant answers as its cell says, and leaves the instance alone.
    """
    server = build(Settings(fault=named("cell/ABSENT.start/ignored").fault))

    assert server.engine.handle(Call("start", "a", "ConformanceEcho"), 1).outcome == "accepted"
    assert len(server.engine) == 0


def test_a_field_is_wrong_on_the_wire() -> None:
    """
    A mutant of a field changes that field of that answer, and nothing else.
    """
    said = asyncio.run(_asked("start/instanceID/wrong"))

    assert said["status"] == 202
    assert said["body"] == b'{"instanceID": "ax"}'


async def _asked(name: str) -> dict[str, Any]:
    app = build(Settings(fault=named(name).fault)).app
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"1", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    path = "/v1.0/workflows/dapr/ConformanceEcho/start"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"instanceID=a",
        "headers": [],
    }
    await app(scope, receive, send)
    return {"status": sent[0]["status"], "body": sent[1]["body"]}
