"""
The shipped scenarios against the reference server: what a run executes, taken from its record.

That everything passes here proves wiring only; what is right stands in the rules' sources.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spec
from conformance import checks, load, record
from conformance.contract import Contract
from conformance.wants import Fields

ROOT = Path(__file__).resolve().parents[2]
SURFACE = "http/v1.0"
RESTARTED = """\
version: 1
name: restarted
title: t
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


def executed(events: list[dict[str, Any]]) -> set[str]:
    return {event["rule"] for event in events if event["event"] == "check" and event["result"] == "pass"}


def demanded(profile: str) -> set[str]:
    rules = spec.load(profile).rules.values()
    return {
        rule.id
        for rule in rules
        if not rule.excluded and "http" in rule.surfaces and (not rule.profiles or profile in rule.profiles)
    }


@pytest.mark.parametrize("profile", spec.profiles())
def test_every_rule_that_is_not_excluded_is_executed(suite: Any, profile: str, tmp_path: Path) -> None:
    """
    Each has a check that carries it and that was executed in a run of this profile.
    """
    target = tmp_path / "restarted.yaml"
    target.write_text(RESTARTED)
    chosen = ["--profile", profile, "--surface", SURFACE]
    held = [suite("--target", f"reference-{state}", *chosen) for state in ("pending", "stalled")]
    runs = [
        suite(*chosen),
        *held,
        suite("--target", target, *chosen),
        suite(*chosen, "-k", "errors/api_token@*", token="kept secret"),
    ]
    found = set().union(*map(executed, runs))
    silent = {
        cell.rules[0]
        for row in spec.load(profile).machine.table.values()
        for cell in row.values()
        for cell in (cell, *cell.when.values())
        if cell.reply == spec.UNSPECIFIED
    }
    missing = demanded(profile) - found

    assert not missing - silent
    assert not missing if profile == spec.DEFAULT_PROFILE else missing <= silent


def test_every_version_gets_the_same_checks(suite: Any) -> None:
    """
    The three API versions are judged by the same cases.
    """
    [plan] = [event for event in suite("-k", "cells/*") if event["event"] == "plan"]
    by_surface: dict[str, set[str]] = {}
    for case in plan["cases"]:
        by_surface.setdefault(case["surface"], set()).add(json.dumps([case["scenario"], case["row"], case["checks"]]))

    assert len(by_surface) == len(spec.openapi()["servers"][0]["variables"]["version"]["enum"])
    assert len({frozenset(cases) for cases in by_surface.values()}) == 1


def test_effects_may_come_late(suite: Any, tmp_path: Path) -> None:
    """
    A server that settles late is as right as one that settles at once.
    """
    target = tmp_path / "late.yaml"
    target.write_text(
        "version: 1\nname: late\ntitle: t\n"
        'start: ["{python}", -P, -m, reference_server, --dapr-http-port, "0", --dapr-grpc-port, "0", --ready-json,'
        ' --profile, "{profile}", --settle, "50"]\n'
    )
    [footer] = [event for event in suite("--target", target, "--surface", SURFACE) if event["event"] == "footer"]

    assert footer["complete"]
    assert set(footer["counts"]) == {"pass", "unsupported"}


def test_every_case_has_an_accepted_step() -> None:
    """
    A server that refuses everything passes nothing: each planned case has an accepted operation or sees an instance.
    """
    loaded = spec.load()
    contract = Contract(loaded.openapi)
    accepted = {reply.rule for reply in loaded.replies.values() if reply.outcome == "accepted"}
    without = [
        (scenario.id, row.label)
        for scenario in load.scenarios(None)
        if not scenario.profiles or loaded.profile.name in scenario.profiles
        for row in scenario.rows
        if not any(
            check.rule in accepted or isinstance(check.wants, Fields)
            for step in checks.plan(scenario, row, loaded, contract)
            for check in step.every()
        )
    ]

    assert not without
