"""
Drivers, built once, and servers for them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance import build, manifest
from conformance.tests.java_go.driving import CLIENTS, WORKERS, Driven, Server

Built = Callable[[str, str], build.Ready]


@pytest.fixture(scope="session")
def built() -> Built:
    """
    Drivers, built; one whose tools are not here is left out, and the report says so.
    """

    def get(role: str, name: str) -> build.Ready:
        missing = [tool for tool in manifest.load(role, name).toolchain if shutil.which(tool.program) is None]
        if missing:
            pytest.skip(f"the {role} {name} is not driven: {missing[0].program} is missing; {missing[0].hint}")
        return build.built(name, role=role)

    return get


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture(scope="module", params=CLIENTS)
def client(request: Any, built: Built, server: Server) -> Iterator[Driven]:
    one = Driven(built("client", request.param), server)
    yield one
    one.process.kill()


@pytest.fixture
def unique(request: Any) -> str:
    """
    An ID of the test's own.
    """
    return "".join(letter if letter.isalnum() else "_" for letter in request.node.name)[-50:]


@pytest.fixture(scope="module", params=WORKERS)
def hosted(request: Any, built: Built) -> Iterator[Server]:
    """
    A server that runs nothing itself, with a worker.
    """
    one = Server(executes=False)
    worker = Driven(built("worker", request.param), one)
    assert worker.hello is not None, worker.answered
    yield one
    worker.process.kill()
    one.close()
