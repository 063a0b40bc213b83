"""
A generated request as a value: all that the rest of the kit knows of its maker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Broken:
    """
    A request that breaks the document in one place, before it is known what for.
    """

    operation: str
    method: str
    scenario: str
    about: str
    place: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
