from __future__ import annotations

import pytest

import spec
from reference_server.instance import Call
from reference_server.statuses import LONGEST, Refused, Statuses

SURFACES = sorted(spec.grpc())


@pytest.mark.parametrize("surface", SURFACES)
def test_every_refusal_has_a_code_and_a_text(surface: str) -> None:
    """
    Each row of a surface that leaves no choice becomes its code and its message, filled in.
    """
    loaded = spec.load()
    statuses = Statuses(loaded, surface)
    for name, row in loaded.replies.items():
        column = row.surfaces.get(surface, {"code": []})
        if isinstance(column["code"], str) and column["code"] != "OK":
            status = statuses.status(name, Call("start", "THE-ID", "THE-NAME", "THE-EVENT"), "THE-REASON")
            assert status.code == column["code"]
            assert status.message
            assert "{" not in status.message


def test_every_surface_tells_a_bug_and_a_token_alike() -> None:
    """
    What the transport itself refuses looks the same on every surface.
    """
    first, *others = (Statuses(spec.load(), surface) for surface in SURFACES)
    for row in ("internal", "token.missing"):
        assert {one.status(row) for one in others} == {first.status(row)}


def test_a_text_is_bounded() -> None:
    """
    An ID of any length does not make a message that clients refuse.
    """
    with pytest.raises(Refused) as caught:
        Statuses(spec.load(), "taskhub").refuse("start.duplicate", Call("start", "a" * 10_000))

    assert len(caught.value.status.message) == LONGEST
    assert caught.value.status.code == "ALREADY_EXISTS"


def test_rows_that_wait_are_told_apart() -> None:
    """
    A row whose code is that of a deadline is never sent.
    """
    statuses = Statuses(spec.load(), "taskhub")

    assert statuses.waits == {"wait.expired"}
    assert not statuses.waits & statuses.fine
    assert statuses.empty <= statuses.fine
