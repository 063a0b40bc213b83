from typing import Any

import pytest

from conformance import load
from conformance.errors import BadFiles, UsageError

HEAD = "version: 1\ntitle: t\nrules: [WF-START-001]\n"
STEPS = "steps:\n  - start: {workflow: ConformanceEcho, as: wf}\n"
GOOD = HEAD + STEPS
WATCHED = HEAD + "requires: [control]\n" + STEPS


def problems(folder: Any, **files: Any) -> Any:
    with pytest.raises(BadFiles) as error:
        load.scenarios(folder(**files))
    return error.value.problems


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        (GOOD + "  - prge: wf\n", "6:5", ("prge", 'did you mean "purge"?')),
        (GOOD.replace("title", "titel"), "2:1", ("titel", 'did you mean "title"?')),
        (GOOD.replace("version: 1", "version: 2"), "1:10", ("2: 1 is expected",)),
        (GOOD.replace("WF-START-001", "WF-STRT-001"), "3:9", ("WF-STRT-001: no such rule", "did you mean")),
        (GOOD + "  - get: wg\n", "6:10", ("wg: no instance has this name", 'did you mean "wf"?')),
        (GOOD + "  - get: wf\n    expect: {runtimeStatus: RUNING}\n", "7:29", ("RUNING", "RUNNING")),
        (GOOD + "  - get: wf\n    expect: {runtimeState: RUNNING}\n", "7:14", ("runtimeState", "runtimeStatus")),
        (GOOD + "  - get: wf\n    expect: {output: {$tpe: string}}\n", "7:23", ("$tpe: unknown matcher", "$type")),
        (GOOD + "  - get: wf\n    expect: {output: {$type: strng}}\n", "7:30", ("strng", '"string"')),
        (GOOD + "  - get: wf\n    expect: {output: {$match: '['}}\n", "7:31", ("no regular expression",)),
        (GOOD + "  - get: wf\n    expect: {output: {a: 1, $any: true}}\n", "7:22", ("do not mix",)),
        (GOOD + "  - get: wf\n    expect: gone\n", "7:13", ("gone: one of cell, absent",)),
        (GOOD + "  - pause: wf\n    expect: {refused: WF-NO-1}\n", "7:23", ("WF-NO-1: no such rule",)),
        (GOOD + "  - pause: wf\n    resume: wf\n", "6:5", ("exactly one verb",)),
        (GOOD + "  - pause: wf\n    on: v2\n", "7:9", ("v2: no such surface or API version",)),
        (GOOD + "  - eventually: {get: wf, expect: absent, wihtin: 3}\n", "6:43", ("wihtin", "within")),
        (GOOD + "  - eventually: {get: wf, expect: absent}\n    expect: absent\n", "7:13", ("one level deeper",)),
        (GOOD + "  - stays: {get: wf, expect: absent}\n", "6:12", ("for: this key is missing",)),
        (GOOD + "  - request: {method: GET, path: /}\n", "6:5", ("carries no rule",)),
        (GOOD + "  - raise_event: {instance: wf, name: go, raw_base64: '!'}\n", "6:55", ("not base64",)),
        (GOOD + "  - raise_event: {instance: wf, name: go, raw: a, data: 1}\n", "6:48", ("there is data already",)),
        (
            GOOD + "  - request: {method: 'G T', path: /, headers: {'a b': x}}\n    expect: {status: 1}\n",
            "6:23",
            ("no method",),
        ),
        (GOOD + "  - get: wf\n    expect: {output: '${nothing}'}\n", "7:22", ("nothing: nothing has this name",)),
        (GOOD + "  - get: wf\n    expect: {output: {$bind: wf}}\n", "7:22", ("so it cannot be bound",)),
        (HEAD + "requires: [hold_pendng]\n" + STEPS, "4:12", ("hold_pendng", '"hold_pending"')),
        (HEAD + "profiles: [dapr-1.19]\n" + STEPS, "4:12", ("dapr-1.19: no such profile",)),
        (HEAD + "matrix: {wf: [1]}\ninstances: {wf: '{u}'}\n" + STEPS, "5:17", ("the matrix has this name too",)),
        (HEAD + "instances: {wf: fixed}\n" + STEPS, "4:17", ("holds {u}",)),
        (HEAD + "instances: {wf: {fill: é, bytes: 3}}\n" + STEPS, "4:17", ("ASCII",)),
        (GOOD.replace("as: wf", "as: wf, input: {$repeat: {text: aa, times: 99999999999}}"), "1:1", ("$repeat",)),
        (GOOD + "  - parallel: [{get: wf}, {get: wf}]\n    expect: {accepted: 1}\n", "6:5", ("carries no rule",)),
        (GOOD + "  - get: wf\n    wire: [{rule: WF-GET-001, expect: {calls: 1}}]\n", "6:5", ("requires: [control]",)),
        (GOOD + "  - fault: {where: {}, status: 500}\n", "6:5", ("requires: [control]",)),
        (WATCHED + "  - get: wf\n    wire: [{rule: WF-GT-001, expect: {calls: 1}}]\n", "8:19", ("no such rule",)),
        (WATCHED + "  - get: wf\n    wire: [{rule: WF-GET-001, expect: {cals: 1}}]\n", "8:40", ("cals", "calls")),
        (WATCHED + "  - get: wf\n    wire: [{rule: WF-GET-001, expect: {body: {$x: 1}}}]\n", "8:47", ("$x",)),
        (WATCHED + "  - restart: true\n    wire: [{rule: WF-GET-001, expect: {calls: 1}}]\n", "8:11", ("only an",)),
        (WATCHED + "  - get: wf\n    expect: failed\n", "7:5", ("names its rule",)),
        (WATCHED + "  - fault: {where: {}}\n", "7:12", ("where",)),
        (WATCHED + "  - fault: {where: {}, status: 99}\n", "7:32", ("99",)),
        (WATCHED + "  - fault: {where: {}, drop: both}\n", "7:30", ("both",)),
        (GOOD + "  - pause: wf\n    expect: {refused: 5}\n", "7:23", ("5: string is expected",)),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_with_its_place(folder: Any, text: Any, where: Any, words: Any) -> None:
    """
    File, line, column, the offending text, and what was meant.
    """
    found = problems(folder, a__wrong=text)

    assert any(f"/a/wrong.yaml:{where}: " in one and all(word in one for word in words) for one in found), found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x\n", "aliases are not read"),
        ("a: !!python/object/apply:os.system [id]\n", "tag"),
        ("a: 1\na: 2\n", "stands twice"),
        ("a: [1\n", "not YAML"),
        ("", "empty"),
        ("x" * (1 << 20) + "yy", "1048576"),
        ("[" * 100, "nested deeper"),
        ("- 1\n", "object is expected"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(folder: Any, text: Any, words: Any) -> None:
    """
    Bombs, tags, doubled keys and files too large are refused before anything else is done with them.
    """
    (only,) = problems(folder, a__wrong=text)

    assert words in only


def test_bytes_that_are_no_text_are_refused(folder: Any) -> None:
    """
    A file that is not UTF-8 is told like any other.
    """
    where = folder(a__good=GOOD)
    (where / "a" / "bad.yaml").write_bytes(b"title: \xff\n")

    with pytest.raises(BadFiles, match="not UTF-8"):
        load.scenarios(where)


def test_no_wrong_file_hides_another(folder: Any) -> None:
    """
    All problems of all files are told at once, each once.
    """
    found = problems(folder, a__one="a: *x\n", b__two=GOOD + "  - prge: wf\n  - puase: wf\n", c__good=GOOD)

    assert len(found) == len(set(found)) == 3


def test_a_missing_folder_is_told(tmp_path: Any) -> None:
    """
    A folder that is not there is an error, not an empty suite.
    """
    with pytest.raises(UsageError, match="no such folder"):
        load.scenarios(tmp_path / "nothing")


def test_a_matrix_multiplies(folder: Any) -> None:
    """
    A mapping gives labels, a list gives its values; several give their product, types kept.
    """
    matrix = "matrix: {char: {space: {a: ' '}, odd: {a: 1}}, n: [1, true]}\n"
    steps = "steps:\n  - start: {workflow: ConformanceEcho, as: wf, input: ['${char}', '${n}', '${char.a}x']}\n"
    (scenario,) = load.scenarios(folder(a__matrix=HEAD + matrix + steps))

    assert [row.label for row in scenario.rows] == ["space,1", "space,true", "odd,1", "odd,true"]
    assert scenario.rows[3].steps[0].call["input"] == [{"a": 1}, True, "1x"]


def test_steps_know_their_lines(folder: Any) -> None:
    """
    A step, and a branch of one, knows its number and its line.
    """
    text = GOOD + "  - parallel:\n      - pause: wf\n      - resume: wf\n"
    (scenario,) = load.scenarios(folder(a__lines=text))
    parallel = scenario.rows[0].steps[1]

    assert [(one.number, one.line) for one in (parallel, *parallel.branches)] == [("2", 6), ("2.1", 7), ("2.2", 8)]
    assert parallel.branches[1].index == 2


def test_the_shipped_scenarios_are_read() -> None:
    """
    Every scenario that ships with the kit is well formed.
    """
    assert len(load.scenarios()) > 50
