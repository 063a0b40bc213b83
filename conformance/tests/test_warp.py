from __future__ import annotations

import json
import shlex
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

import spec
from conformance import warp

FAKE = Path(__file__).parent / "drivers" / "fake_client.py"
MUTANTS = spec.drivers()["mutants"]
FAMILIES = {name: list(found) for name, found in groupby(MUTANTS, key=lambda name: name.partition("/")[0])}
WAITS = {
    "surface": "taskhub",
    "verbs": ["start", "get", "terminate", "purge", "raise_event", "wait_start", "wait_completion"],
}


@pytest.fixture
def clients(tmp_path: Path) -> Any:
    """
    A command for each of some mutants, with a name of its own, and one for the driver alone: `right`.
    """

    def make(names: list[str]) -> list[str]:
        found = []
        for name in ["right", *names]:
            own = (
                [str(FAKE)]
                if name == "right"
                else ["-m", "conformance.warp", name, shlex.join([sys.executable, str(FAKE)])]
            )
            script = tmp_path / f"{name.replace('/', '_')}.py"
            script.write_text(f"import os, sys\nos.execv(sys.executable, [sys.executable, *{own!r}])\n")
            found += ["--client", shlex.join([sys.executable, str(script)])]
        return found

    return make


def test_every_mutant_is_one_of_the_spec_and_can_be_made() -> None:
    """
    What drivers.yaml lists is what there is, and breaks rules that there are.
    """
    assert list(MUTANTS) == list(warp.FAULTS)
    assert {rule for one in MUTANTS.values() for rule in one["rules"]} <= {*spec.load().rules}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mutant_dies_by_a_rule_that_it_breaks(
    command: Any, events: Any, clients: Any, monkeypatch: Any, family: str
) -> None:
    """
    Before a right driver stands one fault: a check fails that carries a rule which the fault breaks, and none such
    without the fault.
    """
    names = FAMILIES[family]
    rules = [word for rule in sorted({MUTANTS[name]["rules"][-1] for name in names}) for word in ("--rule", rule)]
    if family == "wait":
        monkeypatch.setenv("FAKE_HELLO", json.dumps(WAITS))
    token = ("--api-token", "kept secret") if family == "token" else ()
    if token:
        monkeypatch.setenv("DAPR_API_TOKEN", token[1])
    command("run", *clients(names), *rules, *token, "--time-scale", "0.5")
    failed: dict[str, set[str]] = {}
    for one in events("check"):
        if one["result"] != "pass":
            failed.setdefault(one["case"].partition("@")[2].partition("[")[0], set()).add(one["rule"])

    broken = {rule for name in names for rule in MUTANTS[name]["rules"]}
    assert not failed.get("right", set()) & broken
    assert {name for name in names if failed.get(name.replace("/", "_"), set()) & {*MUTANTS[name]["rules"]}} == {*names}
