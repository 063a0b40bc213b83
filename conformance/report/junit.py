"""
JUnit XML, in the dialect that Jenkins, GitLab and GitHub's report readers share.

Rule 1: a run that is not complete can never look green.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from .fold import Fold, Outcome, facts
from .text import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .fold import Facts

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry, not even escaped."""

_KINDS = {
    "fail": "failure",
    "unexpected_pass": "failure",
    "error": "error",
    "not_run": "error",
    "unsupported": "skipped",
    "expected_failure": "skipped",
}


def write(events: Iterable[Mapping[str, Any]], path: Path) -> None:
    """
    Write the report of a run to a file; its folder is made if need be.
    """
    tree = ET.ElementTree(document(Fold(events)))
    ET.indent(tree)
    path.parent.mkdir(parents=True, exist_ok=True)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def document(fold: Fold) -> ET.Element:
    """
    The whole report as one `testsuites` element.
    """
    known = facts(fold.header)
    target = str(fold.header.get("target", {}).get("name") or "target")
    areas: dict[str, list[ET.Element]] = {}
    for outcome in fold.outcomes():
        areas.setdefault(outcome.area, []).append(_testcase(outcome, target, known))
    about_run = _about_run(fold, target)
    if about_run:
        areas["run"] = areas.get("run", []) + about_run
    root = ET.Element("testsuites", name="workflow-conformance")
    for area, cases in areas.items():
        suite = ET.SubElement(root, "testsuite", name=_legal(area))
        suite.set("timestamp", _legal(str(fold.header.get("at", ""))))
        suite.append(_properties(_of_suite(fold)))
        suite.extend(cases)
        _count(suite)
    _count(root)
    return root


def _of_suite(fold: Fold) -> list[tuple[str, str]]:
    header = fold.header
    kit = header.get("kit", {})
    return [
        ("profile", str(header.get("profile", ""))),
        ("seed", str(header.get("seed", ""))),
        ("kit", str(kit.get("version", ""))),
        ("spec_sha256", str(kit.get("spec_sha256", ""))),
        ("server", str(header.get("target", {}).get("server", ""))),
    ]


def _testcase(outcome: Outcome, target: str, known: Facts) -> ET.Element:
    case = _case(f"{target}.{outcome.area.replace('/', '.')}", outcome.case, outcome.seconds)
    file = outcome.planned.get("file")
    if file:
        case.set("file", _legal(f"scenarios/{file}"))
    rules = [outcome.rule] if outcome.rule else list(outcome.planned.get("rules", ()))
    levels = dict.fromkeys(level for rule in rules if (level := known.level(rule)))
    surface = str(outcome.planned.get("surface") or outcome.case.partition("@")[2].partition("[")[0])
    case.append(
        _properties([*(("rule", rule) for rule in rules), *(("level", x) for x in levels), ("surface", surface)])
    )
    kind = _KINDS.get(outcome.result)
    if kind:
        _tell(case, kind, outcome)
    return case


def _tell(case: ET.Element, kind: str, outcome: Outcome) -> None:
    """
    Put the failure, error or reason for skipping into a testcase.
    """
    entry = outcome.expected or {}
    reason = str(entry.get("reason", ""))
    message = reason if kind == "skipped" and reason else outcome.why or outcome.result
    if outcome.result == "unexpected_pass":
        message = f"passed, though expected to fail: {reason}"
    told = ET.SubElement(case, kind, message=_legal(message))
    if kind != "skipped":
        told.set("type", _legal(outcome.rule or outcome.result))
    told.text = _legal("\n".join(_details(outcome)))


def _details(outcome: Outcome) -> list[str]:
    lines = [f"{outcome.result}: {outcome.cause}"] if outcome.cause else []
    where = {check["check"]: check["line"] for check in outcome.planned.get("checks", ())}
    for check in outcome.failing:
        line = where.get(check["check"], 0)
        lines += [
            f"{check['rule']}: {check['why']}",
            f"  at {outcome.planned.get('file', '')}:{line} (check {check['check']})",
            f"  wanted {short(check.get('wanted'), 2000)}",
            f"  seen   {short(check.get('seen'), 2000)}",
        ]
    return lines


def _about_run(fold: Fold, target: str) -> list[ET.Element]:
    """
    What is wrong with the run as a whole, as cases of their own.
    """
    cases = []
    if not fold.complete:
        reason = str(fold.footer.get("reason") or "the record has no footer: the run was cut off")
        case = _case(f"{target}.run", "run/incomplete", 0.0)
        ET.SubElement(case, "error", message=_legal(reason), type="incomplete").text = "This run is no verdict."
        cases.append(case)
    for entry in fold.footer.get("stale", ()):
        name = f"run/expected-failures/{entry.get('case') or entry.get('rule')}"
        case = _case(f"{target}.run", name, 0.0)
        message = f"{entry.get('file', '')}:{entry.get('line', 0)}: nothing needs this entry any more; remove it"
        ET.SubElement(case, "failure", message=_legal(message), type="stale").text = _legal(entry["reason"])
        cases.append(case)
    return cases


def _case(classname: str, name: str, seconds: float) -> ET.Element:
    return ET.Element("testcase", classname=_legal(classname), name=_legal(name), time=f"{seconds:.3f}")


def _properties(pairs: Iterable[tuple[str, str]]) -> ET.Element:
    properties = ET.Element("properties")
    for name, value in pairs:
        ET.SubElement(properties, "property", name=name, value=_legal(value))
    return properties


def _count(parent: ET.Element) -> None:
    """
    The sums that readers expect as attributes.
    """
    cases = parent.findall(".//testcase")
    parent.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        parent.set(name, str(sum(case.find(tag) is not None for case in cases)))
    parent.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")


def _legal(text: str) -> str:
    return _ILLEGAL.sub("", text)
