"""
The proto files of this folder as one set of descriptors.

Rule 1: the compiler is needed to make the set, never to read it.
Rule 2: sets are compared by what our own files say; the well-known types differ from one compiler to the next.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

NAME = "proto/descriptors.binpb"
FOLDER = Path(__file__).parent / "proto"


class NoCompiler(Exception):  # noqa: N818 - says what is the matter
    """
    There is no compiler, or it does not take the files; the text says what to do.
    """


def descriptors() -> bytes:
    """
    The serialized FileDescriptorSet, the well-known types included.

    Raises NoCompiler.
    """
    try:
        from grpc_tools import protoc  # noqa: PLC0415 - only who generates needs it
    except ImportError:
        raise NoCompiler(f"{NAME} needs grpcio-tools; run: pip install -e '.[dev]'") from None
    files = sorted(path.name for path in FOLDER.glob("*.proto"))
    known = Path(protoc.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "set")
        options = [f"-I{FOLDER}", f"-I{known}", "--include_imports", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *options, *files]):
            raise NoCompiler(f"the compiler does not take {', '.join(files)}; mend what it names")
        return out.read_bytes()


def same(ours: bytes | None, theirs: bytes) -> bool:
    """
    Whether two sets say the same of our own files.
    """
    return ours is not None and _own(ours) == _own(theirs)


def _own(content: bytes) -> dict[str, bytes]:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415 - as above
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - as above

    try:
        found = FileDescriptorSet.FromString(content)
    except DecodeError:
        return {}
    return {file.name: file.SerializeToString() for file in found.file if not file.name.startswith("google/")}
