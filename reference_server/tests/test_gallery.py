"""
Many mutants in one process.
"""

from __future__ import annotations

import asyncio
from typing import Any

from reference_server.assembly import Settings
from reference_server.gallery import Gallery


async def ask(gallery: Gallery, method: str, path: str, query: bytes = b"") -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode()}
    await gallery({**scope, "query_string": query, "headers": []}, receive, send)
    return sent[0]["status"], sent[1]["body"]


def test_each_mutant_stands_below_its_name() -> None:
    """
    What one is told another does not know, and what is right stands beside them.
    """
    gallery = Gallery(Settings())
    start = "/v1.0/workflows/dapr/ConformanceEcho/start"

    async def go() -> list[int]:
        gallery.start(asyncio.get_running_loop())
        answers = [
            await ask(gallery, "POST", f"/right/plain{start}", b"instanceID=a"),
            await ask(gallery, "POST", f"/control%2Fdies/plain{start}", b"instanceID=a"),
            await ask(gallery, "GET", "/right/plain/v1.0/workflows/dapr/a"),
            await ask(gallery, "GET", "/event%2Flost/plain/v1.0/workflows/dapr/a"),
            await ask(gallery, "GET", "/nobody/plain/v1.0/workflows/dapr/a"),
        ]
        gallery.stop()
        return [status for status, _ in answers]

    assert asyncio.run(go()) == [202, 500, 200, 404, 404]


def test_only_the_forgetful_forgets_at_a_restart() -> None:
    """
    A restart is survived by all but the mutant that is wrong in it; DELETE forgets any.
    """
    gallery = Gallery(Settings())
    start = "/v1.0/workflows/dapr/ConformanceEcho/start"

    async def go(name: str) -> list[int]:
        gallery.start(asyncio.get_running_loop())
        found = []
        await ask(gallery, "POST", f"/{name}/plain{start}", b"instanceID=a")
        for method in ("PUT", "DELETE"):
            await ask(gallery, method, f"/{name}/plain")
            found.append((await ask(gallery, "GET", f"/{name}/plain/v1.0/workflows/dapr/a"))[0])
        gallery.stop()
        return found

    assert asyncio.run(go("event%2Flost")) == [200, 404]
    assert asyncio.run(go("restart%2Fforgets")) == [404, 404]
