from __future__ import annotations

from reference_server.instance import Call
from reference_server.wording import worded


def test_what_a_client_sends_is_never_a_template() -> None:
    """
    Braces that come from a client, and those that name nothing, stay as they are.
    """
    call = Call("start", "{workflow}", "{instance}", "e")

    assert worded("{instance} {workflow} {event} {reason} {other}", call, "r") == "{workflow} {instance} e r {other}"
