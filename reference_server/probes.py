"""
Health and reflection: what load balancers and grpcurl ask.

Rule 1: both are imported when they are first asked for; a server that nobody probes starts without them.
Rule 2: reflection shows our services from our own pool, and itself and health from theirs.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

from spec import wire

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

HEALTH = "grpc.health.v1.Health"
REFLECTION = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
"""Two versions with the same messages; the library has the first."""


class Probes(grpc.GenericRpcHandler):
    """
    The methods of health and reflection for a server that has these services.
    """

    def __init__(self, services: tuple[str, ...]) -> None:
        self._names = services

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """
        The method of a call, or None for one that is no probe.
        """
        service, _, method = handler_call_details.method[1:].partition("/")
        if service == HEALTH:
            return self._health.find(f"/{HEALTH}/{method}")
        if service in REFLECTION:
            return self._reflection.find(f"/{REFLECTION[0]}/{method}")
        return None

    @cached_property
    def _health(self) -> _Collected:
        from grpc_health.v1 import health_pb2_grpc  # noqa: PLC0415 - rule 1

        collected: Any = _Collected()
        health_pb2_grpc.add_HealthServicer_to_server(_health((*self._names, HEALTH)), collected)
        return collected  # type: ignore[no-any-return]

    @cached_property
    def _reflection(self) -> _Collected:
        from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc  # noqa: PLC0415 - rule 1

        collected: Any = _Collected()
        servicer = reflection.aio.ReflectionServicer((*self._names, HEALTH, REFLECTION[0]), pool=_pool())
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, collected)  # type: ignore[no-untyped-call]
        return collected  # type: ignore[no-any-return]


class _Details(NamedTuple):
    method: str
    invocation_metadata: tuple[()] = ()


class _Collected:
    """
    Takes the place of the server that generated code registers its methods with.
    """

    def __init__(self) -> None:
        self._handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: tuple[grpc.GenericRpcHandler, ...]) -> None:
        self._handlers += handlers

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """
        The same methods once more, as newer generated code has them.
        """

    def find(self, path: str) -> grpc.RpcMethodHandler[Any, Any] | None:
        found = (handler.service(_Details(path)) for handler in self._handlers)  # type: ignore[arg-type]
        return next((one for one in found if one is not None), None)


def _health(names: tuple[str, ...]) -> Any:
    from grpc_health.v1 import health, health_pb2  # noqa: PLC0415 - rule 1

    base: Any = health.aio.HealthServicer

    class Health(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._server_status.update(dict.fromkeys(names, health_pb2.HealthCheckResponse.SERVING))

    return Health()


def _pool() -> DescriptorPool:
    from google.protobuf import descriptor_pool  # noqa: PLC0415 - rule 1
    from grpc_health.v1 import health_pb2  # noqa: PLC0415 - rule 1
    from grpc_reflection.v1alpha import reflection_pb2  # noqa: PLC0415 - rule 1

    pool = descriptor_pool.DescriptorPool()
    for content in (*wire.files(), health_pb2.DESCRIPTOR.serialized_pb, reflection_pb2.DESCRIPTOR.serialized_pb):
        pool.AddSerializedFile(content)
    return pool
