from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jsonschema_rs
import pytest

import spec
from conformance.record import Record, RecordError, complete, read

if TYPE_CHECKING:
    from pathlib import Path

AT = "2025-01-02T03:04:05.678901Z"

EVENTS: list[dict[str, Any]] = [
    {
        "event": "header",
        "version": 1,
        "at": AT,
        "kit": {"version": "0.1.0", "spec_sha256": "00"},
        "python": "3.11.7",
        "platform": "linux",
        "target": {"name": "daprd", "server": "http://127.0.0.1:3500"},
        "profile": "dapr-1.18",
        "surfaces": ["http/v1.0"],
        "seed": 7,
        "token": "ab12",
        "repeat": 1,
        "jobs": 4,
        "time_scale": 1.0,
        "command": ["run"],
    },
    {
        "event": "plan",
        "cases": [
            {
                "case": "lifecycle/pause@http/v1.0",
                "scenario": "lifecycle/pause",
                "surface": "http/v1.0",
                "row": "",
                "file": "lifecycle/pause.yaml",
                "title": "A running instance can be paused",
                "tags": ["core"],
                "rules": ["WF-PAUSE-001"],
                "checks": [{"check": "1.reply", "step": 1, "line": 9, "kind": "reply", "rule": "WF-PAUSE-001"}],
            }
        ],
        "unsupported": [{"case": "lifecycle/hold@http/v1.0", "reason": "hold_pending"}],
        "filtered": 2,
    },
    {
        "event": "exchange",
        "case": "lifecycle/pause@http/v1.0",
        "attempt": 1,
        "n": 1,
        "step": 1,
        "at": AT,
        "seconds": 0.003,
        "request": {"method": "POST", "url": "http://127.0.0.1:3500/x", "headers": {}, "body": ""},
        "response": {"status": 202, "headers": {"content-type": "application/json"}, "body": "{}"},
        "error": "",
    },
    {
        "event": "check",
        "case": "lifecycle/pause@http/v1.0",
        "attempt": 1,
        "check": "1.reply",
        "step": 1,
        "rule": "WF-PAUSE-001",
        "result": "pass",
        "why": "",
        "wanted": 202,
        "seen": 202,
        "exchange": 1,
    },
    {
        "event": "case",
        "case": "lifecycle/pause@http/v1.0",
        "attempt": 1,
        "result": "pass",
        "seconds": 0.01,
        "cause": "",
        "rule": "",
        "expected": None,
    },
    {
        "event": "footer",
        "complete": True,
        "reason": "",
        "counts": {"pass": 1},
        "checks": {"planned": 1, "executed": 1, "passed": 1, "failed": 0},
        "rules": {"MUST": {"passed": 1, "failed": 0, "not_run": 0}},
        "seconds": 0.02,
        "exit": 0,
        "at": AT,
    },
]


def written(path: Path, event: dict[str, Any], *secrets: str) -> str:
    with Record(path, secrets) as record:
        record.write(event)
    return path.read_text("ascii")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """
    A record gives back exactly the events that went in, and its folder is made.
    """
    path = tmp_path / "a" / "b" / "run.jsonl"
    with Record(path, []) as record:
        for event in EVENTS:
            record.write(event)

    assert read(path) == EVENTS


def test_a_line_is_on_the_file_at_once(tmp_path: Path) -> None:
    """
    An event can be read before the run has ended.
    """
    path = tmp_path / "run.jsonl"
    with Record(path, []) as record:
        record.write(EVENTS[0])

        assert read(path) == EVENTS[:1]


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    """
    Every event is a whole line, however many threads write.
    """
    path = tmp_path / "run.jsonl"
    with Record(path, ["hush"]) as record, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: record.write({"event": "x", "n": n, "pad": "é" * 500}), range(400)))
    lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]

    assert sorted(line["n"] for line in lines) == list(range(400))


def test_a_straggler_writes_nothing(tmp_path: Path) -> None:
    """
    After the end of a run its record does not change.
    """
    path = tmp_path / "run.jsonl"
    with Record(path, []) as record:
        record.write(EVENTS[0])
    record.write(EVENTS[1])

    assert read(path) == EVENTS[:1]


SECRET = 'pä/s+"w\\o rd&42'


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        f"before {SECRET} after",
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"x" + SECRET.encode() + b"yz").decode(),
        base64.b64encode(b"user:" + SECRET.encode()).decode(),
        json.dumps({"token": SECRET}),
        json.dumps({"token": SECRET}, ensure_ascii=False),
        json.dumps(json.dumps(SECRET)),
    ],
)
def test_no_spelling_of_a_secret_is_written(tmp_path: Path, spelt: str) -> None:
    """
    A secret is masked as it is, percent-encoded, JSON-escaped and in base64 at any offset, in keys and values.
    """
    event = {"event": "x", "seen": {"deep": [spelt, {f"a{spelt}": 1}]}}
    text = written(tmp_path / "run.jsonl", event, SECRET, "")
    seen = json.loads(text)["seen"]
    key = next(iter(seen["deep"][1]))

    assert "***" in seen["deep"][0]
    assert "***" in key
    assert json.dumps(spelt)[1:-1] not in text


def test_base64_keeps_no_edge_of_a_secret(tmp_path: Path) -> None:
    """
    Where a secret is the end of a base64 text, nothing of it stays.
    """
    body = base64.b64encode(b"user:opensesame").decode()
    seen = json.loads(written(tmp_path / "run.jsonl", {"event": "x", "seen": body}, "opensesame"))["seen"]

    assert seen == base64.b64encode(b"user:").decode()[:6] + "***"


@pytest.mark.parametrize("secret", ["pass", "event", "result", "token", "case"])
def test_a_secret_spelt_like_a_word_of_the_format_breaks_nothing(tmp_path: Path, secret: str) -> None:
    """
    The record can still be read, and the secret is gone where it was a secret.
    """
    path = tmp_path / "run.jsonl"
    header = {**EVENTS[0], "command": ["run", "--api-token", secret]}
    with Record(path, [secret]) as record:
        for event in (header, *EVENTS[1:]):
            record.write(event)
    events = read(path)

    assert events[0]["command"][-1] == "***"
    assert [event["event"] for event in events] == [event["event"] for event in EVENTS]
    assert events[4]["result"] == "pass"


def test_numbers_that_json_lacks_become_text(tmp_path: Path) -> None:
    """
    What a server sent as NaN or infinity does not make a line that is no JSON.
    """
    event = {"event": "x", "seen": [float("nan"), {"n": float("-inf")}, 10**30]}
    text = written(tmp_path / "run.jsonl", event)

    assert json.loads(text, parse_constant=pytest.fail)["seen"] == ["nan", {"n": "-inf"}, 10**30]


def test_lone_surrogates_are_written(tmp_path: Path) -> None:
    """
    Text that is no Unicode comes back as it was.
    """
    assert (
        json.loads(written(tmp_path / "run.jsonl", {"event": "x", "body": "\ud800é\u2028"}, "hush"))["body"]
        == "\ud800é\u2028"
    )


def test_a_cut_last_line_is_left_out(tmp_path: Path) -> None:
    """
    The record of a killed run can be read up to the line that it was writing.
    """
    path = tmp_path / "run.jsonl"
    lines = [json.dumps(event) for event in EVENTS[:3]]
    path.write_text("\n".join(lines)[:-9], "ascii")
    events = read(path)

    assert events == EVENTS[:2]
    assert not complete(events)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: the file is empty"),
        ("{}\n", ":1: not the record of a run"),
        ("nonsense\n", ":1: not JSON"),
        ("[" * 100_000 + "\n", ":1: not JSON"),
        ("{header}\n\n", ":2: not JSON"),
        ("{header}\n[1]\n", ":2: no event; 'event' is one of header, plan, exchange"),
        ('{header}\n{"event":"supper"}\n', ":2: no event"),
        ('{header}\n{"event":"case"}\n{header}\n', ":2: case: "),
        ('{"event":"header","version":2}\n', ":1: "),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    """
    The error names the file, the line and the problem.
    """
    path = tmp_path / "run.jsonl"
    path.write_text(text.replace("{header}", json.dumps(EVENTS[0])), "utf-8")
    with pytest.raises(RecordError) as caught:
        read(path)

    assert str(caught.value).startswith(f"{path}{says}")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """
    A missing record is an error of words, not a traceback.
    """
    with pytest.raises(RecordError, match="cannot be read: No such file"):
        read(tmp_path / "run.jsonl")


@pytest.mark.parametrize(
    ("events", "whole"),
    [
        (EVENTS, True),
        (EVENTS[:-1], False),
        ([*EVENTS[:-1], {**EVENTS[-1], "complete": False}], False),
        ([*EVENTS, EVENTS[3]], False),
        ([], False),
    ],
)
def test_only_a_complete_footer_at_the_end_completes_a_run(events: list[dict[str, Any]], whole: bool) -> None:  # noqa: FBT001 - parameter of a test
    """
    A run without a footer, with one that says no, or with events after it is not complete.
    """
    assert complete(events) is whole


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_every_kind_of_event_has_a_schema_that_holds_it_tight(event: dict[str, Any]) -> None:
    """
    The schema takes each event, and refuses it with a word too many or with any word missing that it must have.
    """
    schema = dict(spec.schema("run"))
    validator = jsonschema_rs.Draft202012Validator(schema)
    optional = {"wanted", "seen", "exchange"} if event["event"] == "check" else set()

    assert validator.is_valid(event)
    assert not validator.is_valid({**event, "surprise": 1})
    for key in event.keys() - optional:
        assert not validator.is_valid({name: value for name, value in event.items() if name != key}), key


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (0, {"version": 2}),
        (0, {"jobs": 0}),
        (1, {"filtered": -1}),
        (2, {"response": {"status": "202", "headers": {}, "body": ""}}),
        (2, {"request": {"method": "GET"}}),
        (3, {"result": "skip"}),
        (4, {"result": "skipped"}),
        (4, {"expected": {"case": "x"}}),
        (5, {"counts": {"skip": 1}}),
        (5, {"rules": {"MUST": {"passed": 1}}}),
    ],
)
def test_the_schema_refuses_what_is_no_event(index: int, change: dict[str, Any]) -> None:
    """
    There is no outcome `skip`, no half exchange, no other version.
    """
    validator = jsonschema_rs.Draft202012Validator(dict(spec.schema("run")))

    assert not validator.is_valid({**EVENTS[index], **change})
