"""
Reads scripts: the input of ConformanceScript, checked against the instructions of workflows.yaml.

Rule 1: which instructions and options there are is data; here stands only what an argument looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import spec

from .literals import Number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DO = "do"
_LONGEST = 10_000_000_000
"""Seconds that a timer waits at most, about 317 years."""


class ScriptError(Exception):
    """
    A script is wrong; the text says where and what was expected.
    """


@dataclass(frozen=True, slots=True)
class Instruction:
    """
    One step of a script.
    """

    name: str
    argument: Any
    options: Mapping[str, Any]


class Grammar:
    """
    The instructions that there are.
    """

    __slots__ = ("_instructions",)

    def __init__(self, instructions: Mapping[str, Mapping[str, Any]]) -> None:
        self._instructions = instructions

    def read(self, script: Any) -> tuple[Instruction, ...]:
        """
        The instructions of a script.

        Raises ScriptError for anything that is not one.
        """
        if not isinstance(script, dict) or not isinstance(script.get(DO), list):
            raise ScriptError('a script is an object {"do": [instruction, ...]}')
        return tuple(self._instruction(step, f"{DO}[{index}]") for index, step in enumerate(script[DO]))

    def has_value(self, name: str) -> bool:
        """
        Whether the value of an instruction enters the output.
        """
        return bool(self._instructions[name]["value"])

    def _instruction(self, step: Any, where: str) -> Instruction:
        if not isinstance(step, dict):
            raise ScriptError(f"{where}: an instruction is an object")
        names = [key for key in step if key in self._instructions]
        if len(names) != 1:
            raise ScriptError(f"{where}: {self._unknown(step) if not names else 'one instruction a step'}")
        name = names[0]
        known = self._instructions[name].get("options", ())
        options = {key: value for key, value in step.items() if key != name}
        for option, value in options.items():
            if option not in known:
                raise ScriptError(f"{where}: {name} has no option {option!r}")
            _expect(OPTIONS, option, value, f"{where}.{option}")
        _expect(ARGUMENTS, name, step[name], f"{where}.{name}")
        return Instruction(name, step[name], options)

    def _unknown(self, step: dict[str, Any]) -> str:
        known = list(self._instructions)
        word = next(iter(step), "")
        hint = spec.nearest(word, known)
        meant = f"did you mean {hint!r}?" if hint else f"there are {', '.join(known)}"
        return f"no instruction {word!r}; {meant}"


def nanoseconds(seconds: Any) -> int:
    """
    A number of seconds of a script.
    """
    return int(min(float(seconds), _LONGEST) * 1_000_000_000)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _is_seconds(value: Any) -> bool:
    number = isinstance(value, (Number, int, float)) and not isinstance(value, bool)
    return number and float(value) >= 0


def _is_script(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {DO} and isinstance(value[DO], list)


def _is_child(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_text(value.get("id", "")):
        return False
    return _is_script({key: item for key, item in value.items() if key != "id"})


Check = tuple["Callable[[Any], bool]", str]

ARGUMENTS: Mapping[str, Check] = {
    "wait_event": (lambda value: _is_text(value) and value != "", "the name of an event"),
    "sleep": (_is_seconds, "a number of seconds"),
    "call_child": (_is_child, 'an object {"id": text?, "do": [...]}'),
    "continue_as_new": (_is_script, 'an object {"do": [...]}'),
    "fail": (_is_text, "a message"),
}
OPTIONS: Mapping[str, Check] = {
    "timeout": (_is_seconds, "a number of seconds"),
    "keep_events": (lambda value: isinstance(value, bool), "true or false"),
}


def _expect(checks: Mapping[str, Check], name: str, value: Any, where: str) -> None:
    if name in checks and not checks[name][0](value):
        raise ScriptError(f"{where}: {checks[name][1]} is expected")
