"""
Scripts.
"""

import pytest

import spec
from reference_server.literals import Number
from reference_server.script import ARGUMENTS, OPTIONS, Grammar, ScriptError, nanoseconds

INSTRUCTIONS = spec.workflows()["instructions"]


def test_every_check_is_for_something_that_there_is() -> None:
    """
    Of the contract's instructions and options.
    """
    options = {option for fields in INSTRUCTIONS.values() for option in fields.get("options", ())}

    assert set(ARGUMENTS) <= set(INSTRUCTIONS)
    assert set(OPTIONS) == options


def test_a_script_is_read_in_order() -> None:
    """
    With the options of each step.
    """
    steps = Grammar(INSTRUCTIONS).read({"do": [{"timeout": Number("1"), "wait_event": "go"}, {"return": None}]})

    assert [(step.name, step.argument, dict(step.options)) for step in steps] == [
        ("wait_event", "go", {"timeout": "1"}),
        ("return", None, {}),
    ]


def test_an_error_says_what_there_is() -> None:
    """
    Where no known word is near.
    """
    with pytest.raises(ScriptError, match=r"do\[1\]: no instruction 'zzzzzz'; there are set_status, wait_event"):
        Grammar(INSTRUCTIONS).read({"do": [{"sleep": 1}, {"zzzzzz": 1}]})


@pytest.mark.parametrize(("seconds", "expected"), [("0", 0), ("1.5", 1_500_000_000), (2, 2_000_000_000)])
def test_seconds_become_nanoseconds(seconds: str | int, expected: int) -> None:
    """
    Text of a number or a number.
    """
    assert nanoseconds(seconds) == expected


def test_the_longest_timer_fits_a_timestamp() -> None:
    """
    However large the number.
    """
    assert nanoseconds(Number("1e400")) == nanoseconds(Number("1e99")) < 1 << 64
