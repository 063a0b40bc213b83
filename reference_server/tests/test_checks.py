"""
The checks of the document.
"""

import pytest

import spec
from reference_server.checks import malformed, parameters, resolved

DOCUMENT = spec.openapi()
START = DOCUMENT["paths"]["/workflows/{workflowComponent}/{workflowName}/start"]["post"]


def test_parameters_come_with_their_checks_in_order() -> None:
    """
    Of the parameters that the profile reads.
    """
    found = {item.name: item for item in parameters(DOCUMENT, START, "dapr-1.18")}

    assert list(found) == ["workflowComponent", "workflowName", "instanceID"]
    assert [reply for _, reply in found["instanceID"].refusals] == ["start.id_too_long", "start.id_invalid"]
    assert found["instanceID"].refusal("a.b" * 30) == "start.id_too_long"
    assert found["instanceID"].refusal("\udcff") == "start.id_invalid"
    assert found["instanceID"].refusal("ok") == ""


def test_every_row_that_a_check_names_exists() -> None:
    """
    In replies.yaml.
    """
    replies = spec.load().replies
    named = {
        reply
        for methods in DOCUMENT["paths"].values()
        for item in methods.values()
        if isinstance(item, dict)
        for profile in spec.profiles()
        for parameter in parameters(DOCUMENT, item, profile)
        for _, reply in parameter.refusals
    }

    assert named
    assert named <= set(replies)


def test_references_are_followed() -> None:
    """
    Also one that leads to another.
    """
    document = {"a": {"$ref": "#/b"}, "b": {"$ref": "#/c/d"}, "c": {"d": 1}}

    assert resolved(document, document["a"]) == 1


@pytest.mark.parametrize(
    ("body", "part"), [(b"", ""), (b"{}", ""), (b" ", "line 1:2"), (b"\n x", "line 2:2"), (b"1", "object")]
)
def test_a_reason_says_where(body: bytes, part: str) -> None:
    """
    Line and column, as protojson says them.
    """
    assert bool(part) == bool(malformed(body))
    assert part in malformed(body)
