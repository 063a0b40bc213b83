"""
What is known to fail, and why: `expected-failures.yaml`.

Rule 1: strict both ways. What passes though it should fail is a failure, and so is an entry that nothing needs.
Rule 2: an entry excuses a case only if every failing check of it is excused.
Rule 3: the harness's own errors are never excused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs

import spec

from . import ledger

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

Failing = tuple[str, str]
"""The rule of a failing check, and why it fails."""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One thing that is known to fail, as it stands in the file; fields that it lacks are empty.

    Exactly one of `case` (a pattern, see `matches`) and `rule` is set. `expired` is true after the day `expires`.
    `hangs`: what is under test answers nothing more after the case.
    """

    reason: str
    case: str = ""
    rule: str = ""
    target: str = ""
    versions: str = ""
    link: str = ""
    expires: str = ""
    message: str = ""
    hangs: bool = False
    file: str = ""
    line: int = 0
    expired: bool = False

    def as_event(self) -> dict[str, Any]:
        """
        The entry for the `expected` field of a case event and the `stale` field of the footer.
        """
        names = (
            "case",
            "rule",
            "target",
            "versions",
            "reason",
            "link",
            "expires",
            "message",
            "hangs",
            "file",
            "line",
            "expired",
        )
        return {name: value for name in names if (value := getattr(self, name))}

    def about(self, *, target: str, version: str, peers: Sequence[tuple[str, str]] = ()) -> bool:
        """
        Whether the entry is about this target, or about one of its peers: client:NAME or worker:NAME, each with the
        version of its SDK. Without a target it is about the server; a range is not about an unknown version.
        """
        every = ((target, version), *(peers if self.target else ()))
        return any(
            matches(self.target or "*", name) and (not self.versions or within(its, self.versions))
            for name, its in every
        )

    def covers(self, case: str, rule: str, why: str) -> bool:
        """
        Whether the entry is about this failing check, expired or not.
        """
        mine = matches(self.case, case) if self.case else self.rule == rule
        return mine and (not self.message or re.search(self.message, why) is not None)


@dataclass(frozen=True, slots=True)
class ExpectedFailures:
    """
    The entries of one file, as of one day. Without a file: `ExpectedFailures(today=today)`.

    `beside` are entries of other files, which count as much and are never rewritten.
    """

    today: date
    entries: tuple[Entry, ...] = ()
    text: str = ""
    document: spec.Document | None = field(default=None, repr=False)
    beside: tuple[Entry, ...] = ()

    def judge(  # noqa: PLR0913 - each is a fact of the run
        self,
        case: str,
        attempt_result: str,
        failing: Sequence[Failing],
        *,
        target: str,
        version: str,
        peers: Sequence[tuple[str, str]] = (),
    ) -> tuple[str, Entry | None]:
        """
        The result of an attempt in the light of the file, and the entry that made it so.

        `pass` becomes `unexpected_pass` where an entry names the case. `fail` becomes `expected_failure` where each
        of the failing checks is excused (the entry is that of the first one), else it stays `fail`; the entry with
        it is then an expired one that would have excused it, or None. Any other result stays as it is.
        A `fail` without a failing check is not excused. An expired entry excuses nothing and expects nothing. Where an
        entry says that the case `hangs`, an `error` is expected too.
        """
        about = self._about(target, version, peers)
        if attempt_result == "pass":
            named = next((e for e in about if e.case and not e.expired and matches(e.case, case)), None)
            return ("unexpected_pass", named) if named else ("pass", None)
        if attempt_result == "error" and (hung := _hanging(about, case)):
            return "expected_failure", hung
        if attempt_result != "fail" or not failing:
            return attempt_result, None
        alive = [entry for entry in about if not entry.expired]
        if _all_covered(alive, case, failing):
            return "expected_failure", _covering(alive, case, *failing[0])
        if _all_covered(about, case, failing):
            expired = (_covering(sorted(about, key=lambda e: not e.expired), case, *check) for check in failing)
            return "fail", next(entry for entry in expired if entry and entry.expired)
        return "fail", None

    def hangs(self, case: str, *, target: str, version: str, peers: Sequence[tuple[str, str]] = ()) -> bool:
        """
        Whether nothing answers any more after a case, as far as is known.
        """
        return _hanging(self._about(target, version, peers), case) is not None

    def _about(self, target: str, version: str, peers: Sequence[tuple[str, str]]) -> list[Entry]:
        every = (*self.entries, *self.beside)
        return [entry for entry in every if entry.about(target=target, version=version, peers=peers)]

    def stale(  # noqa: PLR0913 - each is a fact of the run
        self,
        planned_cases: Iterable[str],
        executed_rules: Collection[str],
        failed_rules: Collection[str],
        *,
        target: str,
        version: str,
        filtered: bool,
        peers: Sequence[tuple[str, str]] = (),
    ) -> list[Entry]:
        """
        The entries that this run shows to be useless; each is a failure of the run.

        By case: no planned case has such a name. By rule: no executed check carries it, or none of them failed
        (`failed_rules`: the rules of all failing checks, excused or not). A run that was narrowed (`filtered`: by
        patterns, tags, a shard, or because it stopped early) shows nothing. Entries about other targets stay.
        """
        if filtered:
            return []
        cases = tuple(planned_cases)
        return [
            entry
            for entry in (*self.entries, *self.beside)
            if entry.about(target=target, version=version, peers=peers)
            and not (
                any(matches(entry.case, case) for case in cases)
                if entry.case
                else entry.rule in executed_rules and (entry.rule in failed_rules or entry.expired)
            )
        ]

    def updated(  # noqa: PLR0913 - each is a fact of the run
        self,
        failed: Mapping[str, Sequence[Failing]],
        passed: Collection[str],
        *,
        target: str = "",
        version: str = "",
        filtered: bool = False,
        peers: Sequence[tuple[str, str]] = (),
    ) -> str:
        """
        The text of the file as this run would have it.

        Entries still needed stay as they are written, comments too, in their order. One whose cases pass goes; one
        that names both failing and passing cases is replaced by one for each failing case, with its reason. One
        that nothing matched goes too, unless the run was `filtered`. What is left unexcused is added by the name of
        its case. An expired entry that still fails stays and goes on failing: a person decides on its date.
        """
        wanted: list[ledger.Line] = []
        kept = [entry for entry in self.beside if entry.about(target=target, version=version, peers=peers)]
        for index, entry in enumerate(self.entries):
            if not entry.about(target=target, version=version, peers=peers):
                wanted.append(index)
                continue
            for line, need in self._still(index, entry, failed, passed, filtered=filtered):
                wanted.append(line)
                kept.append(need)
        reason = f"recorded by --update on {self.today.isoformat()}; say why"
        wanted += [
            {"case": literal(case), "reason": reason}
            for case, failing in failed.items()
            if not _all_covered(kept, case, failing)
        ]
        return ledger.rewrite(self.text, self.document, wanted)

    def _still(
        self,
        index: int,
        entry: Entry,
        failed: Mapping[str, Sequence[Failing]],
        passed: Collection[str],
        *,
        filtered: bool,
    ) -> list[tuple[ledger.Line, Entry]]:
        """
        What becomes of an entry: itself, narrower ones, or nothing.
        """
        needs = [case for case, failing in failed.items() if any(entry.covers(case, *check) for check in failing)]
        spared = [case for case in passed if entry.case and matches(entry.case, case)]
        if needs and not spared:
            return [(index, entry)]
        if not needs:
            return [(index, entry)] if filtered and not spared else []
        data = self.document.data["failures"][index] if self.document else {"reason": entry.reason}
        narrow = [literal(case) for case in needs]
        return [({**data, "case": case}, _entry({**data, "case": case}, self.today)) for case in narrow]


def load(path: Path | Traversable, *, today: date, rules: Collection[str] | None = None) -> ExpectedFailures:
    """
    The entries of a file. `rules` are the known ids, those of the spec unless given.

    Raises spec.BadFile, `file:line:column: what is wrong`, also if there is no such file.
    """
    name = str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error}); `run --expected-failures FILE --update` writes one"
        raise spec.BadFile(name, spec.Mark(1, 1), problem) from None
    document = spec.read(raw, name)
    _validate(document)
    known = tuple(spec.load().rules if rules is None else rules)
    entries = []
    for index, data in enumerate(document.data["failures"]):
        where = ("failures", index)
        _check_entry(document, where, data, known)
        entries.append(_entry(data, today, file=name, line=document.mark(where).line))
    return ExpectedFailures(today, tuple(entries), raw.decode("utf-8-sig"), document)


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    special = {"*": ".*", "?": "."}
    escaped = (part[1:] or part for part in parts)
    return re.compile("".join(special.get(p) or re.escape(e) for p, e in zip(parts, escaped, strict=True)), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    r"""
    Whether a pattern is about a name: `*` is any text (slashes too), `?` any one character, `\` makes either plain.

    Brackets are plain text, because names of cases have them.
    """
    return _pattern(pattern).fullmatch(name) is not None


def literal(name: str) -> str:
    """
    The pattern that matches this name and no other.
    """
    return re.sub(r"[*?\\]", r"\\\g<0>", name)


def within(version: str, versions: str) -> bool:
    """
    Whether a version lies in a range such as `>=1.16,<1.18`; an unknown version (`""`, `edge`) lies in none.
    """
    mine = _version(version)
    return mine is not None and all(_holds(mine, part.strip()) for part in versions.split(","))


def _holds(mine: tuple[Any, ...], part: str) -> bool:
    sign = re.match(r"[<>=!]+", part)
    other = _version(part[sign.end() :].strip()) if sign else None
    if sign is None or other is None:
        return False
    order = (mine > other) - (mine < other)
    return {">=": order >= 0, ">": order > 0, "<=": order <= 0, "<": order < 0, "==": order == 0, "!=": order != 0}[
        sign[0]
    ]


def _version(text: str) -> tuple[Any, ...] | None:
    """
    What versions are ordered by: the numbers, then a pre-release before the release.
    """
    found = re.fullmatch(r"v?([0-9]+(?:\.[0-9]+)*)(?:[-.]?([A-Za-z][0-9A-Za-z.-]*))?(?:\+.*)?", text.strip())
    if not found:
        return None
    numbers = [int(number) for number in found[1].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    words = re.findall(r"[0-9]+|[A-Za-z]+", found[2] or "")
    return tuple(numbers), not words, tuple((word.isdigit(), int(word) if word.isdigit() else word) for word in words)


def _covering(entries: Iterable[Entry], case: str, rule: str, why: str) -> Entry | None:
    return next((entry for entry in entries if entry.covers(case, rule, why)), None)


def _hanging(entries: Iterable[Entry], case: str) -> Entry | None:
    return next((one for one in entries if one.hangs and not one.expired and matches(one.case, case)), None)


def _all_covered(entries: Sequence[Entry], case: str, failing: Sequence[Failing]) -> bool:
    return all(_covering(entries, case, rule, why) for rule, why in failing)


def _entry(data: Mapping[str, Any], today: date, *, file: str = "", line: int = 0) -> Entry:
    expires = data.get("expires", "")
    return Entry(**data, file=file, line=line, expired=bool(expires) and today > date.fromisoformat(expires))


def _check_entry(document: spec.Document, where: tuple[str | int, ...], data: Any, known: tuple[str, ...]) -> None:
    """
    What a schema cannot say: rules that exist, days that exist, expressions that compile.
    """
    rule = data.get("rule")
    if rule is not None and rule not in known:
        near = spec.nearest(rule, known)
        hint = f"; did you mean {near}?" if near else "; `workflow-conformance list rules` shows them"
        raise document.bad((*where, "rule"), f"no rule {rule!r}{hint}")
    try:
        date.fromisoformat(data.get("expires", "2000-01-01"))
    except ValueError:
        raise document.bad((*where, "expires"), f"{data['expires']!r} is no day; write YYYY-MM-DD") from None
    try:
        re.compile(data.get("message", ""))
    except re.error as error:
        raise document.bad((*where, "message"), f"not a regular expression: {error}") from None


def _validate(document: spec.Document) -> None:
    schema = dict(spec.schema("expected-failures"))
    errors = list(jsonschema_rs.Draft202012Validator(schema).iter_errors(document.data))
    for error in errors:
        for key in getattr(error.kind, "unexpected", ()):
            path = tuple(error.instance_path)
            known = sorted((schema["$defs"]["failure"] if path else schema)["properties"])
            near = spec.nearest(key, known)
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(known)}"
            raise document.bad((*path, key), f"unknown key {key!r}; {hint}", key=True)
    for error in errors:
        raise document.bad(tuple(error.instance_path), _explained(error))


def _explained(error: jsonschema_rs.ValidationError) -> str:
    if error.kind.name.startswith("oneOf"):
        return "an entry has either `case` or `rule`, and not both"
    if error.kind.name == "type":
        return f"{error.message[:200]}; put text into quotes"
    return error.message[:200]
