from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

SERVICES = ["TaskHubSidecarService", "dapr.proto.runtime.v1.Dapr"]


async def reflected(talk: Any, version: str, **request: Any) -> Any:
    call = talk.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await call.write(reflection_pb2.ServerReflectionRequest(**request))
    answer = await call.read()
    await call.done_writing()
    return answer


def test_health_knows_the_services(talking: Any) -> None:
    """
    The server and each of its services are serving; another is not found.
    """

    async def story() -> None:
        async with talking() as talk:
            for name in ("", *SERVICES):
                request = health_pb2.HealthCheckRequest(service=name).SerializeToString()
                answer = health_pb2.HealthCheckResponse.FromString(
                    await talk.bytes("/grpc.health.v1.Health/Check", request)
                )
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
            request = health_pb2.HealthCheckRequest(service="x").SerializeToString()
            assert (await talk.bytes("/grpc.health.v1.Health/Check", request))[0] == "NOT_FOUND"
            assert (await talk.bytes("/grpc.health.v1.Health/Nothing", b""))[0] == "UNIMPLEMENTED"

    asyncio.run(story())


def test_reflection_lists_and_describes(talking: Any) -> None:
    """
    What grpcurl asks: the services, and the files with all they import, in both versions of reflection.
    """

    async def story() -> None:
        async with talking() as talk:
            for version in ("v1", "v1alpha"):
                listed = await reflected(talk, version, list_services="")
                names = [one.name for one in listed.list_services_response.service]
                assert set(SERVICES) < set(names)
                for name in names:
                    answer = await reflected(talk, version, file_containing_symbol=name)
                    pool = descriptor_pool.DescriptorPool()
                    for content in reversed(answer.file_descriptor_response.file_descriptor_proto):
                        pool.Add(FileDescriptorProto.FromString(content))
                    assert pool.FindServiceByName(name).methods
                unknown = await reflected(talk, version, file_containing_symbol="x.Y")
                assert unknown.error_response.error_code == 5

    asyncio.run(story())
