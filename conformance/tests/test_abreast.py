"""
Walks on two servers side by side: reference servers, mutants, and toys that are true to the table.
"""

from __future__ import annotations

import json
import threading
from itertools import count
from typing import Any

import jsonschema_rs
import pytest

import spec
from conformance.abreast.parting import Parting
from conformance.walk.moves import Op
from conformance.walk.oracle import Finding

ONE = "version: 1\ntitle: t\nrules: [WF-START-001]\nsteps:\n  - start: {workflow: ConformanceEcho, input: 1, as: wf}\n"
START = (
    '["{python}", -P, -m, reference_server, --dapr-http-port, "0", --dapr-grpc-port, "0", --ready-json, '
    "--log-level, error, %s]"
)


@pytest.fixture
def reference(tmp_path: Any) -> Any:
    """
    A target that is a reference server with some options.
    """
    numbers = count()

    def make(*arguments: str, profile: str = spec.DEFAULT_PROFILE) -> Any:
        path = tmp_path / f"reference-{next(numbers)}.yaml"
        start = START % ", ".join(json.dumps(one) for one in ("--profile", profile, *arguments))
        path.write_text(f"version: 1\nname: r\ntitle: t\nprofile: {profile}\nstart: {start}\n")
        return path

    return make


@pytest.fixture
def walked(command: Any, peer: Any, folder: Any, tmp_path: Any) -> Any:
    """
    Walk two servers: exit code, differences, footer, and what was shown.
    """

    def call(left: Any, right: Any, *arguments: Any) -> Any:
        sides = [peer(one).url if callable(one) else one for one in (left, right)]
        options = ("--scenarios", folder(a__one=ONE), "--out", tmp_path / "out", *arguments)
        code, shown, complaint = command("diff-run", *sides, *options)
        lines = [json.loads(line) for line in (tmp_path / "out" / "diff-run.jsonl").read_text().splitlines()]
        check = jsonschema_rs.Draft202012Validator(dict(spec.schema("diff-run")))
        assert all(check.is_valid(line) for line in lines), lines
        found = [line for line in lines if line["event"] == "walk_difference"]
        return code, found, lines[-1], shown + complaint

    return call


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_server_that_takes_its_time_does_not_differ(walked: Any, reference: Any, seed: int) -> None:
    """
    No false alarm: one reference server settles at once, the other 50 ms late; nothing is left and nothing passes.
    """
    code, found, footer, shown = walked(
        reference(), reference("--settle", "50"), "--walks", 3, "--steps", 60, "--seed", seed
    )

    assert (code, found) == (0, []), shown
    assert footer["walks"]["moves"] > 90
    assert (footer["walks"]["left"], footer["walks"]["passing"]) == (0, 0)
    assert "no difference" in shown


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("mutant", "cell", "kind", "rule", "moves"),
    [
        ("cell/RUNNING.pause/settles-COMPLETED", "RUNNING x pause", "settles", "WF-PAUSE-002", ["start", "pause"]),
        ("cell/SUSPENDED.resume/reply", "SUSPENDED x resume", "answer", "WF-RESUME", ["start", "pause", "resume"]),
    ],
)
def test_a_mutant_is_told_with_its_cell(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    walked: Any, reference: Any, mutant: str, cell: str, kind: str, rule: str, moves: Any, swapped: Any
) -> None:
    """
    One difference, the cell that it concerns, the rule that one side breaks, and the least moves that lead there.
    """
    sides = [reference(), reference("--mutant", mutant)]
    code, found, footer, shown = walked(*(reversed(sides) if swapped else sides), "--walks", 4)

    assert (code, footer["differences"]["says"], len(found)) == (1, 1, 1), shown
    (one,) = found
    assert (one["kind"], one["spec"], one["says"][0]["kept_by"]) == (kind, "says", "b" if swapped else "a")
    assert one["says"][0]["rule"].startswith(rule)
    assert [move.partition(" ")[0] for move in one["moves"]] == moves
    assert f"{cell}: " in shown
    assert f"{'B keeps it, A' if swapped else 'A keeps it, B'} does not" in shown


def test_two_profiles_are_told_apart(walked: Any, reference: Any) -> None:
    """
    Between daprd 1.18 and the documentation: a refused start is a rule's, the output of a failed instance nobody's.
    """
    code, found, footer, shown = walked(reference(profile="documented"), reference(), "--walks", 3)

    assert code == 1
    says = [one for one in found if one["spec"] == "says"]
    silent = [one for one in found if one["spec"] == "silent"]
    assert {(one["rule"], one["kept_by"]) for line in says for one in line["says"]} == {("WF-ERR-002", "a")}
    assert {cell["operation"] for line in says for cell in line["cells"]} == {"start"}
    assert {place["path"] for line in silent for place in line["places"]} == {"body.properties.dapr.workflow.output"}
    assert footer["differences"] == {"says": len(says), "silent": len(silent)}
    assert "the spec says: " in shown
    assert "the spec is silent: no rule speaks" in shown


def test_what_a_profile_leaves_open_is_silence(walked: Any, toy: Any) -> None:
    """
    Two answers to a cell whose reply is unspecified differ, and no rule is named.
    """
    held = spec.load("documented")
    cells = [(state, name) for state, row in held.machine.table.items() for name in row if state != "ABSENT"]
    open_ones = [one for one in cells if held.machine.cell(*one).reply == spec.UNSPECIFIED and one[0] == "COMPLETED"]
    other = toy(dict.fromkeys(open_ones, "pause.absent"))
    options = ("--walks", 3, "--profile", "documented", "--time-scale", "0.1")
    code, found, _, shown = walked(toy(), other, *options)

    assert open_ones
    assert code == 1, shown
    assert {(cell["state"], cell["operation"]) for one in found for cell in one["cells"]} <= set(open_ones)
    assert {(one["spec"], one["silence"]) for one in found} == {("silent", "the reply is unspecified in this profile")}


def test_both_wrong_in_one_way_is_no_difference(walked: Any, toy: Any) -> None:
    """
    What both do alike is none; where the table does not know it, the instance is left, and how often is told.
    """
    wrong = {("RUNNING", "pause"): "pause.absent"}
    code, found, footer, shown = walked(toy(wrong), toy(wrong), "--walks", 3, "--time-scale", "0.1")

    assert (code, found) == (0, [])
    assert footer["walks"]["left"] > 0
    assert f"{footer['walks']['left']} instances were left" in shown


def test_what_differs_once_does_not_count(walked: Any, toy: Any) -> None:
    """
    A refusal that does not come again is told as one, and no difference.
    """
    serve, once = toy(), threading.Event()

    def moody(method: Any, target: Any, headers: Any, body: Any) -> Any:
        runs = serve.instances.get(target.split("/")[-2], {}).get("state") == "RUNNING"
        if target.endswith("/pause") and "-i" in target and runs and not once.is_set():
            once.set()
            return toy().row("pause.absent")
        return serve(method, target, headers, body)

    code, found, footer, shown = walked(toy(), moody, "--walks", 3, "--time-scale", "0.1")

    assert once.is_set()
    assert (code, found, footer["walks"]["passing"]) == (0, [], 1)
    assert "1 differences of walks did not show again" in shown


@pytest.mark.parametrize("dies", ["a", "b"])
def test_a_side_that_dies_in_a_walk_is_no_verdict(walked: Any, toy: Any, dies: str) -> None:
    """
    Exit 3, with the side, its address and what was seen last; the record has its footer.
    """
    asked, serve, dead = count(), toy(), threading.Event()

    def dying(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if "-i" in target and next(asked) > 20:
            dead.set()
        return None if dead.is_set() else serve(method, target, headers, body)

    sides = (dying, toy()) if dies == "a" else (toy(), dying)
    code, _, footer, shown = walked(*sides, "--walks", 3, "--time-scale", "0.1")

    assert (code, footer["exit"], footer["complete"]) == (3, 3, False)
    assert footer["reason"].startswith(f"{dies.upper()}: http://127.0.0.1:")
    assert "stopped answering; last seen" in footer["reason"]
    assert "INCOMPLETE: " in shown


@pytest.mark.parametrize("arguments", [[], ["--walks", 0]])
def test_chosen_cases_are_not_walked(walked: Any, toy: Any, arguments: Any) -> None:
    """
    Whoever chooses cases gets those; walks come with --walks.
    """
    code, _, footer, _ = walked(toy(), toy(), *arguments)

    assert (code, footer["walks"]["moves"]) == (0, 0)


@pytest.mark.parametrize(
    ("broken", "rules"),
    [
        ({"a": None, "b": "R1"}, (("R1", "a"),)),
        ({"a": "R1", "b": None}, (("R1", "b"),)),
        ({"a": "R1", "b": "R1"}, (("R1", "none"),)),
        ({"a": "R1", "b": "R2"}, (("R1", "b"), ("R2", "a"))),
        ({"a": None, "b": None}, ()),
    ],
)
def test_who_keeps_a_rule(broken: Any, rules: Any) -> None:
    """
    The other side keeps what one side breaks, unless both break the same.
    """
    findings = {side: Finding(rule, "outcome", "", None, None) if rule else None for side, rule in broken.items()}

    assert Parting("RUNNING", Op("pause"), "answer", "", (), findings).rules == rules
