from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spec


def test_an_unknown_profile_names_those_there_are() -> None:
    """
    Asking for a profile that does not exist is answered with the list.
    """
    with pytest.raises(spec.SpecError, match=r"no profile 'dapr-9'; there are dapr-1\.18, "):
        spec.load("dapr-9")


def test_a_profile_is_read_once() -> None:
    """
    The same profile is the same value.
    """
    assert spec.load() is spec.load(spec.DEFAULT_PROFILE)


@pytest.mark.parametrize(("word", "known"), [("RUNING", "RUNNING"), ("PAUSED", ""), ("", "")])
def test_the_nearest_word(word: str, known: str) -> None:
    """
    A misspelt word finds the one that was meant, a foreign one none.
    """
    assert spec.nearest(word, ["RUNNING", "STALLED"]) == known


def test_values_cannot_be_changed() -> None:
    """
    Cells, rules and profiles are frozen.
    """
    cell = spec.load().machine.table["RUNNING"]["pause"]

    with pytest.raises(AttributeError):
        cell.reply = "other"  # type: ignore[misc]


def test_a_cell_tells_its_two_rules_apart() -> None:
    """
    The first rule of a cell is that of the reply, the last that of the settling.
    """
    for row in spec.load().machine.table.values():
        for cell in row.values():
            if cell.rules:
                assert (cell.reply_rule, cell.settles_rule) == (cell.rules[0], cell.rules[-1])


def test_reading_the_spec_imports_nothing_else() -> None:
    """
    The reader needs the standard library and YAML alone, and none of the other packages.
    """
    code = "import sys, spec; spec.load(); print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    home = Path(spec.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert loaded & {"conformance", "reference_server", "scenarios", "starlette", "click", "jsonschema_rs"} == set()
    assert {"spec", "yaml"} <= loaded


def test_workflows_and_instructions() -> None:
    """
    Every instruction that a recipe uses is in the contract.
    """
    contract = spec.workflows()
    recipes = [recipe["do"] for recipe in contract["recipes"].values() if isinstance(recipe, dict)]
    known = set(contract["instructions"])
    options = {name for fields in contract["instructions"].values() for name in fields.get("options", ())}

    assert recipes
    for instruction in (one for script in recipes for one in script):
        assert set(instruction) <= known | options
        assert len(set(instruction) & known) == 1


def test_a_recipe_for_each_happening_that_a_scenario_can_cause() -> None:
    """
    The recipes are those of happenings that need a cause and have rules that are checked, and the plain wait.
    """
    loaded = spec.load()
    caused = {
        name
        for name, happening in loaded.machine.happenings.items()
        if not happening.spontaneous
        and any(not loaded.rules[rule].excluded for row in loaded.machine.table.values() for rule in row[name].rules)
    }
    recipes = {name for name, recipe in loaded.workflows["recipes"].items() if isinstance(recipe, dict)}

    assert recipes == {*caused, "wait"}


def test_what_walks_know() -> None:
    """
    The scripts of walks use instructions of the contract, and every rule that they name is one that is checked.
    """
    loaded = spec.load()
    walks = loaded.walks
    named = {walks.together, *(recipe["rule"] for recipe in walks.recipes.values())}
    for mapping in (walks.answers, walks.of_child, walks.of_parent):
        named |= set(mapping.values())

    assert {name for recipe in walks.recipes.values() for one in recipe["do"] for name in one} <= set(
        loaded.workflows["instructions"]
    )
    assert set(walks.of_child) - {"ended"} <= set(loaded.machine.operations)
    assert set(walks.of_parent) - {"otherwise"} <= set(loaded.machine.happenings)
    assert all(not loaded.rules[rule].excluded for rule in named)
