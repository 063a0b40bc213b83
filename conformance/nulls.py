"""
Servers that do nothing, each in its own way: none may pass a single case.

Rule 1: they know nothing of the API; what they answer is well formed all the same.
"""

from __future__ import annotations

import secrets
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import spec

from .case import Facts, attempt
from .contract import Contract
from .identity import Allocator, Tokens, run_token
from .plan import surfaces
from .talk import Server
from .target import Target
from .wires import Wires, asks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .calls import Asks
    from .connection import Connection
    from .plan import Case

Answer = tuple[int, bytes]

DEADLINE, SCALE = 2.0, 0.01
EMPTY, CLOSES, ECHOES, REPEATS = "empty", "closes", "echoes", "repeats"
ANSWERS: Mapping[str, Answer] = {
    "200": (200, b"{}"),
    "202": (202, b"{}"),
    "404": (404, b'{"errorCode":"ERR_INSTANCE_ID_NOT_FOUND","message":"unable to find workflow"}'),
    "500": (500, b'{"errorCode":"ERR_PURGE_WORKFLOW","message":"it failed"}'),
    EMPTY: (200, b""),
    CLOSES: (0, b""),
    ECHOES: (200, b""),
    REPEATS: (0, b""),
}
"""The null servers, with what they answer; the last three make their answers up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kind = ""
    first: Answer | None = None

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.kind == CLOSES:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, said = ANSWERS[self.kind]
        if self.kind == ECHOES:
            said = body
        elif self.kind == REPEATS:
            first = (202, b'{"instanceID":"first"}') if self.command == "POST" else ANSWERS["404"]
            type(self).first = type(self).first or first
            status, said = type(self).first or first
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def __getattr__(self, name: str) -> object:
        """
        Any method is answered alike.
        """
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """
        Say nothing.
        """


@contextmanager
def serving(kind: str) -> Iterator[str]:
    """
    A null server, for as long as the context lasts; its address.
    """
    handler = type("Handler", (_Handler,), {"kind": kind, "first": None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def passed(kind: str, cases: Sequence[Case], jobs: int = 8) -> list[str]:
    """
    The cases over HTTP that a null server passes.
    """
    with serving(kind) as url:
        return none_of(Target("null", server=url), cases, jobs)


def none_of(
    null: Target,
    cases: Sequence[Case],
    jobs: int = 8,
    *,
    clients: Mapping[str, Connection] | None = None,
    makers: Mapping[str, Asks] | None = None,
) -> list[str]:
    """
    The cases that a server, or a client, which does nothing passes, without a preflight that would have stopped them.
    """
    contract = Contract(spec.openapi())
    tokens = Tokens(run_token(secrets.choice))
    facts = Facts(Allocator(lambda _: None), tokens.next, frozenset(), keep=True)
    wires = Wires(null.server, null.grpc, deadline=DEADLINE, clients=clients)
    calls = {**asks(surfaces(contract), contract, wires, null), **(makers or {})}

    def run(case: Case) -> str:
        server = Server(wires, contract, null.name, lambda _: None, lambda: True, scale=SCALE, asks=calls)
        outcome = attempt(case, 1, server, calls[case.surface.name], facts)
        return case.name if outcome.result == "pass" else ""

    with ThreadPoolExecutor(jobs) as pool:
        found = [name for name in pool.map(run, cases) if name]
    wires.close()
    return found
