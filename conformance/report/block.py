"""
Failures as people read them: what was demanded, what was seen, how to see it again.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from conformance.known import literal

from .text import clean, curl, line, polls, short, timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .fold import Facts, Outcome

Styled = tuple[str, str]
"""A style (`bad`, `good`, `dim`, `strong` or none) and a line of text."""

FULL = 10
"""So many blocks are written out; after them a failure is one line."""

COMMON = 5
"""So many cases with one cause share a block."""

LISTED = 100
"""So many names are listed in one place."""

_CHECKS, _COMMANDS = 5, 12
_TITLES = {"unexpected_pass": "UNEXPECTED PASS", "not_run": "NOT RUN"}


def failures(bad: Sequence[Outcome], header: Mapping[str, Any], facts: Facts) -> Iterator[Styled]:
    """
    All failures: the first ten in full, those with one cause together, the rest a line each.
    """
    rest: list[Outcome] = []
    for number, group in enumerate(_grouped(bad)):
        if number >= FULL:
            rest += group
            continue
        yield "", ""
        yield from block(group[0], header, facts)
        if len(group) > 1:
            yield "strong", f"  the same in {len(group)} cases:"
            yield from (("", f"    {clean(outcome.case)}") for outcome in group[:LISTED])
            yield from _more(len(group))
    if rest:
        yield "", ""
        yield "strong", f"{len(rest)} more failures:"
        yield from ((brief(outcome)) for outcome in rest[:LISTED])
        yield from _more(len(rest))


def brief(outcome: Outcome) -> Styled:
    """
    A failure on one line.
    """
    rule = f" {clean(outcome.reason[1])}" if outcome.reason[1] else ""
    return "bad", f"{title(outcome)} {clean(outcome.case)}{rule}: {line(outcome.why)}"


def title(outcome: Outcome) -> str:
    """
    The word that a failure starts with.
    """
    return _TITLES.get(outcome.result, outcome.result.upper())


def block(outcome: Outcome, header: Mapping[str, Any], facts: Facts) -> Iterator[Styled]:
    """
    One failure in full.
    """
    yield "bad", f"{title(outcome)} {clean(outcome.case)}"
    if outcome.planned.get("title"):
        yield "", f"  {line(outcome.planned['title'])}"
    yield from _expectation(outcome)
    if outcome.cause and outcome.cause != (outcome.failing[0]["why"] if outcome.failing else ""):
        yield "", f"  cause    {line(outcome.cause, 1000)}"
    for check in outcome.failing[:_CHECKS]:
        yield from _check(check, outcome, facts)
    if len(outcome.failing) > _CHECKS:
        yield "", f"  and {len(outcome.failing) - _CHECKS} more failing checks"
    if not outcome.failing:
        yield "dim", f"  {_where(outcome, '')}"
    yield from _exchanges(outcome)
    yield "", f"  again    {again(outcome.case, header)}"


def again(case: str, header: Mapping[str, Any]) -> str:
    """
    The command that runs one case of a run again, against the same target.
    """
    command = list(header.get("command", ()))
    words = ["workflow-conformance", "run"]
    for option in ("--server", "--grpc", "--target"):
        value = _option(command, option)
        if value:
            words += [option, shlex.quote(clean(value))]
    words += ["--profile", shlex.quote(clean(str(header.get("profile", "")))), "--seed", str(header.get("seed", 0))]
    return " ".join([*words, "-k", shlex.quote(clean(literal(case)))])


def _option(command: Sequence[str], option: str) -> str:
    for index, word in enumerate(command):
        if word == option:
            return "".join(command[index + 1 : index + 2])
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return ""


def _grouped(bad: Iterable[Outcome]) -> list[list[Outcome]]:
    """
    The failures in their order, those of a common cause in one group.
    """
    causes: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in bad:
        causes.setdefault(outcome.reason, []).append(outcome)
    groups: list[list[Outcome]] = []
    for group in causes.values():
        groups += [group] if len(group) >= COMMON or group[0].result == "not_run" else [[one] for one in group]
    return groups


def _more(count: int) -> Iterator[Styled]:
    if count > LISTED:
        yield "dim", f"    and {count - LISTED} more, in the record"


def _where(outcome: Outcome, check: str) -> str:
    lines = {planned["check"]: planned["line"] for planned in outcome.planned.get("checks", ())}
    file = clean(f"scenarios/{outcome.planned.get('file') or outcome.case.partition('@')[0]}")
    return f"{file}:{lines[check]}" if check in lines else file


def _expectation(outcome: Outcome) -> Iterator[Styled]:
    entry = outcome.expected
    if not entry:
        return
    place = clean(f"{entry.get('file', 'expected failures')}:{entry.get('line', 0)}")
    if entry.get("expired"):
        yield "", f"  expired  {place} excused this until {clean(entry.get('expires', ''))}: {line(entry['reason'])}"
    elif outcome.result == "unexpected_pass":
        yield "", f"  expected to fail by {place}: {line(entry['reason'])}"
        yield "", "  remove the entry, or let `--update` do it"


def _check(check: Mapping[str, Any], outcome: Outcome, facts: Facts) -> Iterator[Styled]:
    rule = facts.rules.get(check["rule"])
    level = f" {rule.level}" if rule else ""
    yield "dim", f"  {_where(outcome, check['check'])} (check {clean(check['check'])})"
    yield "strong", f"  {clean(check['rule'])}{level}{f'  {line(rule.statement, 600)}' if rule else ''}"
    if rule:
        yield "dim", f"  source   {line(rule.source, 300)}"
    yield "", f"  why      {line(check['why'], 1000)}"
    if "wanted" in check:
        yield "", f"  wanted   {short(check['wanted'])}"
    if "seen" in check:
        yield "", f"  seen     {short(check['seen'])}"


def _exchanges(outcome: Outcome) -> Iterator[Styled]:
    if not outcome.exchanges:
        return
    yield "", "  exchanges"
    yield from (("dim", f"    {told}") for told in timeline(outcome.exchanges))
    commands = [curl(last) for _, last, _ in polls(outcome.exchanges)]
    yield "", "  by hand"
    yield from (("dim", f"    {command}") for command in commands[:_COMMANDS])
    if len(commands) > _COMMANDS:
        yield "dim", f"    # and {len(commands) - _COMMANDS} more, in the record"
