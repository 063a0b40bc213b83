from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = spec.load()
TABLE = spec.document("machine.yaml").data["table"]

each_profile = pytest.mark.parametrize("profile", spec.profiles())


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def variants(loaded: spec.Spec) -> dict[tuple[str, str, str], spec.Cell]:
    plain = [cell for row in loaded.machine.table.values() for cell in row.values()]
    found = {(cell.state, cell.event, ""): cell for cell in plain}
    return found | {(cell.state, cell.event, name): inner for cell in plain for name, inner in cell.when.items()}


def claims(profile: str) -> list[dict[str, Any]]:
    return list(spec.document(f"profiles/{profile}.yaml").data["claims"])


def test_profiles_are_the_files() -> None:
    """
    Every file is a profile under its own name, and the default comes first.
    """
    files = {path.stem for path in (Path(spec.__file__).parent / "profiles").iterdir()}

    assert set(spec.profiles()) == files
    assert spec.profiles()[0] == spec.DEFAULT_PROFILE
    assert {spec.load(name).profile.name for name in files} == files


@each_profile
def test_an_overlay_changes_only_what_exists(profile: str) -> None:
    """
    Each leaf of each claim stands in the table too, and no leaf is claimed twice.
    """
    changed = [path for claim in claims(profile) for path in leaves(claim.get("machine", {}))]

    assert set(changed) <= set(leaves(TABLE))
    assert sorted(set(changed)) == sorted(changed)


@each_profile
def test_a_claim_makes_a_difference(profile: str) -> None:
    """
    A claim about the table changes every cell that it names.
    """
    ours, theirs = variants(BASE), variants(spec.load(profile))
    for claim in claims(profile):
        for path in leaves(claim.get("machine", {})):
            key = (path[0], path[1], path[3] if path[2] == "when" else "")
            assert ours[key] != theirs[key], (claim["id"], path)


@each_profile
def test_a_claim_has_evidence(profile: str) -> None:
    """
    Whoever claims something says what, and where it is to be read or was seen.
    """
    loaded = spec.load(profile).profile

    assert loaded.claims
    assert len({claim.id for claim in loaded.claims}) == len(loaded.claims)
    for claim in loaded.claims:
        assert claim.evidence in {"source", "observed"}
        assert claim.claims.strip()
        assert claim.source.strip()


@each_profile
def test_what_is_not_claimed_is_the_table(profile: str) -> None:
    """
    A cell that no claim names is that of the default profile; of those named only the reply may differ in fact.
    """
    ours, theirs = variants(BASE), variants(spec.load(profile))
    named = {path[:2] for claim in claims(profile) for path in leaves(claim.get("machine", {}))}
    for key, cell in theirs.items():
        if key[:2] not in named:
            assert cell == ours[key]


@each_profile
def test_where_a_profile_is_silent_the_server_acts_as_the_table(profile: str) -> None:
    """
    An unspecified cell keeps the reply of the table for whoever must answer; any other acts as it promises.
    """
    ours = variants(BASE)
    for key, cell in variants(spec.load(profile)).items():
        assert cell.acts == (ours[key].acts if cell.reply == spec.UNSPECIFIED else cell.reply), key


def test_the_default_profile_is_silent_nowhere() -> None:
    """
    The table itself leaves no reply unspecified.
    """
    assert [key for key, cell in variants(BASE).items() if cell.reply == spec.UNSPECIFIED] == []


def test_the_documentation_promises_409() -> None:
    """
    Under the documented profile a start under the ID of an active instance answers 409; under others never.
    """
    for name in spec.profiles():
        loaded = spec.load(name)
        active = [state for state in loaded.machine.states.values() if state.exists and not state.terminal]
        rows = [loaded.replies[loaded.machine.table[state.name]["start"].reply] for state in active]
        assert {row.surfaces["http"]["status"] == 409 for row in rows} == {name == "documented"}, name


def test_features_are_the_same_everywhere() -> None:
    """
    Every profile takes a side on every feature.
    """
    assert len({frozenset(spec.load(name).profile.features) for name in spec.profiles()}) == 1


@pytest.mark.parametrize(
    "overlay",
    [
        {"NOWHERE": {}},
        {"RUNNING": {"juggle": {}}},
        {"RUNNING": {"pause": {"replies": "accepted"}}},
        {"RUNNING": {"pause": {"when": {"raining": {"reply": "accepted"}}}}},
    ],
)
def test_an_overlay_on_nothing_is_refused(overlay: dict[str, Any]) -> None:
    """
    A state, event, field or condition that the table does not have is an error, not an addition.
    """
    with pytest.raises(spec.SpecError, match="a profile changes what the table does not have: "):
        spec._merge(TABLE, overlay)


def test_two_overlays_keep_the_reply_that_acts() -> None:
    """
    What became unspecified twice still acts as the table says.
    """
    silent = {"RUNNING": {"pause": {"reply": spec.UNSPECIFIED}}}

    once = spec._merge(TABLE, silent)
    assert spec._merge(once, silent)["RUNNING"]["pause"]["acts"] == TABLE["RUNNING"]["pause"]["reply"]
