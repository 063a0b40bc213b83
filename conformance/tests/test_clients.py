"""
Clients under test, end to end: an SDK of our own, the reference server, and drivers that lie.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import spec
from conformance import record

DRIVERS = Path(__file__).parent / "drivers"
FAKE, WORKER = DRIVERS / "fake_client.py", DRIVERS / "fake_worker.py"
HELLO_VERBS = ["start", "get", "pause", "resume", "raise_event", "terminate", "purge"]

TALK = """\
version: 1
title: t
rules: [WF-START-001]
steps:
  - start: {workflow: ConformanceScript, input: {do: [{wait_event: go}]}, as: NAME}
  - eventually: {get: NAME, expect: {runtimeStatus: RUNNING}}
  - terminate: NAME
  - eventually: {get: NAME, expect: {runtimeStatus: TERMINATED}}
  - purge: NAME
  - eventually: {get: NAME, expect: absent}
"""


def driver(path: Path = FAKE, lie: str = "") -> str:
    return shlex.join([sys.executable, str(path), *(["--lie", lie] if lie else [])])


@pytest.fixture
def run(command: Any, events: Any) -> Any:
    """
    A run with options, against the reference server: exit code, cases by name, everything that was shown.
    """

    def call(*arguments: Any) -> Any:
        code, shown, complaint = command("run", *arguments)
        return code, {one["case"]: one for one in events("case")}, shown + complaint

    return call


def test_an_sdk_makes_the_calls(run: Any, events: Any, tmp_path: Path) -> None:
    """
    With --client every step of a case goes to the driver, under the client's name, and the record says which SDK.
    """
    code, cases, _ = run("--client", driver(), "-k", "lifecycle/*", "-k", "cells/running_*", "-k", "errors/*")
    [header] = events("header")
    asked = [one for one in events("exchange") if one["case"] and one["step"]]

    assert code == 0
    assert len(cases) > 20
    assert all(name.partition("[")[0].endswith("@fake_client") for name in cases)
    assert header["surfaces"] == ["fake_client"]
    assert [(one["role"], one["sdk"], one["surface"]) for one in header["sdks"]] == [("client", "http.client", "http")]
    assert {one["request"]["method"] for one in asked} == {"ASK"}
    assert {one["request"]["url"].partition("/")[0] for one in asked} == {"client:fake_client"}
    assert record.complete(record.read(tmp_path / "out" / "run.jsonl"))


def test_the_kit_cleans_up_itself(run: Any, events: Any) -> None:
    """
    What a case leaves is ended over the kit's own connection: a client under test is asked what a scenario says.
    """
    run("--client", driver(), "-k", "cells/running_get@*")
    swept = [one["request"] for one in events("exchange") if one["case"] and not one["step"]]

    assert {one["method"] for one in swept} == {"GET", "POST"}
    assert swept[-1]["url"].endswith("/purge")


LIES = {
    "hangs": ("error", "no answer to get within"),
    "babbles": ("error", "here I am; stdout belongs to the protocol"),
    "answers a list": ("error", "what is no answer"),
    "answers an id of nobody": ("error", "answered 10000000, which nobody asked"),
    "answers twice": ("error", "or a second time"),
    "answers of another kind": ("error", "not as schemas/driver.json says"),
    "says a class of its own": ("error", '"sad" is not one of'),
    "answers a line without end": ("error", "a line of more than"),
    "dies once": ("error", "exit code 139"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_an_error_of_its_case_and_the_run_goes_on(
    run: Any, folder: Any, monkeypatch: Any, tmp_path: Path, lie: str
) -> None:
    """
    Whatever a driver does wrong in a case, the case is an error with what was seen, and the next one passes.
    """
    monkeypatch.setenv("FAKE_FLAG", str(tmp_path / "flag"))
    where = folder(a__liar=TALK.replace("NAME", "liar"), b__true=TALK.replace("NAME", "wf"))
    slow = "0.05" if lie == "hangs" else "1"
    options = ("--scenarios", where, "-j", "1", "--time-scale", slow)
    code, cases, shown = run("--client", driver(lie=lie), *options)
    result, why = LIES[lie]

    assert code == 3
    assert cases["a/liar@fake_client"]["result"] == result
    assert why in cases["a/liar@fake_client"]["cause"]
    assert cases["b/true@fake_client"]["result"] == "pass"
    assert "Segmentation fault, as they say" in shown if lie == "dies once" else True


def test_a_late_answer_is_dropped(run: Any, folder: Any, monkeypatch: Any) -> None:
    """
    An answer that comes when nobody waits any more is taken for no other request's.
    """
    monkeypatch.setenv("FAKE_LATE", "2")
    where = folder(a__liar=TALK.replace("NAME", "liar"), b__true=TALK.replace("NAME", "wf"))
    options = ("--scenarios", where, "-j", "1", "--time-scale", "0.05")
    code, cases, _ = run("--client", driver(lie="answers late"), *options)

    assert code == 3
    assert "no answer to get within 1.5 s" in cases["a/liar@fake_client"]["cause"]
    assert cases["b/true@fake_client"]["result"] == "pass"


def test_a_driver_is_started_again_once(run: Any, folder: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """
    One that breaks off a second time is not trusted any more: what follows is an error, at once and with the reason.
    """
    monkeypatch.setenv("FAKE_FLAG", str(tmp_path / "flag"))
    names = {"a__one": "liar1", "b__two": "liar2", "c__three": "wf"}
    where = folder(**{name: TALK.replace("NAME", instance) for name, instance in names.items()})
    code, cases, _ = run("--client", driver(lie="dies always"), "--scenarios", where, "-j", "1")

    assert code == 3
    assert {one["result"] for one in cases.values()} == {"error"}
    assert "broke off 2 times" in cases["c/three@fake_client"]["cause"]
    assert "Segmentation fault" in cases["c/three@fake_client"]["cause"]


def test_what_a_client_does_not_claim_is_unsupported_before_the_run(run: Any, events: Any, monkeypatch: Any) -> None:
    """
    Verbs, fields, statuses and options that hello does not name make cases unsupported, with the reason, in the plan.
    """
    lacks = {
        "verbs": [one for one in HELLO_VERBS if one != "pause"],
        "fields": ["workflow", "created_at", "updated_at", "input", "output", "failure"],
        "statuses": {name: name.title() for name in ("PENDING", "RUNNING", "COMPLETED", "FAILED", "TERMINATED")},
        "options": [],
    }
    monkeypatch.setenv("FAKE_HELLO", json.dumps(lacks))
    run("--client", driver(), "-k", "cells/*", "-k", "inputs/*", "-k", "get/*", "-k", "lifecycle/*", "-k", "events/*")
    [plan] = events("plan")
    reasons = {one["reason"] for one in plan["unsupported"]}

    assert {"its SDK has no pause", "its SDK shows no customStatus", "its SDK takes no raw"} <= reasons
    assert "cells/running_pause@fake_client" in {one["case"] for one in plan["unsupported"]}
    assert "cells/running_pause@fake_client" not in {one["case"] for one in plan["cases"]}


def test_what_a_client_claims_and_cannot_do_is_an_error(run: Any) -> None:
    """
    A driver that names a verb and answers it with unsupported is caught at its word.
    """
    code, cases, _ = run("--client", driver(lie="forgets pause"), "-k", "cells/running_pause@*")

    assert code == 3
    assert "hello declares what it answers with unsupported" in cases["cells/running_pause@fake_client"]["cause"]


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ("prints a banner", "stdout belongs to the protocol"),
        ("dies at start", "cannot import the SDK"),
        ("exits with 0", "it ended with exit code 0"),
        ("speaks another version", "version 2 of the protocol"),
        ("is a worker", "--worker is its option"),
        ("cannot connect", "nobody there"),
    ],
)
def test_a_client_that_does_not_start_is_no_run(run: Any, events: Any, lie: str, why: str) -> None:
    """
    Exit code 3, the reason on the screen and in the footer, and no case.
    """
    code, cases, shown = run("--client", driver(lie=lie), "-k", "cells/running_get@*")
    [footer] = events("footer")

    assert (code, cases) == (3, {})
    assert why in shown
    assert not footer["complete"]
    assert why in footer["reason"]


def test_the_other_clients_still_run(run: Any, events: Any, tmp_path: Path) -> None:
    """
    Where one of several does not start, the others have their run; it is not complete, and says why.
    """
    other = tmp_path / "other.py"
    other.write_text(FAKE.read_text())
    both = ("--client", driver(lie="dies at start"), "--client", driver(other))
    code, cases, shown = run(*both, "-k", "cells/running_*")
    [footer] = events("footer")

    assert code == 3
    assert {name.rpartition("@")[2] for name in cases} == {"other"}
    assert {one["result"] for one in cases.values()} <= {"pass", "unsupported"}
    assert "cannot import the SDK" in footer["reason"]
    assert "cannot import the SDK" in shown


def test_clients_run_side_by_side(run: Any, tmp_path: Path) -> None:
    """
    Each client has its own cases; --surface chooses among them.
    """
    other = tmp_path / "other.py"
    other.write_text(FAKE.read_text())
    both = ("--client", driver(), "--client", driver(other), "-k", "cells/running_get")
    code, cases, _ = run(*both)

    assert (code, sorted(cases)) == (0, ["cells/running_get@fake_client", "cells/running_get@other"])
    assert [*run(*both, "--surface", "other")[1]] == ["cells/running_get@other"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--client", "pythn"], "no client of this name; there are"),
        (["--client", driver(), "--client", driver()], "named twice"),
        (["--client", driver(), "--surface", "grpc"], "with --client the surfaces are the clients"),
        (["--client", driver(), "-k", "no/such@*"], "no case is selected"),
        (["--client", driver(), "--rule", "WF-NO-1"], "no such rule"),
        (["--worker", "no-such"], "no worker of this name; there are builtin"),
        (["--worker", driver(WORKER), "--server", "http://127.0.0.1:1"], "needs the gRPC port"),
    ],
)
def test_wrong_options_are_told_before_anything_starts(command: Any, arguments: Any, why: str) -> None:
    """
    Exit code 2, and no record.
    """
    code, _, complaint = command("run", *arguments)

    assert code == 2
    assert why in complaint


def test_a_dry_run_shows_what_a_client_can_do(command: Any, tmp_path: Path) -> None:
    """
    The plan of a client needs its hello, and nothing else is asked.
    """
    code, shown, _ = command("run", "--client", driver(), "-k", "cells/*", "--dry-run")

    assert code == 0
    assert "cells/running_pause@fake_client  " in shown
    assert not (tmp_path / "out" / "run.jsonl").exists()


def test_a_worker_hosts_the_workflows(run: Any, events: Any) -> None:
    """
    With --worker CMD the workflows run in that process, whoever makes the calls, and the record says so.
    """
    code, cases, shown = run("--worker", driver(WORKER), "--client", driver(), "-k", "children/*", "-k", "events/*")
    [header] = events("header")

    assert code == 0, shown
    assert len(cases) > 10
    assert [one["role"] for one in header["sdks"]] == ["client", "worker"]


def test_a_driver_that_does_not_stop_well_is_told(run: Any) -> None:
    """
    What it did when it was told to stop is said; the verdict is about the SDK.
    """
    code, _, shown = run("--client", driver(lie="dies at stop"), "-k", "cells/running_get@*")

    assert code == 0
    assert "client fake_client: it was told to stop: it ended with exit code 9" in shown


@pytest.mark.parametrize(("lie", "why"), [("dies at start", "no stream to the sidecar"), ("dies later", "broke off")])
def test_a_worker_that_breaks_off_is_no_verdict(run: Any, events: Any, lie: str, why: str) -> None:
    """
    What ran without its worker proves nothing: exit code 3, with the worker's last words.
    """
    code, _, _ = run("--worker", driver(WORKER, lie), "-k", "timers/*@http/v1.0", "-k", "events/*@http/v1.0")
    [footer] = events("footer")

    assert code == 3
    assert why in footer["reason"]


def test_known_failures_of_an_sdk_are_about_it_alone(run: Any, tmp_path: Path) -> None:
    """
    An entry whose target is client:NAME holds for the versions of that SDK, and for no other run.
    """
    entry = {"case": "cells/running_get@*", "target": "client:fake_client", "versions": ">=3", "reason": "a test"}
    file = tmp_path / "known.yaml"
    file.write_text(json.dumps({"version": 1, "failures": [entry]}))
    options = ("-k", "cells/running_get@*", "--surface", "*", "--expected-failures", file)
    found = {}
    for name, arguments in {"client": ["--client", driver()], "server": []}.items():
        code, cases, _ = run(*arguments, *options)
        found[name] = (code, {one["result"] for one in cases.values()})

    assert found == {"client": (1, {"unexpected_pass"}), "server": (0, {"pass"})}


def test_a_rule_of_clients_holds_where_one_is_under_test(run: Any, events: Any) -> None:
    """
    What an SDK owes its user is judged with --client, and no demand of a server.
    """
    rule = spec.carrying("answer")
    run("--client", driver(), "-k", "cells/running_get@*")
    own = {one["rule"] for one in events("check")}
    run("-k", "cells/running_get@http/v1.0")

    assert rule in own
    assert rule not in {one["rule"] for one in events("check")}
