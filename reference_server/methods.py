"""
Every method of the gRPC surfaces by its path, made from spec/grpc.yaml.

Rule 1: what looks beyond one instance or into its history is made in `records`; what workers call, in `remote`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import spec
from spec import wire

from .method import Door, Fixed, Operation
from .records import records
from .statuses import Statuses

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from spec import Form, Surface

    Unary = Callable[[bytes], Awaitable[bytes]]


def methods(
    loaded: spec.Spec, metadata: Callable[[], Mapping[str, Any]], surfaces: Mapping[str, Surface], **parts: Any
) -> dict[str, Unary]:
    """
    The methods of some surfaces.

    `parts` are those of a Door; `metadata` gives the words of what a sidecar says of itself.
    """
    found: dict[str, Unary] = {}
    for surface in surfaces.values():
        door = Door(loaded, surface, Statuses(loaded, surface.name), **parts)
        found.update(_operations(door))
        found.update(records(door))
    for other in spec.others().values():
        service = spec.grpc()[other.surface].service
        for name in other.methods:
            method = wire.services()[service][name]
            found[method.path] = Fixed(method, other.answers, metadata)
    return found


def _operations(door: Door) -> Iterator[tuple[str, Unary]]:
    surface = door.surface
    for forms in _by_method(surface).values():
        for version in surface.versions if not forms[0].beyond else ():
            method = wire.services()[surface.service][forms[0].method + version]
            yield method.path, Operation(door, forms, method)


def _by_method(surface: Surface) -> dict[str, list[Form]]:
    found: dict[str, list[Form]] = {}
    for form in surface.forms.values():
        found.setdefault(form.method, []).append(form)
    return found
