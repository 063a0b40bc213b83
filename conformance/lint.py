"""
What a schema cannot see in a scenario: names, rules, matchers, and what stands in bytes.

Rule 1: a word that nobody knows is an error of the file, with the nearest known one.
Rule 2: pure; everything known comes in as a Vocabulary.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .identity import IdentityError, spell
from .match import OPERATORS, TYPES, instant
from .names import used
from .scenario import BESIDE, FAULT, LOOKS, RAW
from .shape import meant, problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import spec

Path = tuple[str | int, ...]

CONTROL = "control"
"""The capability of a server that tells what it was asked, and makes trouble on purpose."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """
    The words that a scenario may use, from the spec.
    """

    rules: tuple[str, ...]
    refusing: frozenset[str]
    rows: tuple[str, ...]
    profiles: tuple[str, ...]
    surfaces: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """
    What is wrong with the value at a path.
    """

    path: Path
    offending: Any
    expected: str
    key: bool = False

    def line(self, document: spec.Document) -> str:
        """
        As it is shown.
        """
        return problem(document, self.path, self.offending, self.expected, key=self.key)


def head(data: Mapping[str, Any], words: Vocabulary) -> Iterator[Problem]:
    """
    What is wrong before the steps.
    """
    for index, rule in enumerate(data["rules"]):
        yield from _known(("rules", index), rule, words.rules, "no such rule")
    for index, profile in enumerate(data.get("profiles", ())):
        yield from _known(("profiles", index), profile, words.profiles, "no such profile")
    watched = [index for index, step in enumerate(data["steps"]) if "wire" in step or FAULT in step]
    if watched and CONTROL not in data.get("requires", ()):
        yield Problem(
            ("steps", watched[0]),
            "wire" if "wire" in data["steps"][watched[0]] else FAULT,
            f"only a server with its control tells; say requires: [{CONTROL}]",
        )
    clashes = data.get("matrix", {}).keys() & data.get("instances", {}).keys()
    for name in sorted(clashes):
        yield Problem(("instances", name), name, "the matrix has this name too")


def row(instances: Mapping[str, Any], steps: list[Any], words: Vocabulary) -> Iterator[Problem]:
    """
    What is wrong with one row of a scenario, its matrix values put in.
    """
    for name, identity in instances.items():
        yield from _identity(("instances", name), identity, instances)
    flat = list(_flat(steps))
    started = {call["as"]: path for path, verb, call, _ in flat if verb == "start"}
    bound = {name: path for path, name in _binds(steps, ("steps",))}
    known = {*instances, *started}
    for name, path in bound.items():
        if name in known and instances.get(name, "") is not None:
            yield Problem(path, name, "an instance has this name, so it cannot be bound")
    names = sorted({*known, *bound})
    for path, name in used(steps, ("steps",)):
        yield from _known(path, name, tuple(names), "nothing has this name")
    for path, verb, call, step in flat:
        yield from _step(path, verb, call, step, sorted(known), words)


def _flat(steps: list[Any], path: Path = ("steps",)) -> Iterator[tuple[Path, str, Any, Mapping[str, Any]]]:
    for index, step in enumerate(steps):
        verb = next(key for key in step if key not in BESIDE)
        yield (*path, index), verb, step[verb], step
        if verb == "parallel":
            yield from _flat(step[verb], (*path, index, verb))


def _known(path: Path, word: str, known: tuple[str, ...], what: str) -> Iterator[Problem]:
    if word not in known:
        yield Problem(path, word, f"{what}{meant(word, known)}")


def _identity(path: Path, identity: Any, instances: Mapping[str, Any]) -> Iterator[Problem]:
    for _, name in used(identity):
        yield Problem(
            path, name, f"neither the matrix nor an instance before has this name{meant(name, list(instances))}"
        )
        return
    try:
        spell(identity, "u" * 10)
    except IdentityError as error:
        yield Problem(path, identity, str(error))


def _step(  # noqa: PLR0913, PLR0917 - what is known of a step
    path: Path, verb: str, call: Any, step: Mapping[str, Any], instances: list[str], words: Vocabulary
) -> Iterator[Problem]:
    yield from _instances(path, verb, call, instances)
    if isinstance(call, dict) and verb not in (*RAW, *LOOKS):
        yield from _one_payload((*path, verb), call)
    if verb == "start" and "id" in call and "input" in call and call["id"] is not None:
        yield Problem((*path, verb, "id"), call["id"], "only null stands here; IDs are declared in instances")
    if verb == "request":
        yield from _one_payload((*path, verb), call, ("body", "body_base64"))
        yield from _header_lines((*path, verb, "headers"), call.get("headers", {}))
        yield from _method((*path, verb, "method"), call["method"])
    if "on" in step:
        yield from _known((*path, "on"), step["on"], words.surfaces, "no such surface or API version")
    if "headers" in step:
        yield from _header_lines((*path, "headers"), step["headers"])
        if verb in (*RAW, "parallel", "restart", FAULT, *LOOKS):
            yield Problem((*path, "headers"), verb, "only an operation has headers here")
    yield from _rules(path, verb, step, words)
    expect_path = (*path, verb, "expect") if verb in LOOKS else (*path, "expect")
    expect = call["expect"] if verb in LOOKS else step.get("expect")
    if isinstance(expect, dict):
        yield from _matchers(expect_path, {k: v for k, v in expect.items() if k not in ("refused", "row")}, words)
    for index, check in enumerate(step.get("checks", ())):
        yield from _matchers((*path, "checks", index, "expect"), check["expect"], words)
    yield from _wire(path, verb, step, words)
    if "checks" in step and verb in (*RAW, "parallel", "restart", FAULT):
        yield Problem((*path, "checks"), verb, "only operations and looks have fields to check")


def _wire(path: Path, verb: str, step: Mapping[str, Any], words: Vocabulary) -> Iterator[Problem]:
    for index, check in enumerate(step.get("wire", ())):
        yield from _known((*path, "wire", index, "rule"), check["rule"], words.rules, "no such rule")
        yield from _matchers((*path, "wire", index, "expect"), check["expect"], words)
    if "wire" in step and verb in (*RAW, *LOOKS, "parallel", "restart", FAULT):
        yield Problem((*path, "wire"), verb, "only an operation sends what can be looked at")
    if step.get("expect") == "failed" and "rule" not in step:
        yield Problem(path, verb, "an operation that fails names its rule with rule:")


def _instances(path: Path, verb: str, call: Any, instances: list[str]) -> Iterator[Problem]:
    if verb in ("request", "call", "parallel", "restart", "start", FAULT):
        return
    key = "get" if verb in LOOKS else "instance"
    where, name = ((*path, verb, key), call[key]) if isinstance(call, dict) else ((*path, verb), call)
    yield from _known(where, name, tuple(instances), "no instance has this name")
    if verb == "rerun" and "as" in call:
        yield from _known((*path, verb, "as"), call["as"], tuple(instances), "no instance has this name")


def _rules(path: Path, verb: str, step: Mapping[str, Any], words: Vocabulary) -> Iterator[Problem]:
    if "rule" in step:
        yield from _known((*path, "rule"), step["rule"], words.rules, "no such rule")
    for index, check in enumerate(step.get("checks", ())):
        yield from _known((*path, "checks", index, "rule"), check["rule"], words.rules, "no such rule")
    expect = step.get("expect")
    expect = expect if isinstance(expect, dict) else {}
    if "refused" in expect:
        yield from _known((*path, "expect", "refused"), expect["refused"], words.rules, "no such rule")
        if verb in RAW and expect["refused"] in words.rules and expect["refused"] not in words.refusing:
            yield Problem(
                (*path, "expect", "refused"), expect["refused"], "this rule names no reply; say row: and rule:"
            )
    if "row" in expect:
        yield from _known((*path, "expect", "row"), expect["row"], words.rows, "no such row of replies.yaml")
    wants_rule = (verb == "request" and "refused" not in expect) or (verb == "parallel" and expect)
    if wants_rule and "rule" not in step:
        yield Problem(path, verb, "this check carries no rule; name one with rule:")
    if verb == "request" and not expect:
        yield Problem(path, verb, "a raw request says what it expects")
    if verb == "start" and "instanceID" in expect and "rule" not in step:
        yield Problem(path, verb, "a check of fields of start names its rule with rule:")


def _one_payload(
    path: Path, call: Mapping[str, Any], keys: tuple[str, ...] = ("input", "data", "raw", "raw_base64")
) -> Iterator[Problem]:
    given = [key for key in keys if key in call]
    if len(given) > 1:
        yield Problem((*path, given[1]), given[1], f"there is {given[0]} already")
    for key in given:
        if key.endswith("base64"):
            try:
                base64.b64decode(call[key], validate=True)
            except (binascii.Error, ValueError):
                yield Problem((*path, key), call[key], "this is not base64")


def _header_lines(path: Path, headers: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[\r\n\0]", value or ""):
            yield Problem((*path, name), name, "this is no header that can be sent")


def _method(path: Path, method: str) -> Iterator[Problem]:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", method):
        yield Problem(path, method, "this is no method that can be sent")


def _binds(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$bind" and isinstance(inner, str):
                yield path, inner
            yield from _binds(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _binds(inner, (*path, index))


def _matchers(path: Path, wanted: Any, words: Vocabulary) -> Iterator[Problem]:
    """
    Operators that nobody knows, operands that no operator takes, and states that do not exist.
    """
    if isinstance(wanted, dict):
        dollars = [key for key in wanted if key.startswith("$")]
        if dollars and len(dollars) < len(wanted):
            yield Problem(path, dollars[0], "operators and plain keys do not mix")
            return
        for key, inner in wanted.items():
            if key.startswith("$"):
                yield from _operator((*path, key), key, inner, words)
            else:
                if key == "runtimeStatus":
                    yield from _statuses((*path, key), inner, words)
                yield from _matchers((*path, key), inner, words)
    elif isinstance(wanted, list):
        for index, inner in enumerate(wanted):
            yield from _matchers((*path, index), inner, words)


def _operator(path: Path, operator: str, operand: Any, words: Vocabulary) -> Iterator[Problem]:
    if operator not in OPERATORS:
        hint = f"known are {', '.join(OPERATORS)}{meant(operator, list(OPERATORS))}"
        yield Problem(path, operator, f"unknown matcher; {hint}", key=True)
    elif operator in ("$any", "$absent", "$present") and operand is not True:
        yield Problem(path, operand, f"{operator}: true is expected")
    elif operator == "$type" and operand not in TYPES:
        yield Problem(path, operand, f"one of {', '.join(TYPES)} is expected{meant(str(operand), list(TYPES))}")
    elif operator == "$match":
        yield from _pattern(path, operand)
    elif operator == "$one_of":
        if not isinstance(operand, list) or not operand:
            yield Problem(path, operand, "a list of values is expected")
        else:
            yield from _matchers(path, operand, words)
    elif operator in ("$gte", "$lte") and not _comparable(operand):
        yield Problem(path, operand, "a number, an RFC 3339 time or a bound value is expected")
    elif operator == "$bind" and not (isinstance(operand, str) and re.fullmatch(r"[A-Za-z_]\w*", operand, re.ASCII)):
        yield Problem(path, operand, "a name is expected")
    elif operator in ("$not", "$text"):
        yield from _matchers(path, operand, words)


def _comparable(operand: Any) -> bool:
    if isinstance(operand, str):
        return bool(re.fullmatch(r"\$\{[^{}]+\}", operand)) or instant(operand) is not None
    return isinstance(operand, (int, float)) and not isinstance(operand, bool)


def _pattern(path: Path, operand: Any) -> Iterator[Problem]:
    if not isinstance(operand, str):
        yield Problem(path, operand, "a regular expression is expected")
        return
    try:
        re.compile(operand)
    except re.error as error:
        yield Problem(path, operand, f"this is no regular expression: {error}")


def _statuses(path: Path, wanted: Any, words: Vocabulary) -> Iterator[Problem]:
    if isinstance(wanted, str):
        if "${" not in wanted:
            yield from _known(path, wanted, words.words, "no state, and no word of the API")
    elif isinstance(wanted, dict):
        for operator in ("$one_of", "$not"):
            inner = wanted.get(operator, [])
            for one in inner if isinstance(inner, list) else [inner]:
                yield from _statuses((*path, operator), one, words)
    else:
        yield Problem(path, wanted, "a state or a matcher is expected")
