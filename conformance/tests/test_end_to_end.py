from typing import Any

import pytest

HEAD = "version: 1\ntitle: t\nrules: [WF-START-001]\n"
ECHO = """\
  - start: {workflow: ConformanceEcho, input: {a: [1]}, as: wf}
  - eventually: {get: wf, expect: {runtimeStatus: COMPLETED, output: {a: [1.0]}}}
"""


def test_the_reference_server_is_started_judged_and_stopped(command: Any, folder: Any, events: Any) -> None:
    """
    With nothing but the kit: no server, no target.
    """
    code, _, _ = command("run", "--scenarios", folder(a__one=HEAD + "steps:\n" + ECHO))

    assert code == 0
    assert events("header")[0]["target"]["name"] == "reference"
    assert events("footer")[0]["counts"] == {"pass": 6}


@pytest.mark.parametrize("state", ["pending", "stalled"])
def test_held_states_are_reached(command: Any, tmp_path: Any, cells: Any, state: Any, events: Any) -> None:
    """
    The targets that hold a state run the cells of that state, and only those.
    """
    (tmp_path / "s" / "cells").mkdir(parents=True)
    for path, text in cells.items():
        (tmp_path / "s" / path).write_text(text)
    code, _, _ = command(
        "run", "--target", f"reference-{state}", "--scenarios", tmp_path / "s", "--surface", "http/v1.0"
    )

    assert code == 0
    assert {one["case"].partition("_")[0] for one in events("case")} == {f"cells/{state}"}
