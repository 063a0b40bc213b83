"""
The shipped scenarios against the reference server: what a run executes, taken from its record.

That everything passes here proves wiring only; what is right stands in the rules' sources.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import spec
from conformance import checks, load, plan, record
from conformance.contract import Contract
from conformance.wants import Fields, Outcome

ROOT = Path(__file__).resolve().parents[2]
SURFACE = "http/v1.0"
KINDS = {"http/v1.0": "http", "grpc/beta1": "dapr_grpc", "taskhub": "taskhub"}
"""One surface of each kind."""

ONE_OF_EACH = [word for name in KINDS for word in ("--surface", name)]
RESTARTED = """\
version: 1
name: restarted
title: t
grpc: told
start: ["{python}", -P, -m, reference_server, --dapr-http-port, "0", --dapr-grpc-port, "0", --ready-json, --profile,
  "{profile}"]
restart: ["{python}", -c, pass]
capabilities: [restart]
only_required: true
"""


@pytest.fixture(scope="session")
def suite(tmp_path_factory: Any) -> Any:
    def run(*arguments: Any, token: str = "") -> list[dict[str, Any]]:
        out = tmp_path_factory.mktemp("suite")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("DAPR_API_TOKEN", None)
        if token:
            environment["DAPR_API_TOKEN"] = token
        command = [sys.executable, "-P", "-m", "conformance", "run", "--out", str(out), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=out, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return record.read(out / "run.jsonl")

    return run


def executed(events: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """
    Kind of surface and rule of every check that passed.
    """
    [plan] = [event for event in events if event["event"] == "plan"]
    on = {case["case"]: KINDS[case["surface"]] for case in plan["cases"]}
    passed = [event for event in events if event["event"] == "check" and event["result"] == "pass"]
    return {(on[event["case"]], event["rule"]) for event in passed}


def demanded(profile: str) -> set[tuple[str, str]]:
    rules = spec.load(profile).rules.values()
    return {
        (kind, rule.id)
        for rule in rules
        for kind in rule.surfaces
        if not rule.excluded and not rule.role and (not rule.profiles or profile in rule.profiles)
    }


@pytest.mark.parametrize("profile", spec.profiles())
def test_every_rule_that_is_not_excluded_is_executed(suite: Any, profile: str, tmp_path: Path) -> None:
    """
    Each has a check that carries it and that was executed in a run of this profile, on every kind of surface that it
    holds on.
    """
    target = tmp_path / "restarted.yaml"
    target.write_text(RESTARTED)
    chosen = ["--profile", profile, *ONE_OF_EACH]
    held = [suite("--target", f"reference-{state}", *chosen) for state in ("pending", "stalled")]
    runs = [
        suite(*chosen),
        *held,
        suite("--target", target, *chosen),
        suite(*chosen, "-k", "errors/api_token*@*", "-k", "clients/token@*", token="kept secret"),
    ]
    found = set().union(*map(executed, runs))
    silent = {
        (kind, cell.rules[0])
        for row in spec.load(profile).machine.table.values()
        for cell in row.values()
        for cell in (cell, *cell.when.values())
        if cell.reply == spec.UNSPECIFIED
        for kind in spec.SURFACES
    }
    missing = demanded(profile) - found

    assert not missing - silent
    assert not missing if profile == spec.DEFAULT_PROFILE else missing <= silent


def test_every_version_gets_the_same_checks(suite: Any) -> None:
    """
    The three API versions of HTTP are judged by the same cases, and so are the two of gRPC.
    """
    [plan] = [event for event in suite("-k", "cells/*") if event["event"] == "plan"]
    by_surface: dict[str, set[str]] = {}
    for case in plan["cases"]:
        by_surface.setdefault(case["surface"], set()).add(json.dumps([case["scenario"], case["row"], case["checks"]]))

    assert len(by_surface) == len(spec.openapi()["servers"][0]["variables"]["version"]["enum"]) + 3
    for kind in ("http/", "grpc/"):
        assert len({frozenset(cases) for name, cases in by_surface.items() if name.startswith(kind)}) == 1


def test_effects_may_come_late(suite: Any, tmp_path: Path) -> None:
    """
    A server that settles late is as right as one that settles at once.
    """
    target = tmp_path / "late.yaml"
    target.write_text(
        "version: 1\nname: late\ntitle: t\ngrpc: told\n"
        'start: ["{python}", -P, -m, reference_server, --dapr-http-port, "0", --dapr-grpc-port, "0", --ready-json,'
        ' --profile, "{profile}", --settle, "50"]\n'
    )
    [footer] = [event for event in suite("--target", target, *ONE_OF_EACH) if event["event"] == "footer"]

    assert footer["complete"]
    assert set(footer["counts"]) == {"pass", "unsupported"}


def test_every_case_has_an_accepted_step() -> None:
    """
    A server that refuses everything passes nothing: each planned case has an accepted operation or sees an instance.
    """
    loaded = spec.load()
    contract = Contract(loaded.openapi)
    without = [
        (scenario.id, row.label, kind)
        for scenario in load.scenarios(None)
        if not scenario.profiles or loaded.profile.name in scenario.profiles
        for row in scenario.rows
        for kind in scenario.surfaces or spec.SURFACES
        if not any(
            check.wants == Outcome(accepted=True) or isinstance(check.wants, Fields)
            for step in checks.plan(scenario, row, loaded, contract, kind)
            for check in step.every()
        )
    ]

    assert not without


def test_the_readme_says_how_many_cases_each_surface_has() -> None:
    """
    In the default profile, those included that need a target to be capable of something.
    """
    everything = ("hold_pending", "hold_stalled", "restart", "api_token", "control")
    loaded = spec.load()
    planned = plan.plan(load.scenarios(None), loaded, Contract(loaded.openapi), plan.Selection(), everything)
    counted = Counter(case.surface.name for case in planned.cases)
    told = re.findall(
        r"^\| `([a-z0-9./-]+)` \| (\d+) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert {name: int(count) for name, count in told} == dict(counted)
