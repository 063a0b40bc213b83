from typing import Any

import spec
from conformance import derive, load


def test_every_cell_has_a_file(cells: Any) -> None:
    """
    One file for each state and operation, one for each operation after a purge, one for reading on the way to each
    state of an instance, and one for each operation that changes nothing on an instance whose time has not come.
    """
    machine = spec.load().machine
    existing = [state for state in machine.states.values() if state.exists]

    scheduled = {name for name in cells if name.startswith("cells/scheduled_")}
    assert len(cells) == (len(machine.states) + 1) * len(machine.operations) + len(existing) + len(scheduled)
    assert {f"cells/{s.lower()}_{o}.yaml" for s in machine.states for o in machine.operations} < set(cells)
    assert {"cells/scheduled_get.yaml", "cells/scheduled_wait_start.yaml"} < scheduled


def test_the_same_table_gives_the_same_text(cells: Any) -> None:
    """
    Nothing but the table decides what is generated.
    """
    assert derive.cells(spec.load()) == cells


def test_generated_files_are_scenarios(cells: Any, tmp_path: Any) -> None:
    """
    Each generated file is well formed and says what made it.
    """
    (tmp_path / "cells").mkdir()
    for path, text in cells.items():
        assert "python -m conformance.derive" in text
        (tmp_path / path).write_text(text)

    assert len(load.scenarios(tmp_path)) == len(cells)


def test_states_that_nothing_leads_to_are_held(cells: Any) -> None:
    """
    A state without a way to it demands a target that holds it; every other one demands nothing.
    """
    held = {path.rpartition("/")[2].partition("_")[0] for path, text in cells.items() if "requires:" in text}

    assert held == {"pending", "stalled"}


def test_every_generated_file_has_an_accepted_step(cells: Any) -> None:
    """
    A server that refuses everything passes none of them.
    """
    for text in cells.values():
        steps = text.partition("steps:\n")[2].split("\n  - ")
        first = steps[0].removeprefix("  - ")
        assert first.startswith("start:")
        assert "expect" not in first


def test_the_operation_is_asked_twice(cells: Any) -> None:
    """
    The second time shows that the first left what the table says.
    """
    assert cells["cells/suspended_pause.yaml"].count("- pause: wf\n    expect: cell") == 2
