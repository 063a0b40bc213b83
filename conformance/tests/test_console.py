from __future__ import annotations

import io
import json
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest

import spec
from conformance.console import Console, Plain, console
from conformance.report.text import curl, timeline

AT = "2025-01-02T03:04:05.000000Z"


def header(**fields: Any) -> dict[str, Any]:
    return {
        "event": "header",
        "version": 1,
        "at": AT,
        "kit": {"version": "0.1.0", "spec_sha256": "5bec"},
        "target": {"name": "daprd", "server": "http://127.0.0.1:3500"},
        "profile": "dapr-1.18",
        "surfaces": ["http/v1.0"],
        "seed": 7,
        "repeat": 1,
        "command": ["run", "--server", "http://127.0.0.1:3500"],
        **fields,
    }


def plan(*names: str, filtered: int = 0) -> dict[str, Any]:
    cases = [
        {
            "case": name,
            "scenario": name.partition("@")[0],
            "surface": "http/v1.0",
            "file": f"{name.partition('@')[0]}.yaml",
            "title": "A story",
            "rules": [],
            "checks": [{"check": "3.reply", "step": 3, "line": 12, "kind": "reply", "rule": "WF-NO-SUCH-001"}],
        }
        for name in names
    ]
    return {"event": "plan", "cases": cases, "unsupported": [], "filtered": filtered}


def exchange(name: str, *, method: str = "GET", at: str = AT, **fields: Any) -> dict[str, Any]:
    return {
        "event": "exchange",
        "case": name,
        "attempt": 1,
        "n": 1,
        "step": 3,
        "at": at,
        "seconds": 0.001,
        "request": {"method": method, "url": "http://h:1/v1.0/workflows/dapr/a", "headers": {}, "body": ""},
        "response": {"status": 200, "headers": {}, "body": "{}"},
        "error": "",
        **fields,
    }


def check(name: str, **fields: Any) -> dict[str, Any]:
    event = {"event": "check", "case": name, "attempt": 1, "check": "3.reply", "step": 3, "rule": "WF-NO-SUCH-001"}
    return {**event, "result": "fail", "why": "wanted 202, saw 500", "wanted": 202, "seen": {"status": 500}, **fields}


def case(name: str, result: str, **fields: Any) -> dict[str, Any]:
    event = {"event": "case", "case": name, "attempt": 1, "result": result, "seconds": 0.1, "cause": "", "rule": ""}
    return {**event, "expected": None, **fields}


def failed(name: str, **fields: Any) -> list[dict[str, Any]]:
    return [exchange(name), check(name, **fields), case(name, "fail", rule="WF-NO-SUCH-001")]


def footer(**fields: Any) -> dict[str, Any]:
    return {
        "event": "footer",
        "complete": True,
        "reason": "",
        "counts": {},
        "checks": {"planned": 3, "executed": 3, "passed": 3, "failed": 0},
        "rules": {
            "MUST": {"passed": 41, "failed": 0, "not_run": 0},
            "PROFILE": {"passed": 2, "failed": 1, "not_run": 0},
        },
        "seconds": 1.25,
        "exit": 0,
        "at": AT,
        **fields,
    }


def shown(*events: dict[str, Any], live: bool = False) -> str:
    stream = io.StringIO()
    with console(stream, live=live) as show:
        for event in events:
            show(event)
    return stream.getvalue()


NAME = "lifecycle/pause@http/v1.0[n=*]"


def test_a_clean_run_is_conformant() -> None:
    """
    The last line is the verdict; the numbers before it have a denominator, and PROFILE is counted apart.
    """
    text = shown(header(out="reports"), plan("a/b@x", filtered=4), case("a/b@x", "pass"), footer())

    assert text.splitlines()[-1] == "conformant"
    assert "1 case on http/v1.0 in 1.2 s; 3/3 checks executed" in text
    assert re.search(r"^  pass +1/1$", text, re.MULTILINE)
    assert "4 more were left out by the filters" in text
    assert re.search(r"MUST +41/41 rules passed$", text, re.MULTILINE)
    assert re.search(r"PROFILE +2/3 rules passed, 1 failed .*counted apart", text)
    assert "reports/run.jsonl" in text
    assert "reports/junit.xml" in text


def test_the_evidence_of_the_profile_is_shown() -> None:
    """
    A verdict says what kind of evidence its profile has.
    """
    claims = spec.load("dapr-1.18").profile.claims

    assert f"profile dapr-1.18: evidence {claims[0].evidence} (" in shown(header(), plan(), footer())


def test_a_failure_is_told_in_full() -> None:
    """
    Name, file and line, rule, why, wanted, seen, exchanges, curl and the command to run it again.
    """
    text = shown(header(), plan(NAME), *failed(NAME), footer(exit=1))

    assert f"FAIL {NAME}\n  A story\n  scenarios/lifecycle/pause.yaml:12 (check 3.reply)\n  WF-NO-SUCH-001\n" in text
    assert 'why      wanted 202, saw 500\n  wanted   202\n  seen     {"status": 500}' in text
    assert "+0.000s  GET /v1.0/workflows/dapr/a -> 200 {}" in text
    assert "curl -sS --path-as-is -g -X GET http://h:1/v1.0/workflows/dapr/a" in text
    assert (
        "workflow-conformance run --server http://127.0.0.1:3500 --profile dapr-1.18 --seed 7 "
        r"-k 'lifecycle/pause@http/v1.0[n=\*]'"
    ) in text
    assert text.splitlines()[-1] == "not conformant"


def test_a_rule_of_the_spec_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The level, statement and source of the rule stand in the block.
    """
    rule = spec.Rule("WF-NO-SUCH-001", "MUST", "A thing\n  is so.", "docs, page 1", ("http",), (), "1.15", "", "", "")
    known = spec.load("dapr-1.18")
    changed = replace(known, rules={rule.id: rule})
    monkeypatch.setattr(spec, "load", lambda _: changed)

    assert "  WF-NO-SUCH-001 MUST  A thing is so.\n  source   docs, page 1\n" in shown(
        header(), plan(NAME), *failed(NAME), footer(exit=1)
    )


def test_the_embedded_server_is_not_named_in_the_command() -> None:
    """
    A run that started its own server is run again without an address.
    """
    text = shown(header(command=["run"]), plan(NAME), *failed(NAME), footer(exit=1))

    assert "again    workflow-conformance run --profile dapr-1.18" in text


def test_the_target_file_is_named_in_the_command() -> None:
    """
    What the run was given to find its target is given again.
    """
    text = shown(header(command=["run", "--target=my file.yaml"]), plan(NAME), *failed(NAME), footer(exit=1))

    assert "workflow-conformance run --target 'my file.yaml' --profile" in text


def test_one_cause_is_told_once() -> None:
    """
    Five cases with the same rule and the same reason share a block that lists them.
    """
    names = [f"a/c{n}@x" for n in range(5)]
    text = shown(header(), plan(*names), *(e for name in names for e in failed(name)), footer(exit=1))

    assert text.count("  wanted   202") == 1
    assert "  the same in 5 cases:\n" + "".join(f"    {name}\n" for name in names) in text


def test_four_of_one_cause_are_told_apart() -> None:
    """
    A few failures are each told in full.
    """
    names = [f"a/c{n}@x" for n in range(4)]
    text = shown(header(), plan(*names), *(e for name in names for e in failed(name)), footer(exit=1))

    assert text.count("  wanted   202") == 4
    assert text.count("curl") == 4


def test_after_ten_blocks_a_failure_is_a_line() -> None:
    """
    The eleventh cause and those after it are listed.
    """
    names = [f"a/c{n}@x" for n in range(13)]
    events = [e for n, name in enumerate(names) for e in failed(name, why=f"reason {n}")]
    text = shown(header(), plan(*names), *events, footer(exit=1))

    assert text.count("  wanted   202") == 10
    assert "3 more failures:\nFAIL a/c10@x WF-NO-SUCH-001: reason 10\n" in text


def test_a_flood_of_failures_is_dammed_while_it_runs() -> None:
    """
    During the run at most twenty failures are told.
    """
    names = [f"a/c{n}@x" for n in range(60)]
    stream = io.StringIO()
    show = console(stream, live=False)
    for event in (header(), plan(*names), *(e for name in names for e in failed(name))):
        show(event)

    assert stream.getvalue().count("FAIL ") == 20
    assert stream.getvalue().count("more failures follow") == 1


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (footer(complete=False, reason="stopped by Ctrl-C", exit=3), "could not run: stopped by Ctrl-C"),
        (footer(complete=False, reason="-x", exit=1), "not conformant, and not complete: -x"),
        (footer(complete=False, reason="odd", exit=0), "could not run: odd"),
        (footer(exit=3, reason="unreachable"), "could not run: unreachable"),
        (None, "could not run: the run did not end; no verdict"),
    ],
)
def test_no_verdict_without_a_whole_run(end: dict[str, Any] | None, last: str) -> None:
    """
    A run that is not complete is never conformant, and says so loudly.
    """
    events = [header(), plan("a/b@x", "a/c@x"), case("a/b@x", "pass"), *([end] if end else [])]
    text = shown(*events)

    assert text.splitlines()[-1] == last
    assert ("INCOMPLETE RUN" in text) == (end is None or not end["complete"])
    assert "NOT RUN a/c@x" in text


def test_expected_failures_that_pass_or_expired_say_what_to_do() -> None:
    """
    The entry, its place and its reason are shown.
    """
    entry = {"case": "a/*", "reason": "known", "file": "e.yaml", "line": 3}
    text = shown(
        header(),
        plan("a/b@x", "a/c@x"),
        case("a/b@x", "unexpected_pass", expected=entry),
        check("a/c@x"),
        case("a/c@x", "fail", expected={**entry, "expired": True, "expires": "2025-01-01"}),
        footer(exit=1, stale=[entry]),
    )

    assert "UNEXPECTED PASS a/b@x" in text
    assert "expected to fail by e.yaml:3: known" in text
    assert "e.yaml:3 excused this until 2025-01-01: known" in text
    assert "STALE e.yaml:3: nothing needs the entry a/* any more" in text


def test_without_a_terminal_lines_are_plain() -> None:
    """
    Nothing is coloured or moved, whatever a server sends.
    """
    evil = "\x1b[2J\x07\r\nFAIL fake\u202e\ud800"
    response = {"status": 200, "headers": {}, "body": evil}
    request = {"method": f"GE{evil}", "url": f"http://h/{evil}", "headers": {"x": evil}, "body": evil}
    events = [exchange(NAME, response=response, request=request), check(NAME, why=evil, seen=evil), case(NAME, "fail")]
    text = shown(header(), plan(NAME), *events, footer(exit=1))

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800]", text)
    assert not re.search(r"^FAIL fake", text, re.MULTILINE)


def test_a_tenth_of_the_run_is_a_line() -> None:
    """
    Without a terminal, the progress of a long run is told ten times.
    """
    names = [f"a/c{n}@x" for n in range(200)]
    text = shown(header(), plan(*names), *(case(name, "pass") for name in names), footer())

    assert len(re.findall(r"^  \d+/200 cases, 0 failed$", text, re.MULTILINE)) == 10


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_shows_colours_and_progress(monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:  # noqa: FBT001 - parameter of a test
    """
    On a terminal the verdict is coloured, unless NO_COLOR is set; no line is lost.
    """
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    text = shown(header(), plan(NAME), *failed(NAME), footer(exit=1), live=True)

    assert ("31m" in text) is not no_color
    assert "[n=*]" in text
    assert "not conformant" in text


def test_a_stream_that_cannot_encode_gets_escapes() -> None:
    """
    An ASCII terminal shows every line.
    """
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Console(Plain(stream))(header(target={"name": "é", "server": ""}))
    stream.flush()

    assert raw.getvalue().startswith(b"\\xe9, profile dapr-1.18")


def test_a_record_of_an_unknown_profile_is_shown() -> None:
    """
    What this kit does not know does not stop it.
    """
    text = shown(header(profile="nobody"), plan(NAME), *failed(NAME), footer(exit=1))

    assert "profile nobody: not known to this kit" in text


def test_polls_are_one_line() -> None:
    """
    The same question with the same status is told once, with how often and the last answer.
    """
    polls = [
        exchange(NAME, at=f"2025-01-02T03:04:05.{n}00000Z", response={"status": 200, "headers": {}, "body": f"{n}"})
        for n in range(7)
    ]
    lines = timeline([*polls, exchange(NAME, method="POST", at="2025-01-02T03:04:06.5Z", response=None, error="reset")])

    assert lines == [
        "  +0.000s  GET /v1.0/workflows/dapr/a -> 200 6  x7",
        "  +1.500s  POST /v1.0/workflows/dapr/a -> no answer: reset",
    ]


def test_curl_sends_the_same_request() -> None:
    """
    Method, headers and body come out of the shell as they went over the wire.
    """
    body = json.dumps({"it's": '"$HOME" `x`'})
    request = {
        "method": "POST",
        "url": "http://h:1/a?x=1&y='",
        "headers": {"content-type": "application/json", "content-length": "9", "x": ["1", "2"], "empty": ""},
        "body": body,
    }
    words = shlex.split(curl(exchange(NAME, request=request)))

    assert words == [
        *("curl", "-sS", "--path-as-is", "-g", "-X", "POST", "http://h:1/a?x=1&y='"),
        *("-H", "content-type: application/json", "-H", "x: 1", "-H", "x: 2", "-H", "empty;", "--data-raw", body),
    ]


def test_curl_takes_the_token_from_the_environment() -> None:
    """
    What was redacted becomes the variable, in quotes that let the shell fill it in and nothing else.
    """
    request = {"method": "GET", "url": "http://h", "headers": {"dapr-api-token": "***", "x": "$a`b`"}, "body": ""}
    text = curl(exchange(NAME, request=request))

    assert '-H "dapr-api-token: $DAPR_API_TOKEN"' in text
    assert "-H 'x: $a`b`'" in text


def test_curl_keeps_bytes() -> None:
    """
    A body that is no text goes through base64, and one that is too long is not written out.
    """
    request = {"method": "POST", "url": "http://h", "headers": {}, "body": "", "body_base64": "AP8="}
    long = {**request, "body": "x" * 5000, "body_base64": ""}

    assert curl(exchange(NAME, request=request)) == (
        "printf %s AP8= | base64 -d | curl -sS --path-as-is -g -X POST http://h -H content-type: --data-binary @-"
    )
    assert curl(exchange(NAME, request=long)).startswith("# POST http://h: the body is too long")
