import json
import subprocess
import sys
import threading
from typing import Any

import pytest

from conformance import cli, target

HEAD = "version: 1\ntitle: t\nrules: [WF-START-001]\n"
GOOD = HEAD + "tags: [x]\nsteps:\n  - start: {workflow: ConformanceEcho, input: 1, as: wf}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rnu"], ("Did you mean run",)),
        (["run", "--sever", "x"], ("--server",)),
        (["run", "-j", "0"], ("-j",)),
        (["run", "--time-scale", "0"], ("above 0",)),
        (["run", "--time-scale", "nan"], ("above 0",)),
        (["run", "--shard", "4/3"], ("1/3",)),
        (["run", "--header", "no-equals"], ("NAME=VALUE",)),
        (["run", "--header", "a=b\nc"], ("one line",)),
        (["run", "--api-token", "a\nb"], ("one line",)),
        (["run", "--profile", "dapr-1.81"], ("dapr-1.18", "did you mean")),
        (["run", "--target", "refrence"], ('did you mean "reference"',)),
        (["run", "--surface", "htp/v1.0"], ('did you mean "http/v1.0"',)),
        (["run", "--rule", "WF-STRT-001"], ("no such rule",)),
        (["run", "--tag", "y"], ("no scenario has it",)),
        (["run", "--report", "html"], ("junit",)),
        (["run", "--server", "ftp://x"], ("ftp://x",)),
        (["run", "--scenarios", "/no/such/folder"], ("no such folder",)),
        (["run", "--ca", "/no/such/file"], ("/no/such/file",)),
        (["run", "--update"], ("--expected-failures",)),
        (["run", "--expected-failures", "/no/such/file"], ("/no/such/file",)),
        (["run", "-k", "nothing/*"], ("no case is selected", "list cases")),
        (["list", "ruls"], ("did you mean rules",)),
        (["list", "cases", "--profile", "x"], ("dapr-1.18",)),
    ],
)
def test_a_wrong_option_is_told(command: Any, folder: Any, arguments: Any, words: Any, tmp_path: Any) -> None:
    """
    Exit 2, a sentence with what there is or what was meant; nothing is sent and nothing written.
    """
    if arguments[0] == "run" and "--scenarios" not in arguments:
        arguments = [*arguments, "--scenarios", folder(a__one=GOOD)]
    code, shown, complaint = command(*arguments)

    assert code == 2
    assert all(word in complaint for word in words), complaint
    assert shown == ""
    assert not (tmp_path / "out").exists()


def test_wrong_files_are_all_told(command: Any, folder: Any, tmp_path: Any) -> None:
    """
    Exit 2 with a line for each problem of each scenario file.
    """
    where = folder(a__one=GOOD + "  - prge: wf\n", b__two=GOOD + "  - puase: wf\n", b__three="a: *x\n")
    code, _, complaint = command("run", "--scenarios", where)

    assert code == 2
    assert [line.rpartition("/")[2].split(":")[0] for line in complaint.splitlines()] == [
        "one.yaml",
        "three.yaml",
        "two.yaml",
    ]
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_an_error(command: Any, tmp_path: Any) -> None:
    """
    Zero checks are no success.
    """
    (tmp_path / "none").mkdir()

    assert command("run", "--scenarios", tmp_path / "none")[0] == 2


def test_a_plan_of_nothing_but_unsupported_cases_is_an_error(command: Any, folder: Any) -> None:
    """
    Where the target is capable of nothing that is selected, nothing was shown.
    """
    code, _, complaint = command(
        "run", "--scenarios", folder(a__one=HEAD + "requires: [hold_pending]\n" + GOOD[len(HEAD) + 10 :])
    )

    assert code == 2
    assert "hold_pending" in complaint


def test_a_dry_run_sends_nothing(command: Any, folder: Any, peer: Any, toy: Any, tmp_path: Any) -> None:
    """
    The plan is shown with its numbers.
    """
    server = peer(toy())
    code, shown, _ = command("run", "--server", server.url, "--scenarios", folder(a__one=GOOD), "--dry-run")

    assert code == 0
    assert "a/one@http/v1.0  3 checks" in shown
    assert "3 cases, 9 checks" in shown
    assert server.asked == []
    assert not (tmp_path / "out").exists()


def never(*_: Any) -> None:
    threading.Event().wait(5)


def endless_head(*_: Any) -> Any:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"x: y\r\n"


def endless_body(*_: Any) -> Any:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    while True:
        yield b" " * 65536


def one(*parts: Any) -> Any:
    def answer(*_: Any) -> Any:
        yield from parts
        raise OSError

    return answer


@pytest.mark.parametrize(
    "server",
    [
        None,
        never,
        endless_head,
        endless_body,
        lambda *_: None,
        one(b"220 smtp ready\r\n"),
        one(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"),
        one(b"HTTP/1.1 404 No\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"),
    ],
    ids=["refuses", "hangs", "endless head", "endless body", "closes", "garbage", "closes in the middle", "html"],
)
def test_a_server_that_is_none_cannot_be_run_against(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    command: Any, folder: Any, peer: Any, events: Any, server: Any, tmp_path: Any
) -> None:
    """
    Exit 3, the URL and the last thing seen; the record has its footer, and says that it is not complete.
    """
    url = peer(server).url if server else "http://127.0.0.1:1"
    code, shown, complaint = command("run", "--server", url, "--scenarios", folder(a__one=GOOD), "--time-scale", "0.02")

    assert code == 3
    assert url in complaint
    footer = events("footer")[0]
    assert (footer["complete"], footer["exit"]) == (False, 3)
    assert url in footer["reason"]
    assert footer["counts"] == {"not_run": 3}
    assert "INCOMPLETE" in shown
    assert (tmp_path / "out" / "junit.xml").exists()


def test_a_target_that_does_not_start_cannot_be_run_against(
    command: Any, folder: Any, events: Any, tmp_path: Any
) -> None:
    """
    Exit 3 with its last lines, footer and all.
    """
    path = tmp_path / "t.yaml"
    path.write_text(
        'version: 1\nname: t\ntitle: t\nstart: ["{python}", -c, "raise SystemExit(\'no store for you\')"]\n'
    )
    code, _, complaint = command("run", "--target", path, "--scenarios", folder(a__one=GOOD))

    assert code == 3
    assert "no store for you" in complaint
    assert "no store for you" in events("footer")[0]["reason"]


def test_a_folder_that_cannot_be_written_is_told(command: Any, folder: Any, peer: Any, toy: Any, tmp_path: Any) -> None:
    """
    Exit 3 and a sentence.
    """
    (tmp_path / "file").write_text("")
    code, _, complaint = command(
        "run", "--server", peer(toy()).url, "--scenarios", folder(a__one=GOOD), out=tmp_path / "file" / "x"
    )

    assert code == 3
    assert "--out" in complaint


@pytest.mark.parametrize("what", cli.LISTS)
def test_everything_can_be_listed(command: Any, folder: Any, what: Any) -> None:
    """
    As lines, and as JSON with a name each.
    """
    where = folder(a__one=GOOD)
    code, shown, _ = command("list", what, "--scenarios", where)
    assert code == 0
    rows = json.loads(command("list", what, "--scenarios", where, "--json")[1])
    assert len(rows) == len(shown.splitlines()) > 0
    assert all(line.startswith(row["name"]) for line, row in zip(shown.splitlines(), rows, strict=True))


def test_listing_imports_nothing_heavy() -> None:
    """
    `list` starts fast: neither rich nor ssl nor the HTTP client is read for it.
    """
    code = (
        "import sys; sys.argv = ['w', 'list', 'rules']\nfrom conformance import cli\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "heavy = [m for m in ('rich', 'ssl', 'http.client', 'jsonschema_rs') if m in sys.modules]\n"
        "print(heavy, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"


def test_an_unforeseen_error_is_a_sentence(command: Any, monkeypatch: Any) -> None:
    """
    Even a mistake of the kit ends in a sentence and exit 3.
    """
    monkeypatch.setattr(target, "names", lambda: 1 / 0)
    code, _, complaint = command("run", "--target", "x")

    assert code == 3
    assert "ZeroDivisionError" in complaint


def test_help_is_there(command: Any) -> None:
    """
    Each command has a help, and so has the program.
    """
    for arguments in (["--help"], ["run", "--help"], ["list", "-h"]):
        code, shown, _ = command(*arguments)
        assert code == 0
        assert "Usage: workflow-conformance" in shown


def test_serve_is_the_reference_server(tmp_path: Any) -> None:
    """
    All arguments of serve are the reference server's own, --help too.
    """
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "serve", "--help"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PYTHONPATH": str(cli.Path(cli.__file__).parents[1]), "PATH": ""},
    )  # fmt: skip

    assert done.returncode == 0
    assert "--dapr-http-port" in done.stdout
    assert "Traceback" not in done.stderr
