"""
The server's modules next to published SDKs in one process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reference_server.tests.sdks import environments

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("first", ["server", "sdk"])
@pytest.mark.parametrize(
    ("name", "sdk"),
    [
        ("beside-dapr-1.17.5", "dapr"),
        ("beside-dapr-1.19.0", "dapr"),
        ("beside-durabletask-1.12.0", "durabletask"),
    ],
)
def test_nothing_clashes(program: Callable[..., Any], name: str, sdk: str, first: str) -> None:
    """
    Whichever is imported first: no message is registered twice, and the SDK's client is served by the same process.
    """
    beside = program(name, "python_beside.py", sdk, first, PYTHONPATH=str(environments.ROOT))

    assert beside.line() == {"output": '{"a": 1}', "status": 0}
    assert "Traceback" not in beside.errors()
