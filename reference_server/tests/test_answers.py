"""
Rows as responses.
"""

import json

import pytest

import spec
from reference_server.answers import Answers, encoded
from reference_server.assembly import acting
from reference_server.instance import Answer, Call


def cells(profile: str) -> list[spec.Cell]:
    found = [cell for row in acting(spec.load(profile)).machine.table.values() for cell in row.values()]
    return [inner for cell in found for inner in (cell, *cell.when.values()) if inner.reply]


@pytest.mark.parametrize("profile", spec.profiles())
def test_every_cell_has_an_answer(profile: str) -> None:
    """
    Whatever the profile demands, the server has one row to send, and it is one of the cell's.
    """
    loaded = spec.load(profile)
    answers = Answers(loaded)
    call = Call("get", "a {workflow}", "W {instance}", "E")
    for cell in cells(profile):
        if "http" not in loaded.machine.operations[cell.event].surfaces:
            continue
        response = answers.answer(call, Answer(cell.acts, "", None))
        column = loaded.replies[cell.acts].surfaces["http"]

        assert response.start["status"] == column["status"]
        assert json.loads(response.body["body"]) is not None


def test_what_a_client_sends_is_never_a_template() -> None:
    """
    Braces in IDs and names come out as they went in.
    """
    response = Answers(spec.load()).refusal("start.duplicate", Call("start", "{workflow}", "{instance}{reason}"))
    message = json.loads(response.body["body"])["message"]

    assert "'{instance}{reason}'" in message
    assert "'{workflow}'" in message


def test_bodies_are_utf_8_whatever_came_in() -> None:
    """
    What is no character becomes U+FFFD, everything else stays.
    """
    assert json.loads(encoded({"é\U0001f600": "\udcff<&>"})) == {"é\U0001f600": "\ufffd<&>"}
