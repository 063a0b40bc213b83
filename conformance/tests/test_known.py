from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

import spec
from conformance.known import Entry, ExpectedFailures, literal, load, matches, within

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2025, 6, 15)
RULES = ("WF-PURGE-003", "WF-PAUSE-001", "WF-GET-004")
TARGET = {"target": "daprd", "version": "1.17.2"}
CASE = "lifecycle/pause@http/v1.0[n=1]"


def known(tmp_path: Path, failures: str) -> ExpectedFailures:
    path = tmp_path / "expected-failures.yaml"
    path.write_text(f"version: 1\nfailures:\n{failures}" if failures else "version: 1\nfailures: []\n", "utf-8")
    return load(path, today=TODAY, rules=RULES)


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "expected-failures.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(spec.BadFile) as caught:
        load(path, today=TODAY, rules=RULES)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("pattern", "name", "yes"),
    [
        ("lifecycle/*", CASE, True),
        ("*@http/v1.0[*]", CASE, True),
        (CASE, CASE, True),
        ("lifecycle/pause@http/v1.0[n=?]", CASE, True),
        ("pause", CASE, False),
        ("lifecycle", CASE, False),
        ("a[bc]", "ab", False),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("a.c", "abc", False),
    ],
)
def test_patterns(pattern: str, name: str, yes: bool) -> None:  # noqa: FBT001 - parameter of a test
    """
    A pattern is about the whole name; only stars and question marks are special.
    """
    assert matches(pattern, name) is yes


@pytest.mark.parametrize("name", [CASE, "a*b", "a?b", "a\\b", "a\\*", "[x]"])
def test_a_literal_matches_its_name_only(name: str) -> None:
    """
    The literal of a name matches that name, and not one in which each special character is another.
    """
    assert matches(literal(name), name)
    assert not matches(literal(name), name + "x")
    assert not matches(literal("a*b"), "axb")


@pytest.mark.parametrize(
    ("version", "versions", "yes"),
    [
        ("1.17.2", ">=1.16,<1.18", True),
        ("1.18.0", ">=1.16,<1.18", False),
        ("1.18.0-rc.1", "<1.18", True),
        ("1.18.0-rc.2", ">1.18.0-rc.1", True),
        ("1.9", "<1.10", True),
        ("v1.18", "==1.18.0", True),
        ("1.18", "!=1.18.0", False),
        ("1.18", "<=1.18 , >1.17", True),
        ("edge", ">=1.0", False),
        ("", "!=1.0", False),
    ],
)
def test_version_ranges(version: str, versions: str, yes: bool) -> None:  # noqa: FBT001 - parameter of a test
    """
    Versions are ordered by number, pre-releases before the release; an unknown version is in no range.
    """
    assert within(version, versions) is yes


def test_a_known_failure_is_expected(tmp_path: Path) -> None:
    """
    A failing case that an entry names is an expected failure, with its entry.
    """
    entries = known(tmp_path, "  - case: lifecycle/*\n    reason: slow\n    link: https://example.org/1\n")
    result, entry = entries.judge(CASE, "fail", [("WF-PAUSE-001", "no")], **TARGET)

    assert result == "expected_failure"
    assert entry is not None
    assert entry.as_event() == {
        "case": "lifecycle/*",
        "reason": "slow",
        "link": "https://example.org/1",
        "file": str(tmp_path / "expected-failures.yaml"),
        "line": 3,
    }


def test_a_pass_that_was_to_fail_is_unexpected(tmp_path: Path) -> None:
    """
    A case that an entry names must fail; one that none names may pass.
    """
    entries = known(tmp_path, "  - {case: 'lifecycle/*', reason: slow}\n")

    assert entries.judge(CASE, "pass", [], **TARGET) == ("unexpected_pass", entries.entries[0])
    assert entries.judge("events/a@http/v1.0", "pass", [], **TARGET) == ("pass", None)


@pytest.mark.parametrize("result", ["error", "not_run", "unsupported"])
def test_errors_are_never_excused(tmp_path: Path, result: str) -> None:
    """
    What is no pass and no fail stays what it is.
    """
    entries = known(tmp_path, "  - {case: '*', reason: slow}\n")

    assert entries.judge(CASE, result, [("WF-PAUSE-001", "no")], **TARGET) == (result, None)


def test_a_failure_without_a_failing_check_is_not_excused(tmp_path: Path) -> None:
    """
    A planned check that was not executed is no known failure.
    """
    entries = known(tmp_path, "  - {case: '*', reason: slow}\n")

    assert entries.judge(CASE, "fail", [], **TARGET) == ("fail", None)


def test_a_rule_excuses_only_itself(tmp_path: Path) -> None:
    """
    An entry by rule excuses a case only if every failing check carries an excused rule.
    """
    entries = known(tmp_path, "  - {rule: WF-PAUSE-001, reason: slow}\n")
    pause, purge = ("WF-PAUSE-001", "no"), ("WF-PURGE-003", "no")

    assert entries.judge(CASE, "fail", [pause, pause], **TARGET)[0] == "expected_failure"
    assert entries.judge(CASE, "fail", [pause, purge], **TARGET) == ("fail", None)
    assert entries.judge(CASE, "pass", [], **TARGET) == ("pass", None)


def test_two_entries_excuse_one_case_together(tmp_path: Path) -> None:
    """
    Each failing check may be excused by an entry of its own; the first one's is reported.
    """
    entries = known(tmp_path, "  - {rule: WF-PAUSE-001, reason: a}\n  - {rule: WF-PURGE-003, reason: b}\n")
    failing = [("WF-PURGE-003", "no"), ("WF-PAUSE-001", "no")]

    assert entries.judge(CASE, "fail", failing, **TARGET) == ("expected_failure", entries.entries[1])


def test_another_message_is_a_plain_failure(tmp_path: Path) -> None:
    """
    An entry with a message excuses that failure only.
    """
    entries = known(tmp_path, "  - {case: '*', reason: slow, message: 'saw 5\\d\\d'}\n")

    assert entries.judge(CASE, "fail", [("R", "wanted 202, saw 500")], **TARGET)[0] == "expected_failure"
    assert entries.judge(CASE, "fail", [("R", "saw 500"), ("R", "saw 404")], **TARGET) == ("fail", None)


def test_an_expired_entry_excuses_nothing_and_says_so(tmp_path: Path) -> None:
    """
    From the day after its last, an entry comes back with the plain failure, and a pass is a pass.
    """
    entries = known(tmp_path, "  - {case: '*', reason: slow, expires: 2025-06-14}\n")
    result, entry = entries.judge(CASE, "fail", [("R", "no")], **TARGET)

    assert result == "fail"
    assert entry is not None
    assert entry.expired
    assert entry.as_event()["expired"] is True
    assert entries.judge(CASE, "pass", [], **TARGET) == ("pass", None)


def test_on_its_last_day_an_entry_excuses(tmp_path: Path) -> None:
    """
    The day of `expires` belongs to the entry.
    """
    entries = known(tmp_path, "  - {case: '*', reason: slow, expires: 2025-06-15}\n")

    assert entries.judge(CASE, "fail", [("R", "no")], **TARGET)[0] == "expected_failure"


@pytest.mark.parametrize("about", ["target: other*", "versions: '<1.17'", "versions: '>=1.18'"])
def test_an_entry_for_another_target_is_not_there(tmp_path: Path, about: str) -> None:
    """
    It excuses nothing, expects nothing and is not stale.
    """
    entries = known(tmp_path, f"  - {{case: 'gone/*', reason: slow, {about}}}\n  - {{case: '*', reason: x, {about}}}\n")

    assert entries.judge(CASE, "fail", [("R", "no")], **TARGET) == ("fail", None)
    assert entries.judge(CASE, "pass", [], **TARGET) == ("pass", None)
    assert entries.stale([CASE], {"R"}, set(), **TARGET, filtered=False) == []


def test_entries_that_nothing_needs_are_stale(tmp_path: Path) -> None:
    """
    By case: no such case was planned. By rule: it was not checked, or nothing failed by it.
    """
    entries = known(
        tmp_path,
        "  - {case: 'lifecycle/*', reason: a}\n"
        "  - {case: 'gone/*', reason: b}\n"
        "  - {rule: WF-PAUSE-001, reason: c}\n"
        "  - {rule: WF-PURGE-003, reason: d}\n"
        "  - {rule: WF-GET-004, reason: e}\n",
    )
    executed, failed = {"WF-PAUSE-001", "WF-PURGE-003"}, {"WF-PAUSE-001"}
    stale = entries.stale([CASE], executed, failed, **TARGET, filtered=False)

    assert [entry.reason for entry in stale] == ["b", "d", "e"]
    assert entries.stale([CASE], executed, failed, **TARGET, filtered=True) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 1\nfailures:\n  - {case: a, reson: b}\n", ":3:15: unknown key 'reson'; did you mean 'reason'?"),
        ("version: 1\nfailure: []\n", ":2:1: unknown key 'failure'; did you mean 'failures'?"),
        ("version: 2\nfailures: []\n", ":1:10: "),
        ("failures: []\n", ':1:1: "version" is a required property'),
        ("version: 1\nfailures:\n  - case: a\n", ':3:5: "reason" is a required property'),
        ("version: 1\nfailures:\n  - {case: a, reason: ' '}\n", ":3:23: "),
        ("version: 1\nfailures:\n  - {case: a, rule: WF-GET-004, reason: x}\n", ":3:5: an entry has either"),
        ("version: 1\nfailures:\n  - {reason: x}\n", ":3:5: an entry has either `case` or `rule`"),
        ("version: 1\nfailures:\n  - {case: a, reason: 5}\n", ':3:23: 5 is not of type "string"; put text into quotes'),
        (
            "version: 1\nfailures:\n  - {rule: WF-GET-04, reason: x}\n",
            ":3:12: no rule 'WF-GET-04'; did you mean WF-GET-004?",
        ),
        (
            "version: 1\nfailures:\n  - {rule: zzz, reason: x}\n",
            ":3:12: no rule 'zzz'; `workflow-conformance list rules`",
        ),
        ("version: 1\nfailures:\n  - {case: a, reason: x, expires: 2025-02-30}\n", ":3:35: '2025-02-30' is no day"),
        ("version: 1\nfailures:\n  - {case: a, reason: x, expires: soon}\n", ":3:35: "),
        ("version: 1\nfailures:\n  - {case: a, reason: x, message: '('}\n", ":3:35: not a regular expression"),
        ("version: 1\nfailures:\n  - {case: a, reason: x, versions: '1.16'}\n", ":3:36: "),
        ("version: 1\nfailures:\n  - {case: a, case: b, reason: x}\n", ":3:15: the key 'case' stands twice"),
        ("", ":1:1: the file is empty"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    """
    The error names line and column, and the word that was probably meant.
    """
    assert refused(tmp_path, text)[: len(says)] == says


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    """
    The error tells what to do next.
    """
    with pytest.raises(spec.BadFile, match=r"No such file.*--update"):
        load(tmp_path / "none.yaml", today=TODAY)


def test_the_rules_are_those_of_the_spec(tmp_path: Path) -> None:
    """
    Unless told otherwise, a rule must be one of the spec's.
    """
    path = tmp_path / "e.yaml"
    path.write_text("version: 1\nfailures:\n  - {rule: NO-SUCH-RULE, reason: x}\n", "utf-8")
    with pytest.raises(spec.BadFile, match="no rule 'NO-SUCH-RULE'"):
        load(path, today=TODAY)


HEAD = "# ours\nversion: 1\nfailures:  # sorted\n"
KEPT = "  # the pause bug\n  - case: lifecycle/*\n    reason: >-\n      it is\n      slow\n"
GONE = "\n  - case: events/*\n    reason: gone  # fixed\n"


def updated(entries: ExpectedFailures, tmp_path: Path, text: str) -> ExpectedFailures:
    path = tmp_path / "updated.yaml"
    path.write_text(text, "utf-8")
    return load(path, today=entries.today, rules=RULES)


def test_an_update_keeps_drops_and_adds(tmp_path: Path) -> None:
    """
    What is still needed stays as written, what passes goes, what is new is added with the day.
    """
    path = tmp_path / "e.yaml"
    path.write_text(HEAD + KEPT + GONE, "utf-8")
    entries = load(path, today=TODAY, rules=RULES)
    text = entries.updated({CASE: [("R", "no")], "new/a*b@x": [("R", "no")]}, {"events/x@http/v1.0"}, **TARGET)
    again = updated(entries, tmp_path, text)

    assert text.startswith("# ours\nversion: 1\nfailures:\n" + KEPT)
    assert [entry.case for entry in again.entries] == ["lifecycle/*", r"new/a\*b@x"]
    assert again.entries[1].reason == "recorded by --update on 2025-06-15; say why"


def test_after_an_update_the_same_run_is_clean(tmp_path: Path) -> None:
    """
    Every failure is expected, nothing passes unexpectedly, nothing is stale.
    """
    failed = {CASE: [("R", "no")], "a/b@x": [("WF-PAUSE-001", "no"), ("R", "no")]}
    passed = {"lifecycle/other@x", "c/d@x"}
    before = known(
        tmp_path,
        "  - {case: 'lifecycle/*', reason: wide, link: 'https://example.org'}\n"
        "  - {rule: WF-PAUSE-001, reason: rule}\n"
        "  - {rule: WF-GET-004, reason: fixed}\n"
        "  - {case: c/d@x, reason: fixed}\n",
    )
    after = updated(before, tmp_path, before.updated(failed, passed, **TARGET))

    assert [(entry.case or entry.rule, entry.reason.split()[0]) for entry in after.entries] == [
        (CASE, "wide"),
        ("WF-PAUSE-001", "rule"),
        ("a/b@x", "recorded"),
    ]
    assert {after.judge(case, "fail", failing, **TARGET)[0] for case, failing in failed.items()} == {"expected_failure"}
    assert {after.judge(case, "pass", [], **TARGET)[0] for case in passed} == {"pass"}
    assert after.stale([*failed, *passed], {"R", "WF-PAUSE-001"}, {"R", "WF-PAUSE-001"}, **TARGET, filtered=False) == []
    assert after.updated(failed, passed, **TARGET) == (tmp_path / "updated.yaml").read_text("utf-8")


def test_an_update_of_a_narrowed_run_forgets_nothing(tmp_path: Path) -> None:
    """
    Entries that the run says nothing about stay, and so do those of other targets.
    """
    entries = known(tmp_path, "  - {case: gone/a, reason: a}\n  - {case: '*', target: other, reason: b}\n")

    assert entries.updated({}, {CASE}, **TARGET, filtered=True) == entries.text
    assert "gone/a" not in entries.updated({}, {CASE}, **TARGET)
    assert "other" in entries.updated({}, {CASE}, **TARGET)


def test_an_expired_entry_survives_an_update(tmp_path: Path) -> None:
    """
    An update does not prolong what a person limited.
    """
    entries = known(tmp_path, "  - {case: '*', reason: slow, expires: 2025-01-01}\n")

    assert entries.updated({CASE: [("R", "no")]}, set(), **TARGET) == entries.text


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nfailures: []\n",
        "failures: [{case: a, reason: keep}]\nversion: 1\n",
        "{version: 1, failures: [{case: a, reason: keep}]}",
        "version: 1\nfailures:\n- case: a\n  reason: keep",
    ],
)
def test_any_way_of_writing_can_be_updated(tmp_path: Path, text: str) -> None:
    """
    Flow style, no entries and no last newline are rewritten to a file that reads the same.
    """
    path = tmp_path / "e.yaml"
    path.write_text(text, "utf-8")
    entries = load(path, today=TODAY, rules=RULES)
    failed = {"a": [("R", "no")], 'b "é\U0001f600: #': [("R", "no")], "1e5": [("R", "no")]}
    after = updated(entries, tmp_path, entries.updated(failed, set()))

    assert sorted(entry.case for entry in after.entries) == sorted(failed)
    assert [entry.reason for entry in after.entries if entry.reason == "keep"] == ["keep"] * len(entries.entries)


def test_an_update_without_a_file_writes_one(tmp_path: Path) -> None:
    """
    The first update needs no file.
    """
    entries = ExpectedFailures(TODAY)
    after = updated(entries, tmp_path, entries.updated({CASE: [("R", "no")]}, set()))

    assert [entry.case for entry in after.entries] == [CASE]
    assert updated(entries, tmp_path, entries.updated({}, set())).entries == ()


def test_an_entry_is_about_its_message_only() -> None:
    """
    An entry covers a check by name and message, or by rule and message.
    """
    assert Entry("x", rule="R", message="^no").covers(CASE, "R", "no way")
    assert not Entry("x", rule="R", message="^no").covers(CASE, "R", "oh no")
    assert not Entry("x", rule="R").covers(CASE, "S", "no")


@pytest.mark.parametrize(
    ("target", "versions", "about"),
    [
        ("client:python", "", True),
        ("client:python", ">=1.19", True),
        ("client:python", "<1.19", False),
        ("client:*", "", True),
        ("worker:go", ">=1.14", True),
        ("client:go", "", False),
        ("", ">=1.18,<1.19", True),
        ("", ">=1.19", False),
    ],
)
def test_an_entry_may_be_about_an_sdk(target: str, versions: str, *, about: bool) -> None:
    """
    client:NAME and worker:NAME are about an SDK and its versions; an entry without a target is about the server.
    """
    entry = Entry("a reason", case="*", target=target, versions=versions)
    peers = (("client:python", "1.19.0"), ("worker:go", "1.14.2"))

    assert entry.about(target="reference", version="1.18.2", peers=peers) is about


def test_entries_beside_a_file_count_and_are_never_written() -> None:
    """
    What ships with a driver excuses as an entry of the file does; --update leaves it where it is.
    """
    shipped = Entry("shipped", case="a/*", target="client:python")
    expected = ExpectedFailures(today=date(2026, 1, 1), beside=(shipped,))
    facts: dict[str, Any] = {"target": "t", "version": "", "peers": (("client:python", "1"),)}
    failing = [("R", "why")]

    assert expected.judge("a/b", "fail", failing, **facts) == ("expected_failure", shipped)
    assert expected.judge("a/b", "pass", [], **facts) == ("unexpected_pass", shipped)
    assert expected.stale(["b/c"], [], [], filtered=False, **facts) == [shipped]
    assert "a/b" not in expected.updated({"a/b": failing}, [], **facts)
    assert "b/c" in expected.updated({"b/c": failing}, [], **facts)
