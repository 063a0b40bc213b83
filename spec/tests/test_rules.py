from __future__ import annotations

import re
from pathlib import Path

import pytest

import spec

FOLDER = Path(spec.__file__).parent
CHAPTERS = sorted(path.name for path in (FOLDER / "rules").iterdir())
RULES = spec.load().rules
SURFACES = {"http", "dapr_grpc", "taskhub"}

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)
each_rule = pytest.mark.parametrize("rule", list(RULES.values()), ids=lambda rule: rule.id)


def ids(chapter: str) -> list[str]:
    return [fields["id"] for fields in spec.document(f"rules/{chapter}").data["rules"]]


def test_ids_are_unique() -> None:
    """
    No ID stands twice, in one file or in two.
    """
    everywhere = [name for chapter in CHAPTERS for name in ids(chapter)]

    assert sorted(set(everywhere)) == sorted(everywhere)
    assert set(everywhere) == set(RULES)


@each_chapter
def test_ids_are_counted_without_a_gap(chapter: str) -> None:
    """
    Within a prefix the IDs of a file count from 001, in order.
    """
    numbers: dict[str, list[int]] = {}
    for name in ids(chapter):
        prefix, _, number = name.rpartition("-")
        numbers.setdefault(prefix, []).append(int(number))

    for prefix, counted in numbers.items():
        assert counted == list(range(1, len(counted) + 1)), prefix


def test_a_prefix_has_one_file() -> None:
    """
    All rules of a prefix stand in one file.
    """
    homes: dict[str, set[str]] = {}
    for chapter in CHAPTERS:
        for name in ids(chapter):
            homes.setdefault(name.rpartition("-")[0], set()).add(chapter)

    assert {prefix: files for prefix, files in homes.items() if len(files) > 1} == {}


@each_rule
def test_a_rule_is_complete(rule: spec.Rule) -> None:
    """
    A rule has a sentence, a source, surfaces that exist, and profiles where and only where it needs them.
    """
    assert re.fullmatch(r"WF-[A-Z]+-\d{3}", rule.id)
    assert rule.statement.endswith(".")
    assert rule.source.strip()
    assert rule.surfaces
    assert set(rule.surfaces) <= SURFACES
    assert set(rule.profiles) <= set(spec.profiles())
    assert (rule.level == "PROFILE") is bool(rule.profiles)


@each_chapter
def test_an_exclusion_has_a_reason(chapter: str) -> None:
    """
    A rule that is not checked says why, and names no reply.
    """
    for fields in spec.document(f"rules/{chapter}").data["rules"]:
        if "excluded" in fields:
            assert fields["excluded"].strip(), fields["id"]
            assert "reply" not in fields, fields["id"]


@each_rule
def test_the_reply_of_a_rule_exists(rule: spec.Rule) -> None:
    """
    A rule that names a row names a refusal that can be seen on its surfaces.
    """
    if rule.reply:
        row = spec.load().replies[rule.reply]
        assert row.outcome == "refused"
        assert set(rule.surfaces) & set(row.surfaces)


@pytest.mark.parametrize("profile", spec.profiles())
def test_rules_that_are_named_exist(profile: str) -> None:
    """
    Every rule that a cell or a row names stands in a chapter.
    """
    loaded = spec.load(profile)
    cells = [cell for row in loaded.machine.table.values() for cell in row.values()]
    cells += [inner for cell in cells for inner in cell.when.values()]
    named = {rule for cell in cells for rule in cell.rules} | {row.rule for row in loaded.replies.values()}

    assert named <= set(loaded.rules)


def test_a_rule_that_stands_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    The reader does not let one rule hide another.
    """
    rule = "version: 1\nrules: [{id: WF-A-001, level: MUST, statement: A., source: s}]\n"
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "one.yaml").write_text(rule)
    (tmp_path / "rules" / "two.yaml").write_text(rule)
    (tmp_path / "rules" / "note.txt").write_text("not a chapter")
    monkeypatch.setattr(spec, "_folder", lambda: tmp_path)
    monkeypatch.setattr(spec, "document", spec.document.__wrapped__)

    with pytest.raises(spec.SpecError, match="the rule WF-A-001 stands twice"):
        spec._rules.__wrapped__()


@pytest.mark.parametrize("checks", spec.schema("rules")["$defs"]["rule"]["properties"]["carries"]["enum"])
def test_the_kits_own_checks_carry_one_rule_each(checks: str) -> None:
    """
    The rule of a check that no scenario names is data.
    """
    assert RULES[spec.carrying(checks)].carries == checks


def test_a_check_that_no_rule_carries_is_refused() -> None:
    """
    Nothing falls back on a rule that happens to be there.
    """
    with pytest.raises(spec.SpecError, match="one rule must carry nothing; there are 0"):
        spec.carrying("nothing")
