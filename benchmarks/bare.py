"""
The other side of the comparisons: servers that do as little as can be done. The benchmarks start them.

`bare.py starlette ANSWERS` has the seven operations as hand-written Starlette routes that give fixed answers, served
with the settings of the reference server. `bare.py constant BODY` answers whatever it is asked with 200 and one body.
"""

from __future__ import annotations

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request

NOBODY = "nobody"
"""How the ID of an unknown instance begins."""

OPERATIONS = {
    "start": ("POST", "/{workflowName}/start"),
    "get": ("GET", "/{instanceID}"),
    "pause": ("POST", "/{instanceID}/pause"),
    "resume": ("POST", "/{instanceID}/resume"),
    "raise_event": ("POST", "/{instanceID}/raiseEvent/{eventName}"),
    "terminate": ("POST", "/{instanceID}/terminate"),
    "purge": ("POST", "/{instanceID}/purge"),
}


def _starlette(answers: dict[str, Any]) -> None:
    from starlette.applications import Starlette  # noqa: PLC0415 - not needed by the other server
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    from reference_server.serving import listen, serve, url  # noqa: PLC0415

    def route(name: str, method: str, path: str) -> Route:
        known, unknown = answers[name], answers.get(f"{name} unknown", answers[name])

        async def endpoint(request: Request) -> Response:
            if method == "POST":
                await request.body()
            found = not request.path_params.get("instanceID", "").startswith(NOBODY)
            status, media, text = known if found else unknown
            return Response(text, status, media_type=media)

        return Route(f"/v1.0/workflows/{{workflowComponent}}{path}", endpoint, methods=[method])

    app = Starlette(routes=[route(name, *where) for name, where in OPERATIONS.items()])
    idle = SimpleNamespace(start=lambda _loop: None, stop=lambda: None)
    server: Any = SimpleNamespace(app=app, pump=idle)
    sockets = listen(["127.0.0.1"], 0)
    serve(server.app, server.pump, sockets, lambda: _ready(url(sockets[0])))


async def _constant(text: str) -> None:
    body = text.encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    class Constant(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self._transport, self._seen = transport, b""

        def data_received(self, data: bytes) -> None:
            self._seen += data
            while (end := self._seen.find(b"\r\n\r\n")) >= 0:
                head = self._seen[:end].lower()
                start = head.find(b"content-length:")
                length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
                if len(self._seen) < end + 4 + length:
                    return
                self._seen = self._seen[end + 4 + length :]
                self._transport.write(answer)

    server = await asyncio.get_running_loop().create_server(Constant, "127.0.0.1", 0)
    _ready(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


async def _aio() -> None:
    import grpc  # noqa: PLC0415 - not needed by the other servers
    import grpc.aio  # noqa: PLC0415

    async def empty(_request: bytes, _context: Any) -> bytes:
        return b""

    server = grpc.aio.server()
    handlers = {"Call": grpc.unary_unary_rpc_method_handler(empty)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare.Empty", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    _ready(f"http://127.0.0.1:{port}", f"127.0.0.1:{port}")
    await server.wait_for_termination()


def _threads() -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - not needed by the other servers

    import grpc  # noqa: PLC0415

    server = grpc.server(ThreadPoolExecutor(10))
    handlers = {"Call": grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare.Empty", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    _ready(f"http://127.0.0.1:{port}", f"127.0.0.1:{port}")
    server.wait_for_termination()


def _looped(main: Any) -> None:
    """
    On the loop that the reference server runs on.
    """
    from reference_server.serving import _loop_factory  # noqa: PLC0415

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main())


def _ready(url: str, grpc: str = "") -> None:
    sys.stdout.write(json.dumps({"ready": True, "http": url, "grpc": grpc}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["starlette", answers]:
            _starlette(json.loads(answers))
        case ["aio"]:
            _looped(_aio)
        case ["threads"]:
            _threads()
        case ["constant", text]:
            asyncio.run(_constant(text))
