"""
The peer of `over_grpc.py`: Microsoft's durabletask, run by a Python that has it.

`peer.py backend PORT` is its in-memory backend, `peer.py worker HOST:PORT` a worker that hosts ConformanceEcho.
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


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["backend", port]:
            _backend(int(port))
        case ["worker", address]:
            _worker(address)
