"""
Cases that are known to hang what is under test: when they run, and what is made of them.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

import spec
from conformance.known import Entry, ExpectedFailures, load

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2025, 6, 15)
PEERS = {"target": "reference", "version": "1.18.3", "peers": (("worker:python", "1.19.0"),)}
HUNG, OTHER = "lifecycle/pause@taskhub", "lifecycle/echo@taskhub"
ENTRY = "  - {case: 'lifecycle/pause@*', reason: loops, hangs: true, target: 'worker:python', versions: '<=1.19.0'%s}\n"
GOOD = """\
version: 1
title: t
rules: [WF-START-001]
steps:
  - start: {workflow: ConformanceEcho, input: 1, as: wf}
  - eventually: {get: wf, expect: {runtimeStatus: COMPLETED, output: 1}}
"""


def known(tmp_path: Path, text: str) -> ExpectedFailures:
    path = tmp_path / "expected.yaml"
    path.write_text(f"version: 1\nfailures:\n{text}", "utf-8")
    return load(path, today=TODAY)


def test_no_answer_in_a_case_that_hangs_is_expected(tmp_path: Path) -> None:
    """
    Its error and its failure are; an error of any other case is none, and a pass is one too many.
    """
    entries = known(tmp_path, ENTRY % "")

    assert entries.judge(HUNG, "error", [], **PEERS) == ("expected_failure", entries.entries[0])
    assert entries.judge(HUNG, "fail", [("WF-PAUSE-001", "no")], **PEERS)[0] == "expected_failure"
    assert entries.judge(OTHER, "error", [], **PEERS) == ("error", None)
    assert entries.judge(HUNG, "pass", [], **PEERS)[0] == "unexpected_pass"
    assert (entries.hangs(HUNG, **PEERS), entries.hangs(OTHER, **PEERS)) == (True, False)


def test_an_error_is_not_expected_without_the_word(tmp_path: Path) -> None:
    """
    An entry that names the case excuses a failure, and no error.
    """
    entries = known(tmp_path, "  - {case: 'lifecycle/*', reason: slow}\n")

    assert entries.judge(HUNG, "error", [], **PEERS) == ("error", None)
    assert not entries.hangs(HUNG, **PEERS)


@pytest.mark.parametrize(
    ("more", "peers"),
    [
        (", expires: '2025-06-14'", PEERS),
        ("", {**PEERS, "peers": (("worker:python", "1.20.0"),)}),
        ("", {**PEERS, "peers": (("worker:go", "1.19.0"),)}),
    ],
    ids=["expired", "another version", "another worker"],
)
def test_what_is_no_longer_so_excuses_nothing(tmp_path: Path, more: str, peers: Any) -> None:
    """
    Neither after its day, nor for a version or an SDK that the entry is not about.
    """
    entries = known(tmp_path, ENTRY % more)

    assert entries.judge(HUNG, "error", [], **peers)[0] == "error"
    assert not entries.hangs(HUNG, **peers)


def test_only_a_case_can_hang(tmp_path: Path) -> None:
    """
    An entry for a rule that says so is refused, with its place.
    """
    with pytest.raises(spec.BadFile, match=r"expected\.yaml:3:"):
        known(tmp_path, "  - {rule: WF-PAUSE-001, reason: loops, hangs: true}\n")


def test_the_record_takes_every_word_of_an_entry() -> None:
    """
    What an entry becomes in a record fits the schema of records, whatever the entry says.
    """
    said: dict[str, Any] = {"str": "x", "bool": True, "int": 1}
    entry = Entry(**{one.name: said[str(one.type)] for one in fields(Entry)})
    schema = {"$defs": spec.schema("run")["$defs"], "$ref": "#/$defs/entry"}

    assert set(entry.as_event()) == {one.name for one in fields(Entry)}
    jsonschema_rs.Draft202012Validator(schema).validate(entry.as_event())


def test_what_hangs_runs_after_all_others(  # noqa: PLR0913, PLR0917 - fixtures
    command: Any, folder: Any, peer: Any, toy: Any, events: Any, tmp_path: Path
) -> None:
    """
    Whatever its name, and how many run at a time.
    """
    where = folder(a__hangs=GOOD, b__one=GOOD, b__two=GOOD)
    file = tmp_path / "expected.yaml"
    file.write_text("version: 1\nfailures:\n  - {case: 'a/*', reason: loops, hangs: true}\n", "utf-8")
    options = ("--expected-failures", file, "--surface", "http/v1.0", "-j", "1")
    code, _, _ = command("run", "--server", peer(toy()).url, "--scenarios", where, *options)
    order = [(one["case"].partition("@")[0], one["result"]) for one in events("case")]

    assert order == [("b/one", "pass"), ("b/two", "pass"), ("a/hangs", "unexpected_pass")]
    assert code == 1
