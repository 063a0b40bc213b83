"""
Generated requests: which rules they are put under, what the state model finds, and the command as a whole.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import spec
from conformance import contract, load, plan
from conformance.fuzzing import command as fuzz
from conformance.fuzzing import coverage, negatives
from conformance.fuzzing.broken import Broken
from conformance.fuzzing.document import document, operations, rejected
from conformance.fuzzing.model import Model

if TYPE_CHECKING:
    from pathlib import Path

each_profile = pytest.mark.parametrize("profile", spec.profiles())


@pytest.fixture(scope="module")
def made() -> Any:
    """
    The negative cases of a profile, as they come and as they are named.
    """
    found: dict[str, Any] = {}

    def make(profile: str) -> Any:
        if profile not in found:
            held = spec.load(profile)
            breaking = document(held, breaking=True)
            cases = coverage.negatives(breaking, 1)
            found[profile] = (cases, *negatives.named(cases, breaking, held))
        return found[profile]

    return make


def start(**query: str) -> Any:
    return Broken("startWorkflow", "POST", "s", "a", "query_instanceID", {}, query)


def rules_of(*cases: Any, profile: str = spec.DEFAULT_PROFILE) -> Any:
    held = spec.load(profile)
    cases = tuple(
        Broken(
            one.operation,
            one.method,
            one.scenario,
            one.about,
            one.place,
            one.path or _path(one),
            one.query,
            one.headers,
            one.body,
        )
        for one in cases
    )
    return [one.rule for one in negatives.named(cases, document(held, breaking=True), held)[0]]


def _path(case: Any) -> Any:
    if case.operation == "startWorkflow":
        return {"workflowComponent": "dapr", "workflowName": "ConformanceEcho"}
    return {"workflowComponent": "dapr", "instanceID": "order-1"}


def test_the_coverage_phase_gives_cases_of_every_kind(made: Any) -> None:
    """
    What is wrapped of a half public interface still gives what is built on it.
    """
    cases, _, _ = made("dapr-edge")
    kinds = Counter(one.scenario for one in cases)

    assert {one.operation for one in cases} == {
        fields["operationId"] for _, _, fields in operations(spec.openapi()) if "x-operation" in fields
    }
    assert {"unspecified_http_method", "incorrect_type", "string_above_max_length", "invalid_pattern"} <= set(kinds)
    assert {type(value) for one in cases for value in (*one.query.values(), *one.path.values())} == {str}
    assert any(one.body == "false" for one in cases)


def test_the_same_seed_gives_the_same_cases(made: Any) -> None:
    """
    The names of a report mean the same in the next one.
    """
    held = spec.load()

    assert coverage.negatives(document(held, breaking=True), 1) == made(held.profile.name)[0]


@each_profile
def test_every_named_case_is_a_scenario_of_its_profile(made: Any, profile: str, tmp_path: Path) -> None:
    """
    Each loads, plans, carries its rule, and has an accepted step.
    """
    held = spec.load(profile)
    _, named, _ = made(profile)
    for one in named:
        path = tmp_path / "fuzz" / f"{one.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one.text, encoding="utf-8")
    planned = plan.plan(
        load.scenarios(tmp_path), held, contract.Contract(held.openapi), plan.Selection(surfaces=("http/v1.0",))
    )

    assert len(planned.cases) == len(named) == len({one.name for one in named}) > 0
    assert {one.rule for one in named} <= {check.rule for case in planned.cases for check in case.checks}
    for case in planned.cases:
        assert any(check.kind == "outcome" and getattr(check.wants, "accepted", False) for check in case.checks)


@each_profile
def test_what_no_rule_of_a_profile_speaks_of_is_counted(made: Any, profile: str) -> None:
    """
    Nothing is lost: a case is named or counted among those that are not judged.
    """
    cases, named, left = made(profile)

    assert len(named) + sum(left.values()) == len(cases)
    assert all(profile in (spec.load(profile).rules[one.rule].profiles or (profile,)) for one in named)


def test_the_rules_of_the_default_profile_are_all_met(made: Any) -> None:
    """
    Wrong methods, wrong bodies, wrong and long IDs: each kind is there under its rule.
    """
    rules = Counter(one.rule for one in made(spec.DEFAULT_PROFILE)[1])

    assert set(rules) == {"WF-HTTP-004", "WF-HTTP-005", "WF-ID-002", "WF-ID-003"}
    assert rules["WF-HTTP-004"] == 4 * len(spec.load().machine.offered("http"))
    assert "WF-ERR-018" in {one.rule for one in made("dapr-edge")[1]}
    assert {one.rule for one in made("documented")[1]} == {"WF-ID-002"}


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        (start(instanceID="a b"), "WF-ID-002"),
        (start(instanceID="a\N{WHITE SMILING FACE}"), "WF-ID-002"),
        (start(instanceID="a" * 65), "WF-ID-003"),
        (start(instanceID="\N{LATIN SMALL LETTER E WITH ACUTE}" * 33), "WF-ID-003"),
        (start(instanceID="." * 65), "WF-ID-003"),
        (Broken("getWorkflow", "DELETE", "s", "a", ""), "WF-HTTP-004"),
        (Broken("pauseWorkflow", "POST", "s", "a", "body", body="[]"), "WF-HTTP-005"),
        (start(instanceID="ok"), ""),
        (start(instanceID="\N{LATIN SMALL LETTER E WITH ACUTE}"), ""),
        (start(instanceID="a\N{COMBINING ACUTE ACCENT}"), ""),
        (start(other="x"), ""),
        (Broken("getWorkflow", "OPTIONS", "s", "a", ""), ""),
        (Broken("pauseWorkflow", "POST", "s", "a", "body", body="{}"), ""),
        (Broken("startWorkflow", "POST", "s", "a", "body", body="[]"), ""),
        (Broken("pauseWorkflow", "POST", "s", "a", "", headers={"Content-Type": "text/plain"}), ""),
        (Broken("startWorkflow", "POST", "s", "a", "", {}, {"instanceID": "a b"}, {"Content-Type": "x/y"}), ""),
        (Broken("pauseWorkflow", "POST", "s", "a", "body", body='"${x}"'), ""),
    ],
)
def test_a_case_is_under_the_rule_of_what_is_broken(case: Any, rule: str) -> None:
    """
    By the parameter and keyword, the body or the method; what is disputed, or broken twice, is not judged.
    """
    assert rules_of(case) == ([rule] if rule else [])


@each_profile
def test_the_configuration_fits_the_profiles(profile: str) -> None:
    """
    The statuses that count as a rejection are those of every profile.
    """
    shipped = tomllib.loads(fuzz.CONFIG.read_text(encoding="utf-8"))

    assert shipped["checks"]["negative_data_rejection"]["expected-statuses"] == rejected(spec.load(profile))
    assert shipped["checks"]["unsupported_method"]["enabled"] is False


def test_the_document_is_that_of_the_profile() -> None:
    """
    Parameters and limits are there where the profile has them.
    """
    names = {}
    for profile in spec.profiles():
        fields = next(inner for _, _, inner in operations(document(spec.load(profile), breaking=False)))
        names[profile] = {one["name"]: one["schema"] for one in fields["parameters"]}

    assert "appID" in names["dapr-edge"]
    assert "appID" not in names["dapr-1.18"]
    assert "maxLength" in names["dapr-1.18"]["instanceID"]
    assert "maxLength" not in names["documented"]["instanceID"]
    assert spec.openapi()["paths"]["/workflows/{workflowComponent}/{workflowName}/start"]["post"]["parameters"][0] == {
        "$ref": "#/components/parameters/workflowComponent"
    }


@pytest.fixture
def model() -> Any:
    held = spec.load()
    made = Model(held.machine, held.replies)
    made.fresh("a", quiet=True)
    return made


def step(  # noqa: PLR0913 - an answer
    model: Any, operation: str, status: int, *, code: str = "", word: str = "", shows: Any = None
) -> Any:
    wrong = model.answered("a", operation, status, code, word)
    if shows is not None:
        assert model.shows("a", shows), wrong
    return wrong


def test_a_right_conversation_is_right(model: Any) -> None:
    """
    Start, pause, resume, purge too early, terminate, purge, gone.
    """
    assert not step(model, "start", 202, shows="RUNNING")
    assert not step(model, "pause", 202, shows="SUSPENDED")
    assert not step(model, "get", 200, word="SUSPENDED")
    assert not step(model, "resume", 202, shows="RUNNING")
    assert not step(model, "purge", 500, code="ERR_PURGE_WORKFLOW")
    assert not step(model, "terminate", 202, shows="TERMINATED")
    assert not step(model, "purge", 202, shows="")
    assert not step(model, "get", 404, code="ERR_INSTANCE_ID_NOT_FOUND")


@pytest.mark.parametrize(
    ("before", "wrong", "rule"),
    [
        ([("start", "RUNNING")], ("purge", 202, "", ""), "WF-PURGE-003"),
        ([("start", "RUNNING")], ("start", 202, "", ""), "WF-START-003"),
        ([("start", "RUNNING")], ("get", 200, "", "COMPLETED"), "WF-GET-001"),
        ([("start", "RUNNING")], ("get", 404, "ERR_INSTANCE_ID_NOT_FOUND", ""), "WF-GET-001"),
        ([("start", "RUNNING"), ("terminate", "TERMINATED")], ("get", 200, "", "RUNNING"), "WF-GET-001"),
        ([("start", "RUNNING")], ("purge", 500, "ERR_OTHER", ""), "WF-PURGE-003"),
        ([], ("get", 200, "", "RUNNING"), "WF-GET-002"),
    ],
)
def test_a_wrong_answer_is_told_with_its_rule(model: Any, before: Any, wrong: Any, rule: str) -> None:
    """
    An answer that the table gives in none of the possible states is wrong, by the rules of those cells.
    """
    for operation, shows in before:
        assert not step(model, operation, 202, shows=shows)
    operation, status, code, word = wrong

    assert rule in step(model, operation, status, code=code, word=word)


def test_an_effect_that_never_shows_is_told(model: Any) -> None:
    """
    A pause that is accepted and does nothing is no pause; until it shows, both states are possible.
    """
    step(model, "start", 202, shows="RUNNING")
    step(model, "pause", 202)

    assert not model.shows("a", "RUNNING")
    assert not model.shows("a", None)
    assert "WF-PAUSE-002" in model.unsettled("a")
    assert model.shows("a", "SUSPENDED")


def test_what_is_not_known_may_be_in_any_state(model: Any) -> None:
    """
    An ID of an earlier run gives no false alarm; neither does a workflow that may end by itself.
    """
    assert not model.answered("old", "purge", 202, "", "")
    assert not model.answered("old", "purge", 500, "ERR_PURGE_WORKFLOW", "")
    model.fresh("a", quiet=False)
    step(model, "start", 202, shows="RUNNING")
    assert not step(model, "purge", 202, shows="")
    model.forget("a")
    assert not model.knows("a")
    assert not step(model, "get", 200, word="RUNNING")


@pytest.fixture
def fuzzed(command: Any, peer: Any, tmp_path: Any, events: Any) -> Any:
    def call(server: Any, *arguments: Any) -> Any:
        url = server if isinstance(server, str) else peer(server).url
        out = tmp_path / "out"
        code, shown, complaint = command("fuzz", "--server", url, "--max-examples", "8", "--out", out, *arguments)
        return code, shown + complaint, events

    return call


@pytest.mark.parametrize(("profile", "seed"), [("dapr-1.18", 3), ("documented", 4), ("dapr-edge", 5)])
def test_nothing_is_found_on_the_reference_server(command: Any, profile: Any, seed: Any, tmp_path: Any) -> None:
    """
    No false alarm, in any profile; the record and the reports are those of a run.
    """
    out = tmp_path / "out"
    code, shown, complaint = command("fuzz", "--profile", profile, "--seed", seed, "--max-examples", "10", "--out", out)

    assert code == 0, shown + complaint
    assert "no failure" in shown
    report = json.loads((out / "schemathesis.json").read_text())
    assert report["test_cases"]["generated"] > 20
    assert {report["phases"][phase]["status"] for phase in ("coverage", "stateful")} == {"success"}
    assert "testcase" in (out / "junit.xml").read_text()
    cases = [json.loads(line).get("case", "") for line in (out / "run.jsonl").read_text().splitlines()]
    versions = {case.partition("@")[2] for case in cases if case.startswith("fuzz/")}
    assert versions == {"http/v1.0", "http/v1.0-beta1", "http/v1.0-alpha1"}


@pytest.mark.parametrize(
    ("cell", "reply", "rule"),
    [
        (("RUNNING", "purge"), "accepted", "WF-PURGE-00"),
        (("SUSPENDED", "resume"), "purge.active", "WF-RESUME-00"),
        (("TERMINATED", "pause"), "purge.active", "WF-PAUSE-00"),
    ],
)
def test_the_state_model_finds_a_wrong_cell(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    fuzzed: Any, toy: Any, monkeypatch: Any, cell: Any, reply: Any, rule: Any
) -> None:
    """
    What the stock checks cannot see is told with a rule of that operation.
    """
    whole = fuzz._command
    monkeypatch.setattr(fuzz, "_command", lambda *given: [*whole(*given), "--no-shrink", "--max-failures", "1"])
    code, shown, _ = fuzzed(strict(toy({cell: reply})), "--phases", "stateful", "--max-examples", "15")

    assert code == 1
    assert rule in shown


def strict(toy: Any) -> Any:
    """
    A toy that also refuses wrong methods and wrong bodies, as the named cases ask.
    """
    methods = {"start": "POST", **dict.fromkeys(toy.spec.machine.offered("http"), "POST")}

    def serve(method: Any, target: Any, headers: Any, body: Any) -> Any:
        parts = target.partition("?")[0].split("/")[1:]
        if parts[1:2] == ["workflows"]:
            wanted = "GET" if len(parts) == 4 else methods.get("start")
            if method != wanted:
                return toy.row("route.unknown")
            free = parts[-1] == "start" or "raiseEvent" in parts
            if body and not free and not body.lstrip().startswith(b"{"):
                return toy.row("body.malformed")
        return toy(method, target, headers, body)

    return serve


def test_a_named_case_that_fails_fails_under_its_rule(fuzzed: Any, toy: Any) -> None:
    """
    A server that takes any body is not conformant, and the report says by which rule.
    """
    engine = toy()
    guarded = strict(engine)

    def lax(method: Any, target: Any, headers: Any, body: Any) -> Any:
        return guarded(method, target, headers, b"" if target.endswith("/pause") else body)

    code, shown, events = fuzzed(lax, "--phases", "coverage")

    failing = {one["rule"] for one in events("check") if one["result"] != "pass"}
    assert code == 1
    assert "WF-HTTP-005" in failing
    assert all(one["case"].startswith("fuzz/pauseWorkflow/") for one in events("check") if one["result"] != "pass")
    assert "fuzz/pauseWorkflow" in shown


def test_a_server_that_is_not_there_is_no_verdict(fuzzed: Any) -> None:
    """
    Exit 3, in sentences.
    """
    code, shown, _ = fuzzed("http://127.0.0.1:1")

    assert code == 3
    assert "127.0.0.1:1" in shown


def test_without_the_extra_one_line_says_how_to_get_it(command: Any, monkeypatch: Any, tmp_path: Any) -> None:
    """
    Exit 2 before anything is sent or written.
    """
    monkeypatch.setitem(sys.modules, "schemathesis", None)
    code, shown, complaint = command("fuzz", "--out", tmp_path / "out")

    assert (code, shown) == (2, "")
    assert complaint.strip().splitlines() == [f"error: {coverage.INSTALL}"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("phases", ["nothing", "coverage,", "coverage stateful"])
def test_an_unknown_phase_is_told(command: Any, phases: Any) -> None:
    """
    Exit 2, with the phases there are.
    """
    code, _, complaint = command("fuzz", "--phases", phases)

    assert code == 2
    assert "stateful" in complaint


def test_a_schemathesis_that_does_not_come_to_its_end_is_no_verdict(monkeypatch: Any, fuzzed: Any, toy: Any) -> None:
    """
    Exit 3 with its last lines, whatever became of it.
    """
    monkeypatch.setattr(fuzz, "_command", lambda *_: [sys.executable, "-c", "print('it broke'); raise SystemExit(7)"])
    code, shown, _ = fuzzed(strict(toy()))

    assert code == 3
    assert "exit code 7" in shown
    assert "it broke" in shown


def test_a_schemathesis_that_hangs_is_ended(monkeypatch: Any, fuzzed: Any, toy: Any) -> None:
    """
    It has its time, and does not outlive it.
    """
    monkeypatch.setattr(fuzz, "LONGEST", 0.2)
    started: list[Any] = []
    popen = subprocess.Popen

    def kept(*arguments: Any, **more: Any) -> Any:
        started.append(popen(*arguments, **more))
        return started[-1]

    monkeypatch.setattr(fuzz.subprocess, "Popen", kept)
    monkeypatch.setattr(fuzz, "_command", lambda *_: [sys.executable, "-c", "import threading as t; t.Event().wait()"])
    code, shown, _ = fuzzed(strict(toy()))

    assert code == 3
    assert "took longer" in shown
    assert started[-1].returncode is not None


def test_no_secret_is_in_a_report(fuzzed: Any, toy: Any, tmp_path: Any) -> None:
    """
    The token reaches the server from both parts, and no file and no screen.
    """
    seen = []
    engine = strict(toy({("RUNNING", "purge"): "accepted"}))

    def echo(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if "/workflows/" in target:  # it looks at / before anything else
            seen.append(headers.get("dapr-api-token"))
        return engine(method, target, headers, body)

    code, shown, _ = fuzzed(echo, "--phases", "stateful", "--api-token", "s3cr3t-token")

    assert code == 1
    assert set(seen) == {"s3cr3t-token"}
    files = "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert "s3cr3t" not in files + shown
