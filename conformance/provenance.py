"""
What a record says of the kit that wrote it.
"""

from __future__ import annotations

import hashlib
from importlib import metadata, resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable


def kit_version() -> str:
    """
    The version of the kit, as installed.
    """
    try:
        return metadata.version("workflow-conformance")
    except metadata.PackageNotFoundError:
        return "0+checkout"


def spec_sha256() -> str:
    """
    A hash of every data file of the spec, with its path.
    """
    digest = hashlib.sha256()
    for path, entry in sorted(_data(resources.files("spec"), "")):
        raw = entry.read_bytes()
        digest.update(f"{path}\0{len(raw)}\0".encode() + raw)
    return digest.hexdigest()


def _data(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in ("tests", "__pycache__"):
            yield from _data(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".yaml", ".json", ".proto")):
            yield f"{prefix}{entry.name}", entry
