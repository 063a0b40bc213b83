"""
`workflow-conformance matrix`: pairs, their runs, and the page about them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from conformance import manifest, sdks
from conformance.report.fold import Fold
from conformance.report.pairs import Left, Pair, cell, page, verdict

FAKES = Path(__file__).parent / "drivers"
FAKE = f"{sys.executable} {FAKES / 'fake_client.py'}"
HEADER = {
    "event": "header",
    "kit": {"version": "9", "spec_sha256": "abcdefabcdefabc"},
    "profile": "p",
    "python": "3",
    "target": {"name": "reference", "version": "1.18"},
    "sdks": [{"role": "client", "name": "c", "sdk": "pkg", "version": "1.2", "language": "go", "surface": "http"}],
}
ENTRY = {"case": "a/b@*", "target": "client:c", "reason": "it | does", "link": "https://example.org/x"}


def found(*results: tuple[str, str], complete: bool = True, stale: Any = ()) -> Fold:
    cases = [
        {
            "event": "case",
            "case": case,
            "attempt": 1,
            "result": result,
            "cause": "saw | nothing",
            "rule": "WF-X",
            "seconds": 0,
            "expected": ENTRY if result == "expected_failure" else None,
        }
        for case, result in results
    ]
    footer = {"event": "footer", "complete": complete, "stale": list(stale)}
    return Fold([HEADER, *cases, footer])


GREEN = found(("a/a@c", "pass"), ("a/b@c[x]", "expected_failure"), ("a/c@c", "unsupported"))
RED = found(("a/a@c", "pass"), ("a/b@c[x]", "fail"), ("a/d@c", "error"), ("a/e@c", "not_run"), complete=False)


def test_a_cell_counts_what_came_of_the_cases() -> None:
    """
    Pass, fail, expected and unsupported; whatever stands in the way of a verdict is a failure.
    """
    assert cell(Pair("c", "w", GREEN)) == "1 pass, 1 expected, 1 unsupported"
    assert cell(Pair("c", "w", RED)) == "1 pass, **3 fail**, **not complete**"
    assert cell(Pair("c", "w", found(("a/a@c", "pass"), stale=[ENTRY]))) == "1 pass, **stale**"
    assert cell(Pair("c", "w", trouble="it died")) == "**did not run**"
    assert cell(None) == "left out"


def test_a_page_names_versions_reds_and_what_is_expected() -> None:
    """
    One table; under it each red with its rule and pairs, each entry with its link, and who was left out.
    """
    left = [Left("worker", "v", "no v on the PATH;\ninstall v")]
    text = page([Pair("c", "w", GREEN), Pair("d", "w", RED), Pair("e", "w", trouble="it\ndied")], left, "the command")

    assert "`the command`" in text
    assert "Kit 9, spec abcdefabcdef, profile p, server reference (1.18), Python 3." in text
    assert "| client | `c` | `pkg` | 1.2 | http |" in text
    assert "| client | `w` | `v` |\n|---|---|---|\n| `c` | 1 pass, 1 expected, 1 unsupported | left out |" in text
    assert "| `d` | 1 pass, **3 fail**, **not complete** | left out |" in text
    assert "- worker `v`: no v on the PATH; install v" in text
    assert "| a/b[x] | WF-X | fail: saw \\| nothing | d + w |" in text
    assert "- e + w: it died" in text
    assert "| `client:c` | [it \\| does](https://example.org/x) | a/b[x] | 1 |" in text
    assert verdict([Pair("c", "w", GREEN), Pair("d", "w", RED)], left) == "2 pairs, 1 red; left out: worker v"


def test_a_page_without_reds_says_so() -> None:
    """
    That nothing is red is told, and no empty table.
    """
    text = page([Pair("c", "w", GREEN)], [], "x")

    assert "## Red and not explained\n\nNothing.\n" in text
    assert "Left out" not in text
    assert "trouble" not in text


def test_pairs_are_run_and_told(command: Any, tmp_path: Path) -> None:
    """
    Each pair is one run with a record of its own; those that are green end with 0, and --fold tells the same again.
    """
    asks = ("matrix", "--clients", f"kit,{FAKE}", "--workers", "builtin", "-k", "purge/*", "--time-scale", "4")
    code, out, err = command(*asks, "--out", tmp_path)
    text = (tmp_path / "sdks.md").read_text()

    assert (code, err) == (0, ""), out
    assert out.splitlines()[-1] == f"1 pairs, 0 red; {tmp_path / 'sdks.md'}"
    assert "| `fake_client` | " in text
    assert (tmp_path / "sdks" / "fake_client+builtin" / "run.jsonl").is_file()
    assert command(*asks, "--out", tmp_path, "--fold")[0] == 0
    assert (tmp_path / "sdks.md").read_text() == text


def test_a_pair_that_cannot_run_leaves_the_others_theirs(command: Any, tmp_path: Path) -> None:
    """
    A driver that dies at start is told with its own last lines; the other pair runs, and the exit code is 3.
    """
    dying = tmp_path / "dying.py"
    dying.write_text("raise SystemExit('no SDK here')\n")
    clients = f"{sys.executable} {dying},{FAKE}"
    code, out, _ = command(
        "matrix", "--clients", clients, "--workers", "builtin", "-k", "purge/*", "--time-scale", "4", "--out", tmp_path
    )
    text = (tmp_path / "sdks.md").read_text()

    assert code == 3
    assert "2 pairs, 1 red" in out
    assert "no SDK here" in text.partition("## Pairs with trouble")[2]
    assert " pass" in next(line for line in out.splitlines() if line.startswith("fake_client + builtin"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--clients", "pithon"), 'did you mean "python"?'),
        (("--workers", "jva"), 'did you mean "java"?'),
        (("--clients", "kit", "--workers", "builtin"), "no pair is left"),
        (("--clients", ","), "no pair is left"),
        (("--time-scale", "0"), "a number above 0"),
    ],
)
def test_what_there_is_not_is_told(command: Any, tmp_path: Path, arguments: Any, told: str) -> None:
    """
    A wrong name or number ends with 2 before anything is built.
    """
    code, _, err = command("matrix", *arguments, "--out", tmp_path)

    assert code == 2
    assert told in err
    assert not any(tmp_path.iterdir())


def test_a_record_that_is_not_there_is_told(command: Any, tmp_path: Path) -> None:
    """
    --fold runs nothing; a pair without a record did not run, and the exit code says so.
    """
    code, out, _ = command("matrix", "--fold", "--clients", "python", "--workers", "go", "--out", tmp_path)

    assert code == 3
    assert "python + go" in out
    assert "without --fold it is made" in out


def test_who_lacks_a_toolchain_is_left_out(monkeypatch: Any, tmp_path: Path) -> None:
    """
    Without the programs on the PATH, each driver that needs one says what to install; Python's need none.
    """
    monkeypatch.setenv("PATH", str(tmp_path))
    left = {(role, name) for role in manifest.ROLES for name in manifest.names(role) if sdks.missing(role, name)}

    assert {name for _, name in left} == {"javascript", "javascript-daprclient", "java", "go", "go-daprclient"}
    assert "node is not on the PATH" in sdks.missing("client", "javascript")
