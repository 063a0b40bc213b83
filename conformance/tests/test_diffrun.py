"""
Two servers side by side: toys that are true to the table, with a cell altered, and reference servers.
"""

from __future__ import annotations

import _thread
import json
import signal
import threading
from typing import Any

import jsonschema_rs
import pytest

import spec
from conformance import compare, contract, load, plan

HEAD = "version: 1\ntitle: t\nrules: [WF-START-001]\nsteps:\n"
ECHO = """\
  - start: {workflow: ConformanceEcho, input: 1, as: wf}
  - eventually: {get: wf, expect: {runtimeStatus: COMPLETED, output: 1}}
"""
LOOK = HEAD + ECHO
RACE = """\
version: 1
title: t
rules: [WF-START-003]
steps:
  - parallel:
      - start: {workflow: ConformanceScript, input: 1, as: wf}
      - start: {workflow: ConformanceScript, input: 2, as: wf}
    expect: {accepted: 1, refused: WF-START-003}
    rule: WF-START-003
  - eventually: {get: wf, expect: {runtimeStatus: RUNNING}}
"""


@pytest.fixture
def diff(command: Any, peer: Any, tmp_path: Any) -> Any:
    """
    Compare two servers: exit code, differences, header and footer, and what was shown.
    """

    def call(left: Any, right: Any, where: Any, *arguments: Any) -> Any:
        sides = [one if isinstance(one, str) else peer(one).url for one in (left, right)]
        options = ("--scenarios", where, "--surface", "http/v1.0", "--time-scale", "0.05", "--out", tmp_path / "out")
        code, shown, complaint = command("diff-run", *sides, *options, *arguments)
        lines = [json.loads(line) for line in (tmp_path / "out" / "diff-run.jsonl").read_text().splitlines()]
        check = jsonschema_rs.Draft202012Validator(dict(spec.schema("diff-run")))
        assert all(check.is_valid(line) for line in lines), lines
        return code, lines[1:-1], (lines[0], lines[-1]), shown + complaint

    return call


@pytest.fixture
def table(cells: Any, tmp_path: Any) -> Any:
    (tmp_path / "s" / "cells").mkdir(parents=True)
    for path, text in cells.items():
        (tmp_path / "s" / path).write_text(text)
    return tmp_path / "s"


def test_a_server_does_not_differ_from_another_like_it(diff: Any, toy: Any, table: Any) -> None:
    """
    Exit 0: two servers true to the same table, over every cell of it.
    """
    code, found, (header, footer), shown = diff(toy(), toy(), table)

    assert (code, found) == (0, [])
    assert footer["complete"]
    assert footer["compared"] == header["cases"] > 30
    assert footer["versions"] == {"a": "1.18.3", "b": "1.18.3"}
    assert "no difference" in shown


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("state", "operation", "reply"),
    [
        ("RUNNING", "purge", "accepted"),
        ("COMPLETED", "pause", "pause.stalled"),
        ("SUSPENDED", "start", "start.conflict"),
        ("ABSENT", "terminate", "accepted"),
    ],
)
def test_one_altered_cell_is_the_only_difference(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    diff: Any, toy: Any, table: Any, state: Any, operation: Any, reply: Any, swapped: Any
) -> None:
    """
    Its scenario, by a rule of that cell, kept by the side that is true to the table.
    """
    held = spec.load()
    wrong, good = toy({(state, operation): reply}), toy()
    code, found, _, shown = diff(*((wrong, good) if swapped else (good, wrong)), table)

    first = next(one for one in found if one["scenario"] == f"cells/{state.lower()}_{operation}")
    cell = held.machine.cell(state, operation)
    assert code == 1
    assert {one["scenario"] for one in found} <= {
        f"cells/{state.lower()}_{operation}",
        *(f"cells/purged_{one}" for one in held.machine.operations if state == "ABSENT" and one == operation),
    }
    rules = {*cell.rules, held.replies[cell.reply].rule}
    assert {says["rule"] for says in first["says"]} <= rules | {"WF-HTTP-009"}
    assert {says["kept_by"] for says in first["says"]} == {"b" if swapped else "a"}
    keeps = "B keeps it, A does not" if swapped else "A keeps it, B does not"
    assert f"({first['says'][0]['rule']}): {keeps}" in shown


def test_a_cell_that_is_unspecified_is_where_the_spec_is_silent(diff: Any, toy: Any, table: Any) -> None:
    """
    Where the profile says nothing a difference is told as such, and breaks no rule.
    """
    held = spec.load("documented")
    assert held.machine.cell("COMPLETED", "pause").reply == spec.UNSPECIFIED
    wrong = toy({("COMPLETED", "pause"): "pause.stalled"})

    code, found, _, shown = diff(toy(), wrong, table, "--profile", "documented")

    assert code == 1
    assert {(one["scenario"], one["spec"], one["silence"]) for one in found} == {
        ("cells/completed_pause", "silent", "the reply is unspecified in this profile")
    }
    assert "the spec is silent" in shown


def test_a_field_no_rule_speaks_of_is_where_the_spec_is_silent(diff: Any, toy: Any, folder: Any) -> None:
    """
    Both sides pass, and differ all the same.
    """
    other = toy()
    shown_by = other.shown
    other.shown = lambda name: {**shown_by(name), "more": 1}
    code, found, _, _ = diff(toy(), other, folder(a__one=LOOK))

    assert code == 1
    (one,) = found
    assert (one["spec"], one["silence"]) == ("silent", "no rule speaks of what differs here")
    assert one["places"] == [{"path": "body.more", "a": "(nothing)", "b": 1}]


def test_polls_are_compared_by_the_final_answer(diff: Any, toy: Any, folder: Any) -> None:
    """
    A server that takes its time does not differ from one that does not.
    """
    slow = toy()
    shown, looks = slow.shown, []

    def later(name: Any) -> Any:
        looks.append(name)
        ready = name not in looks[:-1]
        return {**shown(name), "runtimeStatus": "RUNNING"} if ready else shown(name)

    slow.shown = later

    assert diff(toy(), slow, folder(a__one=LOOK))[:2] == (0, [])
    assert len(looks) > len(set(looks))


def test_two_that_break_a_rule_alike_do_not_differ(diff: Any, toy: Any, folder: Any) -> None:
    """
    What both do wrong in one way is no difference; what both do wrong, each in its own way, is.
    """
    where = folder(a__one=LOOK + "  - pause: wf\n    expect: cell\n")
    same = [toy({("COMPLETED", "pause"): "pause.stalled"}) for _ in range(2)]
    assert diff(*same, where)[0] == 0

    other = toy({("COMPLETED", "pause"): "purge.active"})
    code, found, _, shown = diff(same[0], other, where)
    assert code == 1
    assert {says["kept_by"] for says in found[0]["says"]} == {"none"}
    assert "neither keeps it" in shown


def test_who_wins_a_race_is_no_difference(diff: Any, toy: Any, folder: Any) -> None:
    """
    Branches that race for one place are compared by how many got it, and the winner is not compared.
    """
    picky = toy()
    serve, starts = picky.serve, []

    def one_wins(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if target.endswith("-wf") and method == "GET":
            answer = serve(method, target, headers, body)
            return answer.replace(b'"dapr.workflow.input": "1"', b'"dapr.workflow.input": "2"')
        starts.append(body)
        return serve(method, target, headers, body)

    picky.serve = one_wins

    assert diff(toy(), picky, folder(a__one=RACE))[:2] == (0, [])


def test_a_side_that_is_not_there_is_no_verdict(diff: Any, toy: Any, folder: Any, answering: Any) -> None:
    """
    Exit 3, and the record says which side could not run.
    """
    for server in ("http://127.0.0.1:1", lambda *_: answering(200, {})):
        code, _, (_, footer), shown = diff(toy(), server, folder(a__one=LOOK))
        assert (code, footer["exit"], footer["complete"]) == (3, 3, False)
        assert footer["reason"].startswith("B: ")
        assert "INCOMPLETE" in shown


def test_an_interrupted_comparison_has_its_footer(diff: Any, toy: Any, folder: Any) -> None:
    """
    Ctrl-C: exit 3, with a footer that says so.
    """
    engine, once = toy(), threading.Event()

    def interrupting(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if "-wf" in target and not once.is_set():
            once.set()
            _thread.interrupt_main()
        return engine(method, target, headers, body)

    stays = HEAD + ECHO + "  - stays: {get: wf, expect: {runtimeStatus: COMPLETED}, for: 600}\n"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        code, _, (_, footer), _ = diff(interrupting, toy(), folder(a__one=stays))
    finally:
        signal.signal(signal.SIGINT, before)

    assert (code, footer["reason"], footer["complete"]) == (3, "interrupted", False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["refrence", "reference"], ('did you mean "reference"',)),
        (["http://h:1", "ftp://x"], ("ftp://x",)),
        (["reference", "reference", "-k", "nothing/*"], ("no case is selected",)),
        (["reference"], ("Missing argument",)),
    ],
)
def test_a_wrong_side_is_told(command: Any, arguments: Any, words: Any, tmp_path: Any) -> None:
    """
    Exit 2 before anything is sent or written.
    """
    code, _, complaint = command("diff-run", *arguments, "--out", tmp_path / "out")

    assert code == 2
    assert all(word in complaint for word in words), complaint
    assert not (tmp_path / "out").exists()


def test_no_secret_is_in_the_record(diff: Any, toy: Any, folder: Any, tmp_path: Any) -> None:
    """
    The token goes to both servers and into no file.
    """
    diff(toy(), toy(), folder(a__one=LOOK), "--api-token", "s3cr3t-token")

    assert "s3cr3t" not in (tmp_path / "out" / "diff-run.jsonl").read_text()


def _replied(held: spec.Spec, operation: str, state: str) -> Any:
    column = held.replies[held.machine.cell(state, operation).acts].surfaces["http"]
    return column["status"] if isinstance(column["status"], int) else 0, column.get("errorCode", "")


def test_two_profiles_differ_where_their_tables_do(command: Any, tmp_path: Any) -> None:
    """
    The reference server as documented and as daprd 1.18: the cells whose replies differ, and the output of a failed
    instance, and nothing else.
    """
    (tmp_path / "doc.yaml").write_text(
        "version: 1\nname: doc\ntitle: t\nprofile: documented\n"
        'start: ["{python}", -P, -m, reference_server, --dapr-http-port, "0", --dapr-grpc-port, "0", --ready-json, '
        '--profile, "{profile}"]\n'
    )
    options = ("--surface", "http/v1.0", "-k", "cells/*", "--out", tmp_path / "out")
    code, shown, _ = command("diff-run", tmp_path / "doc.yaml", "reference", *options)

    lines = [json.loads(line) for line in (tmp_path / "out" / "diff-run.jsonl").read_text().splitlines()]
    held, other = spec.load("documented"), spec.load()
    assert code == 1
    assert lines[0]["profile"] == "documented"
    says = {one["case"].partition("@")[0] for one in lines if one.get("spec") == "says"}
    differing = {
        f"cells/{state.lower()}_start"
        for state in held.machine.states
        if _replied(held, "start", state) != _replied(other, "start", state)
    }
    capable = {one for one in differing if "pending" not in one and "stalled" not in one}
    assert capable <= says
    assert {one["rule"] for line in lines for one in line.get("says", ())} == {"WF-ERR-002"}
    silent = [place["path"] for one in lines if one.get("spec") == "silent" for place in one["places"]]
    assert set(silent) == {"body.properties.dapr.workflow.output"}
    assert "409" in shown


def test_differences_of_one_kind_are_told_once() -> None:
    """
    The same places under the same rules are one block, with all its steps.
    """
    one = {"case": "a@x", "step": 1, "line": 2, "silence": "s", "says": [], "places": []}

    assert [where for _, where in compare.groups([one, {**one, "case": "b@x"}, {**one, "silence": "t"}])] == [
        ["a@x step 1 (line 2)", "b@x step 1 (line 2)"],
        ["a@x step 1 (line 2)"],
    ]


def test_events_of_cases_that_nobody_planned_are_left_alone() -> None:
    """
    Preflight, and what a filter left out, is no case.
    """
    held = spec.load()
    planned = plan.plan(
        load.scenarios(None), held, contract.Contract(held.openapi), plan.Selection(names=("timers/*",))
    )
    comparison = compare.Comparison(planned.cases, held)

    assert comparison.add("a", {"event": "exchange", "case": "", "step": 1}) == []
    assert comparison.compared == 0
