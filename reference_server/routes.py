"""
Finds the resource of a path among all templates at once.

Rule 1: a path is matched as it came over the wire, cleaned and still escaped.
Rule 2: it is looked up, not tried against one template after the other: its length, then its literal segments.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Match

from .paths import broken_escape, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    Methods = Mapping[str, ASGIApp]
    Named = tuple[tuple[str, int], ...]


class Routes(BaseRoute):
    """
    All templates of a surface as one Starlette route, which also takes what none of them takes: an unknown path, and
    one with a broken escape.

    Templates of one length must differ in segments that are literal in all of them.
    """

    def __init__(self, resources: Mapping[str, Methods], unknown: ASGIApp, broken: Callable[[str], ASGIApp]) -> None:
        self._unknown, self._broken = unknown, broken
        self._lengths: dict[int, tuple[Callable[[list[str]], Any], dict[Any, tuple[Methods, Named]]]] = {}
        split = {path: path.split("/") for path in resources}
        for length in {len(segments) for segments in split.values()}:
            alike = {path: segments for path, segments in split.items() if len(segments) == length}
            fixed = [at for at in range(length) if not any(segments[at][:1] == "{" for segments in alike.values())]
            key = itemgetter(*fixed)
            found = {key(segments): (resources[path], _named(segments, fixed)) for path, segments in alike.items()}
            named = {at for segments in alike.values() for at in range(length) if at not in fixed}
            loose = any(segments[at][:1] != "{" for segments in alike.values() for at in named)
            if loose or len(found) < len(alike):
                raise ValueError(f"paths that cannot be told apart: {', '.join(alike)}")
            self._lengths[length] = key, found

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """
        The endpoint, and the parameters as they stand in the path.
        """
        raw = scope["raw_path"]
        escape = broken_escape(raw)
        if escape:
            return Match.FULL, {"endpoint": self._broken(escape), "path_params": {}}
        segments = clean(raw.decode("latin-1")).split("/")
        key, resources = self._lengths.get(len(segments), (tuple, {}))
        methods, named = resources.get(key(segments), ({}, ()))
        endpoint = methods.get(scope["method"], self._unknown)
        return Match.FULL, {"endpoint": endpoint, "path_params": {name: segments[at] for name, at in named}}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Pass on to the endpoint.
        """
        await scope["endpoint"](scope, receive, send)


def _named(segments: list[str], fixed: list[int]) -> Named:
    return tuple((segment[1:-1], at) for at, segment in enumerate(segments) if at not in fixed)
