"""
Keeps what goes over the wire, on every surface, and makes the trouble that was asked for.

Rule 1: an exchange is kept before the server sees it, and its answer before the caller does: who has an answer finds
the exchange.
Rule 2: what is kept is what came, byte for byte; what it means is for those who read it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc

import spec
from reference_server.answers import response
from reference_server.over_http import templates
from reference_server.routes import Routes
from spec import wire

from .tape import Answer, Exchange, Tape
from .trouble import Trouble, met

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reference_server.ports import Clock

HTTP = "http"
OK, NOWHERE = "OK", "UNIMPLEMENTED"
ANSWER = "answer"
"""What is lost, where it is not the request."""


class Watch:
    """
    Everything that is kept, and the troubles that exchanges meet.
    """

    def __init__(self, clock: Clock, openapi: Mapping[str, Any], keep: int) -> None:
        self.tape, self.troubles, self.keep = Tape(), list[Trouble](), keep
        self._clock = clock
        resources: dict[str, dict[str, Any]] = {}
        for template, method, operation in templates(openapi):
            resources.setdefault(template, {})[method] = (template, operation.get("x-operation", ""))
        nothing: Any = ("", "")
        self._routes = Routes(resources, nothing, lambda _: nothing)
        self._services = {surface.service: name for name, surface in spec.grpc().items()}
        self._operations = dict(_operations())
        self._paths = {one.path for methods in wire.services().values() for one in methods.values()}

    def http(self, app: ASGIApp) -> ASGIApp:
        """
        The application, watched.
        """

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            template, operation = self._routes.matches(scope)[1]["endpoint"]
            target = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
            headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
            exchange = self._kept(Exchange(HTTP, scope["method"], template, *target, headers))
            call = _Call(self, exchange, receive, send)
            if not self.troubles:
                await app(scope, call.receive, call.send)
                return
            await call.whole()
            trouble = await self._met(exchange, operation)
            if trouble is None:
                await app(scope, call.receive, call.send)
            elif trouble.drop:
                await call.lost(app, scope, trouble.drop)
            else:
                await response(trouble.status, trouble.message.encode(), "text/plain").send(call.send)

        return watched

    def call(
        self, details: grpc.HandlerCallDetails, handler: grpc.RpcMethodHandler[Any, Any] | None
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """
        The method of a call, watched.
        """
        path = details.method
        surface = self._services.get(path[1:].partition("/")[0], "")
        headers = tuple((name, _text(value)) for name, value in details.invocation_metadata)
        exchange = self._kept(Exchange(surface, "POST", path if path in self._paths else "", path, "", headers))
        if handler is None:
            exchange.answer = Answer(NOWHERE)
            return None
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(exchange, handler.unary_stream))
        return grpc.unary_unary_rpc_method_handler(self._unary(exchange, handler.unary_unary))

    async def _met(self, exchange: Exchange, operation: str) -> Trouble | None:
        """
        The trouble that stands in place of the answer to an exchange, after the delay that it brings.
        """
        trouble = met(self.troubles, exchange, operation)
        if trouble is None:
            return None
        await asyncio.sleep(trouble.delay)
        return trouble if trouble.ends(exchange.surface) else None

    def _kept(self, exchange: Exchange) -> Exchange:
        exchange.at = self._clock.now()
        return self.tape.add(exchange)

    def _unary(self, exchange: Exchange, behind: Any) -> Any:
        async def watched(request: bytes, context: Any) -> bytes:
            speaks = self._began(exchange, request, context)
            trouble = await self._met(exchange, self._operations.get(exchange.path, ""))
            if trouble and trouble.drop != ANSWER:
                await _instead(trouble, speaks)
            answered: bytes = await behind(request, speaks)
            if trouble:
                await asyncio.Event().wait()
            self._answered(exchange, Answer(OK, answered[: self.keep]))
            return answered

        return watched

    def _stream(self, exchange: Exchange, behind: Any) -> Any:
        async def watched(request: bytes, context: Any) -> AsyncIterator[bytes]:
            speaks = self._began(exchange, request, context)
            trouble = await self._met(exchange, "")
            if trouble:
                await _instead(trouble, speaks)
            async for one in behind(request, speaks):
                yield one
            self._answered(exchange, Answer(OK))

        return watched

    def _began(self, exchange: Exchange, request: bytes, context: Any) -> _Context:
        exchange.body, exchange.cut = request[: self.keep], len(request) > self.keep
        exchange.timeout = context.time_remaining()
        self.tape.weigh(exchange)
        return _Context(context, lambda answer: self._answered(exchange, answer))

    def _answered(self, exchange: Exchange, answer: Answer) -> None:
        exchange.answer = answer
        self.tape.weigh(exchange)


class _Call:
    """
    One request over HTTP as it comes in and is answered.
    """

    def __init__(self, watch: Watch, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._watch, self._exchange, self._receive, self._send = watch, exchange, receive, send
        self._held: list[Message] = []
        self._answer = Answer(0)

    async def receive(self) -> Message:
        """
        The next message of the client, kept.
        """
        return self._held.pop(0) if self._held else await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        exchange, keep = self._exchange, self._watch.keep
        body = message.get("body", b"")
        if body:
            exchange.cut = exchange.cut or len(exchange.body) + len(body) > keep
            exchange.body = (exchange.body + body)[:keep]
            self._watch.tape.weigh(exchange)
        return message

    async def send(self, message: Message) -> None:
        """
        The next message of the server, kept before it goes out.
        """
        answer = self._answer
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]
            )
        else:
            answer.body = (answer.body + message.get("body", b""))[: self._watch.keep]
            if not message.get("more_body"):
                self._exchange.answer = answer
                self._watch.tape.weigh(self._exchange)
        await self._send(message)

    async def whole(self) -> None:
        """
        Wait for all of the request; it is handed on later.
        """
        more = True
        while more:
            message = await self._next()
            self._held.append(message)
            more = message["type"] == "http.request" and message.get("more_body", False)

    async def lost(self, app: ASGIApp, scope: Scope, what: str) -> None:
        """
        Let the client wait until it goes away; the server has done what was asked for, if only the answer is lost.
        """
        if what == ANSWER:
            await app(scope, self.receive, _nowhere)
        message: Message = {}
        while message.get("type") != "http.disconnect":
            message = await self._receive()


class _Context:
    """
    What a method may do about its call.
    """

    def __init__(self, context: Any, answered: Callable[[Answer], None]) -> None:
        self._context, self._answered = context, answered

    async def abort(self, code: grpc.StatusCode, details: str = "") -> None:
        """
        End the call with a status.
        """
        self._answered(Answer(code.name, details=details))
        await self._context.abort(code, details)


def _operations() -> Any:
    for surface in spec.grpc().values():
        methods = wire.services()[surface.service]
        for version in surface.versions:
            for name, form in reversed(list(surface.forms.items())):
                yield methods[form.method + version].path, name


async def _instead(trouble: Trouble, context: _Context) -> None:
    """
    End a call in place of the server, or never.
    """
    if trouble.drop:
        await asyncio.Event().wait()
    await context.abort(grpc.StatusCode[trouble.code], trouble.message)


async def _nowhere(message: Message) -> None:
    del message


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
