"""
The others of `over_grpc.py`, run by a Python that has them: Microsoft's durabletask, and Dapr's SDK.

`peer.py backend PORT` is durabletask's in-memory backend, `peer.py worker HOST:PORT` its worker that hosts
ConformanceEcho; `peer.py dapr HOST:PORT` is a worker of Dapr's SDK that does.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any


def _backend(port: int) -> None:
    from durabletask.testing import create_test_backend  # noqa: PLC0415 - only here

    create_test_backend(port=port)
    address = f"127.0.0.1:{port}"
    sys.stdout.write(json.dumps({"ready": True, "http": f"http://{address}", "grpc": address}) + "\n")
    sys.stdout.flush()
    threading.Event().wait()


def _worker(address: str) -> None:
    from durabletask.worker import TaskHubGrpcWorker  # noqa: PLC0415 - as above

    def echo(_context: Any, data: Any) -> Any:
        return data

    echo.__name__ = "ConformanceEcho"
    with TaskHubGrpcWorker(host_address=address) as worker:
        worker.add_orchestrator(echo)
        worker.start()
        threading.Event().wait()


def _dapr(address: str) -> None:
    from dapr.ext.workflow import WorkflowRuntime  # noqa: PLC0415 - as above

    def echo(_context: Any, data: Any) -> Any:
        return data

    runtime = WorkflowRuntime(*address.rsplit(":", 1))
    runtime.register_workflow(echo, name="ConformanceEcho")
    runtime.start()
    threading.Event().wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["backend", port]:
            _backend(int(port))
        case ["worker", address]:
            _worker(address)
        case ["dapr", address]:
            _dapr(address)
