"""
Whether the tests drove every SDK whose toolchain is here: reads the JUnit report of a session, named as the argument.

A driver of the kit whose programs are on the PATH has gone through the whole suite; who skips, for lack of a program
that is on the PATH, is told. Exit code 1: one was not used. 2: there is no report.
"""

from __future__ import annotations

import re
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import manifest
from conformance.errors import CannotRun
from conformance.toolchain import found

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE = "test_a_driver_goes_through_the_whole_suite"
LEFT_OUT = re.compile(r"(\S+) is not on the PATH")


def main(report: str) -> int:
    """
    Tell which drivers went through the suite, and which were left out and why; the exit code.
    """
    try:
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - pytest wrote it
    except (OSError, ET.ParseError) as error:
        print(f"{report}: no report of a session: {error}", file=sys.stderr)
        return 2
    driven = {case.get("name", "") for case in cases if not list(case.iter("skipped"))}
    wrong = [*_unused(driven), *_skipped(cases)]
    for line in wrong:
        print(f"unused: {line}", file=sys.stderr)
    return 1 if wrong else 0


def _unused(driven: set[str]) -> Iterator[str]:
    """
    Drivers that could have gone through the suite, and have not; the others are told.
    """
    used, left = [], []
    for role in manifest.ROLES:
        for name in manifest.names(role):
            try:
                found(manifest.load(role, name).toolchain)
            except CannotRun as missing:
                left.append(f"{role} {name}: {' '.join(str(missing).split())}")
                continue
            used.append(f"{role} {name}")
            if f"{WHOLE}[{role}-{name}]" not in driven:
                yield f"{role} {name}: its toolchain is on the PATH, and no test drove it through the suite"
    print(f"{len(used)} drivers to be driven: {', '.join(used)}")
    print(f"{len(left)} left out" + "".join(f"\n  {line}" for line in left))


def _skipped(cases: list[ET.Element]) -> Iterator[str]:
    """
    Tests that were skipped for lack of a program that is here.
    """
    for case in cases:
        for skip in case.iter("skipped"):
            lacking = LEFT_OUT.findall(skip.get("message", ""))
            if lacking and all(shutil.which(program) for program in lacking):
                yield f"{case.get('name')}: skipped, and {', '.join(lacking)} is on the PATH"


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]))))
