"""
The end of a run as people read it: numbers with a denominator, the evidence of the profile, the verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .text import clean, line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .block import Styled
    from .fold import Facts, Fold

CONFORMANT, NOT_CONFORMANT = 0, 1
"""The exit codes that are a verdict; with any other the run could not be run."""

_LEVELS = ("MUST", "SHOULD", "MAY", "PROFILE")
_STYLES = {"pass": "good", "expected_failure": "", "unsupported": ""}


def summary(fold: Fold, facts: Facts) -> Iterator[Styled]:
    """
    Everything that is said after the last case.
    """
    yield "", ""
    yield from _cases(fold)
    yield from _rules(fold)
    yield from _evidence(fold, facts)
    yield from _files(fold.header)
    yield from _stale(fold)
    yield from _incomplete(fold)
    yield verdict(fold)


def verdict(fold: Fold) -> Styled:
    """
    The last line: `conformant`, `not conformant` or `could not run: reason`.
    """
    code = fold.footer.get("exit")
    reason = line(str(fold.footer.get("reason") or ""))
    if code == CONFORMANT and fold.complete:
        return "good", "conformant"
    if code == NOT_CONFORMANT:
        return "bad", "not conformant" if fold.complete else f"not conformant, and not complete: {reason}"
    return "bad", f"could not run: {reason or 'the run did not end; no verdict'}"


def _cases(fold: Fold) -> Iterator[Styled]:
    counts = fold.counts()
    total = sum(counts.values())
    checks = fold.footer.get("checks", {})
    surfaces = ", ".join(clean(surface) for surface in fold.header.get("surfaces", ()))
    took = f" in {fold.footer['seconds']:.1f} s" if "seconds" in fold.footer else ""
    executed = f"; {checks['executed']}/{checks['planned']} checks executed" if checks else ""
    yield "strong", f"{total} case{'' if total == 1 else 's'}{f' on {surfaces}' if surfaces else ''}{took}{executed}"
    if len(fold.surfaces()) > 1:
        yield "dim", "  " + ", ".join(f"{clean(name)} {count}" for name, count in fold.surfaces().items())
    for result, count in counts.items():
        yield _STYLES.get(result, "bad"), f"  {result.replace('_', ' '):<16} {count}/{total}"
    if fold.filtered:
        yield "dim", f"  {fold.filtered} more were left out by the filters"
    if fold.header.get("repeat", 1) > 1:
        yield "dim", f"  each was tried {fold.header['repeat']} times; its worst result counts"


def _rules(fold: Fold) -> Iterator[Styled]:
    rules: Mapping[str, Mapping[str, int]] = fold.footer.get("rules", {})
    if rules:
        yield "strong", "rules"
    for level in (level for level in _LEVELS if level in rules):
        numbers = rules[level]
        total = sum(numbers.values())
        rest = [f"{numbers[name]} {name.replace('_', ' ')}" for name in ("failed", "not_run") if numbers.get(name)]
        apart = "  (what only this profile says; counted apart)" if level == "PROFILE" else ""
        told = f"  {level:<16} {numbers['passed']}/{total} rules passed{''.join(f', {part}' for part in rest)}{apart}"
        yield "bad" if numbers.get("failed") else "", told


def _evidence(fold: Fold, facts: Facts) -> Iterator[Styled]:
    if facts.profile is None:
        yield "dim", f"profile {clean(str(fold.header.get('profile', '?')))}: not known to this kit"
        return
    by_evidence: dict[str, list[str]] = {}
    for claim in facts.profile.claims:
        by_evidence.setdefault(claim.evidence, []).append(claim.id)
    parts = [f"{evidence} ({', '.join(ids)})" for evidence, ids in by_evidence.items()]
    yield "", f"profile {facts.profile.name}: evidence {'; '.join(parts) or 'none'}"


def _files(header: Mapping[str, Any]) -> Iterator[Styled]:
    if header.get("out"):
        yield "dim", f"record   {clean(header['out'])}/run.jsonl"
        yield "dim", f"junit    {clean(header['out'])}/junit.xml"


def _stale(fold: Fold) -> Iterator[Styled]:
    for entry in fold.footer.get("stale", ()):
        place = clean(f"{entry.get('file', 'expected failures')}:{entry.get('line', 0)}")
        name = clean(str(entry.get("case") or entry.get("rule")))
        yield "bad", f"STALE {place}: nothing needs the entry {name} any more; remove it, or let `--update` do it"


def _incomplete(fold: Fold) -> Iterator[Styled]:
    if fold.complete:
        return
    missing = fold.counts().get("not_run", 0)
    reason = line(str(fold.footer.get("reason") or "there is no footer, the run was cut off"))
    yield "bad", f"INCOMPLETE RUN: {reason}"
    yield "bad", f"  {missing} planned cases were not run; what passed says nothing about them"
