"""
Routes.
"""

from typing import Any

import pytest

from reference_server.routes import Routes


async def unknown(*_: Any) -> None: ...


async def known(*_: Any) -> None: ...


async def broken(*_: Any) -> None: ...


def routes(*paths: str) -> Routes:
    return Routes({path: {"GET": known} for path in paths}, unknown, lambda _: broken)


@pytest.mark.parametrize(
    ("method", "raw", "endpoint", "parameters"),
    [
        ("GET", b"/v/items/a%2Fb/show", known, {"id": "a%2Fb"}),
        ("GET", b"/v//items/./a/show/", known, {"id": "a"}),
        ("GET", b"/v/items/{id}", known, {"id": "{id}"}),
        ("GET", b"/v/items/\xc3\xa9", known, {"id": "\u00c3\u00a9"}),
        ("POST", b"/v/items/a", unknown, {"id": "a"}),
        ("GET", b"/v/things/a", unknown, {}),
        ("GET", b"/v/items/a/hide", unknown, {}),
        ("GET", b"/", unknown, {}),
        ("GET", b"*", unknown, {}),
        ("GET", b"/v/items/%zz", broken, {}),
    ],
)
def test_a_path_is_looked_up_by_length_and_literals(
    method: str, raw: bytes, endpoint: Any, parameters: dict[str, str]
) -> None:
    """
    Parameters come as they stand in the path; what nobody takes is unknown.
    """
    table = routes("/v/items/{id}", "/v/items/{id}/show")
    _, scope = table.matches({"method": method, "raw_path": raw})

    assert (scope["endpoint"], scope["path_params"]) == (endpoint, parameters)


@pytest.mark.parametrize("paths", [("/a/{x}", "/a/{y}"), ("/a/{x}", "/a/b"), ("/{x}/b", "/a/{y}")])
def test_templates_that_cannot_be_told_apart_are_an_error(paths: tuple[str, ...]) -> None:
    """
    When the routes are made, not when a request comes.
    """
    with pytest.raises(ValueError, match="told apart"):
        routes(*paths)
