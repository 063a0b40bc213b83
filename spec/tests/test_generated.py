from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

import spec
from spec import compiled, generate
from spec.page import escape, table

FOLDER = Path(spec.__file__).parent
PAGES = generate.pages()

each_page = pytest.mark.parametrize("name", PAGES)


@each_page
def test_the_pages_are_what_the_data_says(name: str) -> None:
    """
    Each committed page is the one that the data gives.
    """
    assert (FOLDER / name).read_bytes() == PAGES[name].encode()


def test_check_is_content_with_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    What was just written is not stale, and writing again writes nothing.
    """
    assert generate.main([], tmp_path) == 0
    assert capsys.readouterr().err.count("wrote ") == len(PAGES) + 1
    assert generate.main(["--check"], tmp_path) == 0
    assert generate.main([], tmp_path) == 0
    assert capsys.readouterr().err == ""


def test_the_descriptors_are_what_the_proto_files_say() -> None:
    """
    The committed descriptors say of each proto file what the compiler says.
    """
    committed = (FOLDER / compiled.NAME).read_bytes()

    assert compiled.same(committed, compiled.descriptors())


def test_other_descriptors_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Descriptors with one field less, or none at all, are stale.
    """
    generate.main([], tmp_path)
    file = tmp_path / compiled.NAME
    fresh = descriptor_pb2.FileDescriptorSet.FromString(file.read_bytes())
    changed = descriptor_pb2.FileDescriptorSet.FromString(file.read_bytes())
    (ours,) = (one for one in changed.file if one.name == "taskhub.proto")
    del ours.message_type[0].field[0]
    for content in (changed.SerializeToString(), b"\xff", b""):
        capsys.readouterr()
        file.write_bytes(content)
        assert generate.main(["--check"], tmp_path) == 1
        assert capsys.readouterr().err == f"{file} is stale; run: python -m spec.generate\n"
    assert compiled.same(fresh.SerializeToString(), compiled.descriptors())


def test_without_a_compiler_nothing_passes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Where grpcio-tools is missing, the check fails and says what to install.
    """
    monkeypatch.setitem(sys.modules, "grpc_tools", None)

    assert generate.main(["--check"]) == 1
    assert "pip install -e '.[dev]'" in capsys.readouterr().err


@each_page
def test_check_names_what_is_stale(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A page that differs or is missing is named with the command that renews it, and left alone.
    """
    generate.main([], tmp_path)
    capsys.readouterr()
    (tmp_path / name).write_text("old\n")

    assert generate.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == f"{tmp_path / name} is stale; run: python -m spec.generate\n"
    assert (tmp_path / name).read_text() == "old\n"
    (tmp_path / name).unlink()
    assert generate.main(["--check"], tmp_path) == 1


def test_the_same_data_gives_the_same_page() -> None:
    """
    A page depends on the data alone.
    """
    assert generate.pages() == PAGES


def test_every_rule_is_on_its_page_once() -> None:
    """
    Each rule has one line, with its statement.
    """
    for rule in spec.load().rules.values():
        assert PAGES["RULES.md"].count(f"\n| {rule.id} |") == 1
        assert escape(rule.statement) in PAGES["RULES.md"]
        assert escape(rule.excluded) in PAGES["RULES.md"]


def test_the_counts_add_up() -> None:
    """
    Checked and excluded rules of the levels make up all of them.
    """
    rules = spec.load().rules
    excluded = sum(bool(rule.excluded) for rule in rules.values())

    total = f"| all | {len(rules) - excluded} of {len(rules)} | {excluded} of {len(rules)} |"
    assert total in PAGES["RULES.md"]


def test_every_cell_is_on_its_page() -> None:
    """
    Each operation and happening has a table with a line for each state.
    """
    machine = spec.load().machine
    for event in (*machine.operations, *machine.happenings):
        section = PAGES["STATES.md"].partition(f"\n### {event}\n")[2].partition("\n#")[0]
        for state in machine.states:
            assert section.count(f"\n| {state} |") == 1, (event, state)


def test_the_diagram_has_every_state() -> None:
    """
    Each state is in the diagram, and arrows lead only where a cell does.
    """
    diagram = PAGES["STATES.md"].partition("```mermaid\n")[2].partition("```")[0]
    arrows = re.findall(r"^  (\w+) --> (\w+): (.+)$", diagram, re.MULTILINE)
    machine = spec.load().machine

    assert {state for arrow in arrows for state in arrow[:2]} == set(machine.states)
    for source, target, events in arrows:
        for event in events.split(", "):
            assert target in machine.table[source][event].settles


def test_tables_are_whole() -> None:
    """
    Every line of a table has as many cells as its header.
    """
    for page in PAGES.values():
        width = 0
        for line in page.splitlines():
            cells = len(re.findall(r"(?<!\\)\|", line)) - 1 if line.startswith("|") else 0
            assert cells in {width, 0} or width == 0, line
            width = cells


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("a|b", "a\\|b"), ("a\nb", "a b"), ("<b>", "&lt;b>"), ("  a  ", "a"), ("a\\|b", "a\\|b"), ("é", "é")],
)
def test_what_would_break_a_cell_is_escaped(text: str, escaped: str) -> None:
    """
    Pipes, line ends and tags of a text do not break its table.
    """
    assert escape(text) == escaped


def test_an_empty_cell_shows_that_it_is_empty() -> None:
    """
    Nothing is shown as a dash.
    """
    assert table(["a", "b"], [["", "x|y"]]) == "| a | b |\n| --- | --- |\n| - | x\\|y |\n"
