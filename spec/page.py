"""
Pieces of Markdown that the generated pages share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTHING = "-"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    A Markdown table; what would break a cell is escaped.
    """
    lines = [header, ["---"] * len(header), *([escape(cell) or NOTHING for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def escape(text: str) -> str:
    """
    The text as the content of one Markdown cell.
    """
    return " ".join(text.replace("\\|", "|").replace("|", "\\|").split()).replace("<", "&lt;")
