"""
The messages and methods of the gRPC surfaces, from `proto/descriptors.binpb`.

Rule 1: everything lives in a pool of its own, never in protobuf's default one: any SDK may be imported beside it.
Rule 2: nothing is loaded before it is asked for; importing this module costs nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import Descriptor, EnumDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

DESCRIPTORS = Path(__file__).parent / "proto" / "descriptors.binpb"


class Method(NamedTuple):
    """
    One method of a service. `path` is what stands on the wire; `streams` says that it answers with a stream.
    """

    name: str
    path: str
    request: type[Message]
    response: type[Message]
    streams: bool


@cache
def pool() -> DescriptorPool:
    """
    The pool that holds the messages of both services, and the well-known types they use.
    """
    from google.protobuf import descriptor_pool  # noqa: PLC0415 - rule 2

    own = descriptor_pool.DescriptorPool()
    for content in files():
        own.AddSerializedFile(content)
    return own


@cache
def files() -> tuple[bytes, ...]:
    """
    The serialized descriptors of each file, what a file imports before it.
    """
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - rule 2

    found = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    return tuple(file.SerializeToString() for file in found)


@cache
def message(name: str) -> type[Message]:
    """
    The class of a message, by its full name.

    Raises KeyError for a name that no proto file has.
    """
    return _class(pool().FindMessageTypeByName(name))


@cache
def enum(name: str) -> EnumDescriptor:
    """
    An enumeration, by its full name.

    Raises KeyError for a name that no proto file has.
    """
    found: EnumDescriptor = pool().FindEnumTypeByName(name)
    return found


@cache
def services() -> Mapping[str, Mapping[str, Method]]:
    """
    Every service by its full name, with its methods by theirs.
    """
    files = (pool().FindFileByName(path.name) for path in sorted(DESCRIPTORS.parent.glob("*.proto")))
    return {service.full_name: _methods(service) for file in files for service in file.services_by_name.values()}


def _methods(service: Any) -> dict[str, Method]:
    return {
        method.name: Method(
            method.name,
            f"/{service.full_name}/{method.name}",
            _class(method.input_type),
            _class(method.output_type),
            bool(method.server_streaming),
        )
        for method in service.methods
    }


def _class(descriptor: Descriptor) -> type[Message]:
    from google.protobuf.message_factory import GetMessageClass  # noqa: PLC0415 - rule 2

    found: type[Message] = GetMessageClass(descriptor)
    return found
