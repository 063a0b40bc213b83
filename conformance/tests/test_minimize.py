"""
Failing scenarios, reduced: which case is taken, and that nothing of it is lost on the way.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

MATRIX = """\
version: 1
title: t
rules: [WF-START-001, WF-PAUSE-001]
matrix: {workflow: {plain: ConformanceEcho, scripted: ConformanceScript}, number: [1, 2]}
steps:
  - start: {workflow: "${workflow}", input: "${number}", as: wf}
  - start: {workflow: ConformanceScript, input: 3, as: other}
  - pause: other
"""


@pytest.fixture
def picky(peer: Any, toy: Any) -> str:
    """
    A server that refuses a start in one version of its API and with one input only.
    """
    serve = toy()

    def answer(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if "-alpha1/" in target and "ConformanceScript/start" in target and body == b"2":
            return serve(method, target.replace("ConformanceScript", "NoSuch").replace("?", "/x?"), headers, body)
        return serve(method, target, headers, body)

    return str(peer(answer).url)


@pytest.fixture
def scenario(folder: Any) -> Any:
    return folder(a__matrix=MATRIX) / "a" / "matrix.yaml"


def test_the_first_row_that_fails_is_reduced_where_it_fails(command: Any, scenario: Any, picky: str) -> None:
    """
    Of four rows on three surfaces one case fails; the row and the surface are told and kept.
    """
    code, out, err = command("minimize", scenario, "--server", picky)

    found = yaml.safe_load(out)
    assert code == 0
    assert found["matrix"] == {"workflow": {"scripted": "ConformanceScript"}, "number": [2]}
    assert [next(iter(step)) for step in found["steps"]] == ["start"]
    assert found["rules"] == ["WF-START-001"]
    assert "# WF-START-001 fails on http/v1.0-alpha1, row scripted,2" in out
    assert "3 -> 1 steps, WF-START-001, http/v1.0-alpha1, row scripted,2" in err


def test_what_is_left_is_a_scenario_that_fails_again(command: Any, scenario: Any, picky: str, tmp_path: Any) -> None:
    """
    The file that is written can be reduced again, and comes out as it was.
    """
    small = tmp_path / "small.yaml"
    command("minimize", scenario, "--server", picky, "-o", small)

    code, out, _ = command("minimize", small, "--server", picky)

    assert (code, out) == (0, small.read_text())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--row", "plain,1"], "it does not fail here in any of 3 cases"),
        (["--row", "scripted,2", "--surface", "http/v1.0"], "in any of 1 cases"),
        (["--row", "scripted,3"], "no such row; there are plain,1, plain,2, scripted,1, scripted,2"),
        (["--rule", "WF-PAUSE-001"], "it does not fail under WF-PAUSE-001; http/v1.0-alpha1, row scripted,2: it fails"),
        (["--surface", "http/v9"], "no such surface"),
    ],
)
def test_what_does_not_fail_is_told(command: Any, scenario: Any, picky: str, arguments: Any, words: str) -> None:
    """
    Exit 2, with the cases that were tried or the rows that there are.
    """
    code, out, err = command("minimize", scenario, "--server", picky, *arguments)

    assert (code, out) == (2, "")
    assert words in err.replace(":  ", ": "), err
