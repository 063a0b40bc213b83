"""
Whole runs against servers in this process: what is executed, what is told, and how it ends.
"""

import _thread
import json
import signal
import threading
from typing import Any

import pytest

import spec
from conformance import case, known, record
from conformance.report import junit

HEAD = "version: 1\ntitle: t\nrules: [WF-START-001]\n"
ECHO = """\
  - start: {workflow: ConformanceEcho, input: 1, as: wf}
  - eventually: {get: wf, expect: {runtimeStatus: COMPLETED, output: 1}}
"""
SCRIPT = "  - start: {workflow: ConformanceScript, input: {do: [{wait_event: go}]}, as: wf}\n"
GOOD = HEAD + "steps:\n" + ECHO


@pytest.fixture
def run(command: Any, folder: Any, peer: Any) -> Any:
    def call(server: Any, *arguments: Any, **files: Any) -> Any:
        url = server if isinstance(server, str) else peer(server).url
        where = folder(**(files or {"a__one": GOOD}))
        return command(
            "run", "--server", url, "--scenarios", where, "--time-scale", "0.05", "--surface", "http/v1.0", *arguments
        )

    return call


def results(events: Any) -> Any:
    return {one["case"].partition("@")[0]: one["result"] for one in events("case")}


def failing(events: Any) -> Any:
    return [one for one in events("check") if one["result"] != "pass"]


def test_a_conformant_server_passes(run: Any, toy: Any, events: Any, tmp_path: Any) -> None:
    """
    Exit 0, every planned check executed, every event as the record's schema says, a report beside it.
    """
    code, shown, _ = run(toy())

    assert code == 0
    kinds = [one["event"] for one in events()]
    assert (kinds[0], kinds[1], kinds[-1]) == ("header", "plan", "footer")
    footer = events("footer")[0]
    assert footer["complete"]
    assert footer["counts"] == {"pass": 1}
    assert footer["checks"] == {"planned": 5, "executed": 5, "passed": 5, "failed": 0}
    assert record.read(tmp_path / "out" / "run.jsonl") == events()
    assert "<testsuites" in (tmp_path / "out" / "junit.xml").read_text()
    assert "conformant" in shown
    assert events("header")[0]["target"]["version"] == "1.18.3"


def test_every_generated_cell_passes_on_what_is_true_to_the_table(
    cells: Any, command: Any, peer: Any, toy: Any, tmp_path: Any
) -> None:
    """
    The generated scenarios and a toy made of the same table agree.
    """
    (tmp_path / "s" / "cells").mkdir(parents=True)
    for path, text in cells.items():
        (tmp_path / "s" / path).write_text(text)

    assert command("run", "--server", peer(toy()).url, "--scenarios", tmp_path / "s")[0] == 0


WRONG = [
    (state, operation)
    for state, row in spec.load().machine.table.items()
    for operation in spec.load().machine.offered("http")
    if state not in ("PENDING", "STALLED") and row[operation].event == operation
]


@pytest.mark.parametrize(("state", "operation"), WRONG)
def test_every_wrong_cell_is_found_by_its_own_rule(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    cells: Any, command: Any, peer: Any, toy: Any, events: Any, tmp_path: Any, state: Any, operation: Any
) -> None:
    """
    A server with another reply in one cell fails that cell's scenario, by a check that carries a rule of the cell.

    A wrong get is found on the way to the cell already, by whatever is looked for.
    """
    held = spec.load()
    cell = held.machine.cell(state, operation)
    other = "refused.any" if held.replies[cell.reply].outcome == "accepted" else "accepted"
    engine = toy({(state, operation): other})
    if other == "refused.any":
        engine.wrong[state, operation] = "purge.active" if operation != "purge" else "start.duplicate"
    path = f"cells/{state.lower()}_{operation}.yaml"
    (tmp_path / "s" / "cells").mkdir(parents=True)
    (tmp_path / "s" / path).write_text(cells[path])

    code, _, _ = command(
        "run",
        "--server",
        peer(engine).url,
        "--scenarios",
        tmp_path / "s",
        "--surface",
        "http/v1.0",
        "--time-scale",
        "0.05",
    )

    if state == "ABSENT" and operation == "start":
        assert code == 3  # not even the preflight gets by
        return
    if code == 3:
        assert operation in ("get", "start")  # the preflight did not get by
        return
    assert code == 1
    assert operation == "get" or any(one["rule"] in cell.rules for one in failing(events))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"{}"),
        (202, b"{}"),
        (404, b"{}"),
        (500, b'{"errorCode": "ERR_X", "message": "m"}'),
        (200, b""),
        (204, b""),
    ],
)
def test_a_server_that_says_one_thing_passes_nothing(
    run: Any, answering: Any, events: Any, status: Any, body: Any
) -> None:
    """
    Null servers pass no case at all.
    """
    code, _, _ = run(lambda *_: answering(status, body))

    assert code == 3
    assert results(events) == {"a/one": "not_run"}
    assert not events("footer")[0]["complete"]


def test_a_failure_says_what_was_wanted_and_seen(run: Any, toy: Any, events: Any) -> None:
    """
    A failing check is told with rule, reason, both sides, and the exchange it is about.
    """
    wrong = GOOD.replace("output: 1", "output: 2")
    code, shown, _ = run(toy(), a__one=wrong)

    (check,) = failing(events)
    assert code == 1
    assert (check["check"], check["rule"], check["result"]) == ("2.settles", "WF-START-002", "fail")
    assert check["why"] == "output: wanted 2, saw a text that is not JSON: 1" or "wanted 2" in check["why"]
    numbers = {one["n"] for one in events("exchange") if one["case"]}
    assert check["exchange"] in numbers
    (ended,) = events("case")
    assert ended["rule"] == "WF-START-002"
    assert ended["cause"].startswith("step 2 (line 6): output: wanted 2")
    assert "WF-START-002" in shown


def test_what_follows_a_broken_step_is_not_executed_and_not_passed(run: Any, toy: Any, events: Any) -> None:
    """
    A step that settles wrongly ends its case; the planned checks behind it are missing from the executed ones.
    """
    run(toy(), a__one=GOOD.replace("output: 1", "output: 2") + "  - purge: wf\n")
    footer = events("footer")[0]

    assert footer["checks"]["planned"] - footer["checks"]["executed"] == 3
    assert results(events) == {"a/one": "fail"}


def test_a_wrong_form_does_not_end_a_case(run: Any, toy: Any, events: Any) -> None:
    """
    An answer of the wrong form is a failure of its own; the rest of the case is still judged.
    """
    engine = toy()

    def html(method: Any, target: Any, headers: Any, body: Any) -> Any:
        answer = engine(method, target, headers, body)
        return answer.replace(b"application/json", b"text/x-json") if method == "POST" else answer

    run(html)

    assert [one["check"] for one in failing(events)] == ["1.body"]
    assert len(events("check")) == 5


def test_a_planned_check_that_was_not_executed_is_a_failure(run: Any, toy: Any, events: Any, monkeypatch: Any) -> None:
    """
    Whatever the runner forgets, it does not pass.
    """
    run_steps = case.Steps.run
    monkeypatch.setattr(case.Steps, "run", lambda self, step: list(run_steps(self, step))[1:])
    code, _, _ = run(toy())

    assert code == 1
    assert results(events) == {"a/one": "fail"}
    assert "planned and not executed: 1.outcome" in events("case")[0]["cause"]


def test_an_exception_of_the_harness_is_an_error(run: Any, toy: Any, events: Any, monkeypatch: Any) -> None:
    """
    An error nobody expected never passes, and hides nothing behind it.
    """
    monkeypatch.setattr(case, "spell", None)
    code, _, _ = run(toy(), a__one=GOOD, a__two=HEAD + "instances: {wf: 'x{u}'}\nsteps:\n" + ECHO)

    assert code == 3
    assert results(events) == {"a/one": "pass", "a/two": "error"}
    assert events("footer")[0]["complete"]


@pytest.mark.parametrize(("option", "left"), [(["-x"], 3), (["--max-fail", "2"], 2)])
def test_a_run_stops_when_asked(run: Any, toy: Any, events: Any, option: Any, left: Any) -> None:
    """
    -x and --max-fail start no further case; what is left is not_run, and the run not complete.
    """
    wrong = GOOD.replace("output: 1", "output: 2")
    code, _, _ = run(toy(), "-j", "1", *option, a__a=wrong, a__b=wrong, a__c=wrong, a__d=wrong)

    footer = events("footer")[0]
    assert code == 1
    assert footer["counts"] == {"fail": 4 - left, "not_run": left}
    assert not footer["complete"]
    assert "as asked" in footer["reason"]


def test_every_attempt_must_pass(run: Any, toy: Any, events: Any) -> None:
    """
    A case that fails once in several attempts fails.
    """
    engine = toy()
    start, starts = engine.start, []

    def flaky(workflow: Any, name: Any, body: Any) -> Any:
        starts.append(name)
        return start(workflow, name, body if len(starts) != 3 else b"2")

    engine.start = flaky
    code, _, _ = run(engine, "--repeat", "3", "-j", "1")

    assert code == 1
    assert [one["result"] for one in events("case")] == ["pass", "fail", "pass"]
    assert [one["attempt"] for one in events("case")] == [1, 2, 3]
    assert events("footer")[0]["counts"] == {"fail": 1}
    assert len(set(starts)) == 4


def test_the_seed_decides_the_order(run: Any, toy: Any, events: Any) -> None:
    """
    The same seed gives the same order, which is told.
    """
    files = {f"a__c{n}": GOOD for n in range(8)}
    orders = []
    for seed in ("7", "7", "0"):
        run(toy(), "-j", "1", "--seed", seed, **files)
        orders.append([one["case"] for one in events("case")])

    assert orders[0] == orders[1] != orders[2] == sorted(orders[2])


def test_instances_are_cleaned_up_unless_kept(run: Any, toy: Any) -> None:
    """
    A case ends and purges what it started, also when it fails; --keep leaves it.
    """
    for text in (HEAD + "steps:\n" + SCRIPT, GOOD.replace("output: 1", "output: 2")):
        engine = toy()
        run(engine, a__one=text)
        assert engine.instances == {}
        run(engine, "--keep", a__one=text)
        assert len(engine.instances) == 1


def test_clean_up_never_changes_a_verdict(run: Any, toy: Any, events: Any) -> None:
    """
    A server that does not let go fails nothing by that.
    """
    engine = toy({("RUNNING", "terminate"): "purge.active"})
    code, _, _ = run(engine, a__one=HEAD + "steps:\n" + SCRIPT)

    assert code == 0
    assert [one["step"] for one in events("exchange") if one["case"]] == [1, 0, 0]


def test_a_server_that_dies_ends_the_run(run: Any, toy: Any, events: Any) -> None:
    """
    What was not executed is not_run; the reason names the URL and the last thing seen.
    """
    engine, calls = toy(), []

    def mortal(*request: Any) -> Any:
        calls.append(request)
        return engine(*request) if len(calls) < 9 else None

    code, shown, _ = run(mortal, "-j", "1", **{f"a__c{n}": GOOD for n in range(5)})

    footer = events("footer")[0]
    assert code == 3
    assert not footer["complete"]
    assert "http://127.0.0.1:" in footer["reason"]
    assert "the server is gone" in footer["reason"]
    assert footer["counts"]["not_run"] >= 3
    assert "fail" not in footer["counts"]
    assert "INCOMPLETE" in shown


def test_a_hanging_server_ends_the_run(run: Any, toy: Any, events: Any) -> None:
    """
    A server that stops answering is an error and the end, not a hung run.
    """
    engine, calls = toy(), []
    over = threading.Event()

    def hangs(*request: Any) -> Any:
        calls.append(request)
        if len(calls) < 9:
            yield engine(*request)
        else:
            over.wait(60)

    code, _, _ = run(hangs, "--time-scale", "0.01", **{f"a__c{n}": GOOD for n in range(5)})
    over.set()

    assert code == 3
    assert not events("footer")[0]["complete"]
    assert "fail" not in events("footer")[0]["counts"]


@pytest.mark.parametrize(
    "garbage",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 202 OK\r\nContent-Length: 99\r\n\r\n{}"],
)
def test_what_is_no_answer_fails_where_the_server_otherwise_answers(
    run: Any, toy: Any, events: Any, garbage: Any
) -> None:
    """
    One operation that answers garbage is the server's failure; it is never taken for a refusal.
    """
    engine = toy()

    def lies(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if not target.endswith("/pause"):
            yield engine(method, target, headers, body)
            return
        yield garbage
        raise OSError

    code, _, _ = run(lies, a__one=HEAD + "steps:\n" + SCRIPT + "  - pause: wf\n    expect: cell\n")

    assert code == 1
    assert {one["check"] for one in failing(events)} == {"2.outcome", "2.reply", "2.body"}


@pytest.fixture
def ctrl_c() -> Any:
    """
    Python's own handler of SIGINT, which a process started in the background does not have.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_run_has_its_footer(run: Any, toy: Any, events: Any, tmp_path: Any) -> None:
    """
    Ctrl-C: footer and reports are written, exit 3.
    """
    engine = toy()
    threads = []

    def interrupting(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if "-wf" in target and not threads:
            threads.append(1)
            _thread.interrupt_main()
        return engine(method, target, headers, body)

    code, _, _ = run(
        interrupting,
        "-j",
        "1",
        a__one=GOOD,
        a__two=HEAD + "steps:\n" + SCRIPT + "  - stays: {get: wf, expect: {runtimeStatus: RUNNING}, for: 600}\n",
    )

    footer = events("footer")[0]
    assert code == 3
    assert (footer["complete"], footer["reason"], footer["exit"]) == (False, "interrupted", 3)
    assert footer["counts"]["not_run"] >= 1
    assert (tmp_path / "out" / "junit.xml").exists()


def test_expected_failures_are_strict_both_ways(run: Any, toy: Any, events: Any, tmp_path: Any) -> None:
    """
    What is known to fail passes the run; what passes though it should fail, and an entry for nothing, do not.
    """
    file = tmp_path / "known.yaml"
    wrong = GOOD.replace("output: 1", "output: 2")
    for entry, text, code, result in (
        ("a/*", wrong, 0, "expected_failure"),
        ("a/*", GOOD, 1, "unexpected_pass"),
        ("b/*", wrong, 1, "fail"),
    ):
        file.write_text(f"version: 1\nfailures:\n  - case: {entry}\n    reason: because\n")
        assert run(toy(), "--expected-failures", file, a__one=text)[0] == code
        assert results(events) == {"a/one": result}


def test_update_writes_what_fails(run: Any, toy: Any, tmp_path: Any) -> None:
    """
    --update makes a file under which the same run passes.
    """
    file = tmp_path / "known.yaml"
    wrong = {"a__one": GOOD.replace("output: 1", "output: 2"), "a__two": GOOD}
    assert run(toy(), "--expected-failures", file, "--update", **wrong)[0] == 1
    assert run(toy(), "--expected-failures", file, **wrong)[0] == 0
    assert len(known.load(file, today=known.date(2026, 1, 1)).entries) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_no_secret_is_recorded(run: Any, toy: Any, events: Any, tmp_path: Any, fails: Any) -> None:
    """
    Neither the token nor a header of the user's reaches any file or the screen, not even to repeat a failure by hand.
    """
    server = toy()
    seen = []

    def echo(method: Any, target: Any, headers: Any, body: Any) -> Any:
        seen.append(headers)
        answer = server(method, target, headers, body)
        return answer.replace(b"createdAt", b"madeAtAll") if fails and b"-preflight" not in answer else answer

    code, shown, complaints = run(echo, "--api-token", "s3cr3t-token", "--header", "Authorization=Bearer hidden/value")

    assert code == int(fails)
    assert ("curl" in shown) is fails
    assert seen[0]["dapr-api-token"] == "s3cr3t-token"
    assert seen[0]["authorization"] == "Bearer hidden/value"
    files = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    for text in (files, shown, complaints):
        assert "s3cr3t" not in text
        assert "hidden" not in text
    assert events("exchange")


def test_parallel_steps_are_counted(run: Any, toy: Any, events: Any) -> None:
    """
    Of simultaneous starts exactly one is accepted, and each branch is recorded.
    """
    both = ", ".join(["{start: {workflow: ConformanceScript, as: wf}}"] * 4)
    text = (
        HEAD.replace("001", "012")
        + f"steps:\n  - parallel: [{both}]\n"
        + "    expect: {accepted: 1, refused: WF-START-003}\n    rule: WF-START-012\n"
    )
    assert run(toy(), a__one=text)[0] == 0
    assert len([one for one in events("exchange") if one["step"] == 1]) == 4
    assert run(toy({("RUNNING", "start"): "accepted"}), a__one=text)[0] == 1
    assert [one["check"] for one in failing(events)] == ["1.count"]


def test_stays_fails_at_the_first_look_that_differs(run: Any, toy: Any, events: Any) -> None:
    """
    What must stay is looked at more than once, and one look is enough to fail.
    """
    text = HEAD + "steps:\n" + SCRIPT + "  - stays: {get: wf, expect: {runtimeStatus: RUNNING}, for: 0.3}\n"
    assert run(toy(), a__one=text)[0] == 0
    assert len([one for one in events("exchange") if one["step"] == 2]) >= 2
    engine = toy()
    shown, looks = engine.shown, []

    def flicker(name: Any) -> Any:
        looks.append(name)
        return {**shown(name), "runtimeStatus": "SUSPENDED"} if len(looks) == 3 else shown(name)

    engine.shown = flicker
    assert run(engine, a__one=text)[0] == 1
    assert [one["check"] for one in failing(events)] == ["2.settles"]


def test_bound_values_are_compared_later(run: Any, toy: Any, events: Any) -> None:
    """
    An ID that the server makes is used in the steps behind; one that it does not make fails them.
    """
    text = (
        HEAD
        + "instances: {made: null}\nsteps:\n  - start: {workflow: ConformanceEcho, id: null, as: made}\n"
        + "  - eventually: {get: made, expect: {instanceID: '${made}', createdAt: {$bind: t}}}\n"
        + "  - get: made\n    expect: {createdAt: '${t}'}\n"
    )
    assert run(toy(), a__one=text)[0] == 0
    engine = toy()
    raw = engine.start
    engine.start = lambda w, n, b: raw(w, n, b).replace(b'"made-up"', b'["made-up"]')
    assert run(engine, a__one=text)[0] == 1
    assert "nothing has bound made yet" in failing(events)[-1]["why"]


def test_raw_requests_and_versions(run: Any, peer: Any, toy: Any, events: Any) -> None:
    """
    A raw request goes to the version of its case, or to that of its step, with names encoded and all else as it stands.
    """
    server = peer(toy())
    text = (
        HEAD
        + "instances: {odd: '{u} a/b'}\nsteps:\n"
        + SCRIPT
        + "  - get: wf\n    on: v1.0-beta1\n"
        + '  - request: {method: GET, path: "/{version}/workflows/dapr/${odd}/%2e%2E"}\n'
        + "    expect: {refused: WF-HTTP-004}\n"
    )
    assert run(server.url, a__one=text)[0] == 0
    asked = [one["request"]["url"].partition("/workflows")[0] for one in events("exchange") if one["step"]]
    assert [one.rpartition("/")[2] for one in asked] == ["v1.0", "v1.0-beta1", "v1.0"]
    assert any(path.endswith(b"%20a%2Fb/%2e%2E") for path in server.raw)


def test_a_restart_is_waited_for(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    command: Any, folder: Any, peer: Any, toy: Any, tmp_path: Any, events: Any
) -> None:
    """
    The target's command is run, and where it fails the case is an error.
    """
    folder(a__one=HEAD + "requires: [restart]\nsteps:\n" + ECHO + "  - restart: true\n  - get: wf\n")
    for argument, code in (("", 0), ("import sys; sys.exit(1)", 3)):
        target = tmp_path / "t.yaml"
        target.write_text(
            f"version: 1\nname: t\ntitle: t\nserver: {peer(toy()).url}\n"
            f'restart: ["{{python}}", -c, {json.dumps(argument)}]\n'
        )
        found = command("run", "--target", target, "--scenarios", tmp_path / "scenarios", "--surface", "http/v1.0")
        assert found[0] == code
    assert results(events) == {"a/one": "error"}


def test_junit_of_a_record_is_what_the_run_wrote(run: Any, toy: Any, events: Any, tmp_path: Any) -> None:
    """
    The report is a fold over the record, and nothing else.
    """
    run(toy())
    junit.write(events(), tmp_path / "again.xml")

    assert (tmp_path / "again.xml").read_text() == (tmp_path / "out" / "junit.xml").read_text()
