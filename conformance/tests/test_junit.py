from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from conformance.report import junit

if TYPE_CHECKING:
    from pathlib import Path

AT = "2025-01-02T03:04:05Z"


def header(**fields: Any) -> dict[str, Any]:
    return {
        "event": "header",
        "version": 1,
        "at": AT,
        "kit": {"version": "0.1.0", "spec_sha256": "5bec"},
        "target": {"name": "daprd", "server": "http://127.0.0.1:3500"},
        "profile": "dapr-1.18",
        "surfaces": ["http/v1.0"],
        "seed": 7,
        **fields,
    }


def plan(*names: str, unsupported: tuple[str, ...] = ()) -> dict[str, Any]:
    cases = [
        {
            "case": name,
            "scenario": name.partition("@")[0],
            "surface": name.partition("@")[2],
            "file": f"{name.partition('@')[0]}.yaml",
            "title": "A story",
            "rules": ["WF-A-001", "WF-A-002"],
            "checks": [{"check": "1.reply", "step": 1, "line": 9, "kind": "reply", "rule": "WF-A-001"}],
        }
        for name in names
    ]
    return {
        "event": "plan",
        "cases": cases,
        "unsupported": [{"case": name, "reason": "no hold"} for name in unsupported],
        "filtered": 0,
    }


def case(name: str, result: str, **fields: Any) -> dict[str, Any]:
    event = {"event": "case", "case": name, "attempt": 1, "result": result, "seconds": 0.25, "cause": "", "rule": ""}
    return {**event, "expected": None, **fields}


def check(name: str, **fields: Any) -> dict[str, Any]:
    event = {"event": "check", "case": name, "attempt": 1, "check": "1.reply", "step": 1, "rule": "WF-A-001"}
    return {**event, "result": "fail", "why": "wanted 202, saw 500", "wanted": 202, "seen": 500, **fields}


FOOTER = {"event": "footer", "complete": True, "reason": "", "exit": 0}


def report(tmp_path: Path, *events: dict[str, Any]) -> ET.Element:
    path = tmp_path / "out" / "junit.xml"
    junit.write(events, path)
    return ET.parse(path).getroot()


def found(root: ET.Element, name: str) -> ET.Element:
    return next(one for one in root.iter("testcase") if one.get("name") == name)


def test_a_suite_is_an_area(tmp_path: Path) -> None:
    """
    The cases of one folder are one suite, named by target and folder, with what the run was about as properties.
    """
    names = ("lifecycle/a@http/v1.0", "events/deep/b@http/v1.0")
    root = report(tmp_path, header(), plan(*names), *(case(name, "pass") for name in names), FOOTER)
    suites = root.findall("testsuite")
    properties = {one.get("name"): one.get("value") for one in suites[0].findall("properties/property")}

    assert [suite.get("name") for suite in suites] == ["lifecycle", "events/deep"]
    assert [one.get("classname") for one in root.iter("testcase")] == ["daprd.lifecycle", "daprd.events.deep"]
    assert properties["profile"] == "dapr-1.18"
    assert properties["seed"] == "7"
    assert properties["kit"] == "0.1.0"
    assert properties["spec_sha256"] == "5bec"
    assert root.attrib == {
        "name": "workflow-conformance",
        "tests": "2",
        "failures": "0",
        "errors": "0",
        "skipped": "0",
        "time": "0.500",
    }


def test_a_failure_tells_rule_and_reason(tmp_path: Path) -> None:
    """
    The type of a failure is its rule, the message why, the text what was wanted and seen and where.
    """
    name = "lifecycle/a@http/v1.0"
    root = report(tmp_path, header(), plan(name), check(name), case(name, "fail", rule="WF-A-001"), FOOTER)
    failure = found(root, name).find("failure")
    properties = [(one.get("name"), one.get("value")) for one in found(root, name).iter("property")]

    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("WF-A-001", "wanted 202, saw 500")
    assert "lifecycle/a.yaml:9" in (failure.text or "")
    assert "wanted 202\n  seen   500" in (failure.text or "")
    assert ("rule", "WF-A-001") in properties
    assert ("surface", "http/v1.0") in properties


@pytest.mark.parametrize(
    ("result", "tag", "message"),
    [
        ("pass", None, ""),
        ("fail", "failure", "the cause"),
        ("unexpected_pass", "failure", "passed, though expected to fail: known"),
        ("error", "error", "the cause"),
        ("not_run", "error", "the cause"),
        ("unsupported", "skipped", "known"),
        ("expected_failure", "skipped", "known"),
    ],
)
def test_every_result_has_its_element(tmp_path: Path, result: str, tag: str | None, message: str) -> None:
    """
    Only what was declared is skipped; all that stands in the way of a verdict is a failure or an error.
    """
    name = "lifecycle/a@x"
    event = case(name, result, cause="the cause", expected={"reason": "known"} if message != "the cause" else None)
    root = report(tmp_path, header(), plan(name), event, FOOTER)
    told = [child for child in found(root, name) if child.tag != "properties"]

    assert [(child.tag, child.get("message")) for child in told] == ([(tag, message)] if tag else [])


def test_cases_without_a_result_are_errors(tmp_path: Path) -> None:
    """
    What was planned and not executed is an error, and what was declared unsupported is skipped with its reason.
    """
    events = (header(), plan("a/b@x", unsupported=("a/c@x",)), {**FOOTER, "complete": False, "reason": "interrupted"})
    root = report(tmp_path, *events)

    assert found(root, "a/b@x").find("error[@message='interrupted']") is not None
    assert found(root, "a/c@x").find("skipped[@message='no hold']") is not None
    assert (root.get("tests"), root.get("errors"), root.get("skipped")) == ("3", "2", "1")


@pytest.mark.parametrize("events", [(), (header(),), (header(), plan("a/b@x"), case("a/b@x", "pass"))])
def test_a_run_without_a_footer_is_an_error(tmp_path: Path, events: tuple[dict[str, Any], ...]) -> None:
    """
    However green the cases, a cut-off run has an error of its own.
    """
    root = report(tmp_path, *events)

    assert found(root, "run/incomplete").find("error[@type='incomplete']") is not None
    assert root.get("errors") == "1"


def test_an_incomplete_footer_tells_its_reason(tmp_path: Path) -> None:
    """
    The reason why a run stopped is the message.
    """
    root = report(tmp_path, header(), plan(), {**FOOTER, "complete": False, "reason": "no worker answers"})
    error = found(root, "run/incomplete").find("error")

    assert error is not None
    assert error.get("message") == "no worker answers"


@pytest.mark.parametrize("order", [("pass", "fail", "pass"), ("fail", "pass", "pass"), ("pass", "pass", "fail")])
def test_the_worst_of_several_attempts_counts(tmp_path: Path, order: tuple[str, ...]) -> None:
    """
    A case that failed once failed, wherever the failure stood, and appears once with the time of all.
    """
    name = "a/b@x"
    events = [case(name, result, attempt=n, cause="flaky") for n, result in enumerate(order, 1)]
    root = report(tmp_path, header(), plan(name), *events, FOOTER)

    assert [(one.get("name"), one.get("time")) for one in root.iter("testcase")] == [(name, "0.750")]
    assert root.get("failures") == "1"


def test_stale_entries_are_failures(tmp_path: Path) -> None:
    """
    An entry of the expected failures that nothing needs stands in the report.
    """
    stale = [{"case": "gone/*", "reason": "old", "file": "e.yaml", "line": 3}]
    root = report(tmp_path, header(), plan("a/b@x"), case("a/b@x", "pass"), {**FOOTER, "stale": stale})
    failure = found(root, "run/expected-failures/gone/*").find("failure")

    assert failure is not None
    assert failure.get("message") == "e.yaml:3: nothing needs this entry any more; remove it"


def test_characters_that_xml_cannot_carry_are_left_out(tmp_path: Path) -> None:
    """
    Whatever a server sent, the file is XML 1.0.
    """
    name = "a/b\x00\x1b[31m@x"
    why = "bad \x0b\ud800\uffff <&\"']]> é\U0001f600\u0085"
    failing = check(name, why=why, seen="\x07\u0000 \ud800")
    root = report(tmp_path, header(), plan(name), failing, case(name, "fail", cause=why), FOOTER)
    failure = found(root, "a/b[31m@x").find("failure")

    assert failure is not None
    assert failure.get("message") == "bad  <&\"']]> é\U0001f600\u0085"


def test_an_unknown_profile_is_no_obstacle(tmp_path: Path) -> None:
    """
    A record of another kit can be reported.
    """
    root = report(tmp_path, header(profile="nobody-1.0"), plan("a/b@x"), case("a/b@x", "pass"), FOOTER)

    assert root.get("tests") == "1"
