"""
The server and a published SDK in one process: both are imported, and the SDK's client is served.

    python python_beside.py dapr|durabletask server|sdk
The second word says which is imported first. Prints what the SDK saw of one ConformanceEcho.
"""

import importlib
import io
import json
import os
import pkgutil
import queue
import signal
import sys
import threading

CLIENTS = {"dapr": "dapr.ext.workflow", "durabletask": "durabletask"}


def import_server():
    import reference_server

    names = [one.name for one in pkgutil.walk_packages(reference_server.__path__, "reference_server.")]
    return [importlib.import_module(name) for name in names if not {"tests", "__main__"} & set(name.split("."))]


def import_sdk(sdk):
    package = importlib.import_module(CLIENTS[sdk])
    for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if one.name.endswith(("pb2", "pb2_grpc", "client")) and "azure" not in one.name:
            importlib.import_module(one.name)


class Lines(io.TextIOBase):
    """
    Standard output of the server, as a queue.
    """

    def __init__(self):
        self.queue = queue.Queue()

    def write(self, text):
        self.queue.put(text)
        return len(text)


def over_dapr(address):
    from dapr.ext.workflow import DaprWorkflowClient

    host, port = address.rsplit(":", 1)

    def ConformanceEcho(ctx):  # noqa: N802 - the workflow's name
        raise NotImplementedError

    client = DaprWorkflowClient(host, port)
    name = client.schedule_new_workflow(ConformanceEcho, input={"a": 1})
    return client.wait_for_workflow_completion(name, timeout_in_seconds=60).serialized_output


def over_durabletask(address):
    from durabletask.client import TaskHubGrpcClient

    client = TaskHubGrpcClient(host_address=address)
    name = client.schedule_new_orchestration("ConformanceEcho", input={"a": 1})
    return client.wait_for_orchestration_completion(name, timeout=60).serialized_output


def main():
    sdk, first = sys.argv[1:]
    steps = [import_server, lambda: import_sdk(sdk)]
    for step in steps if first == "server" else reversed(steps):
        step()
    from reference_server import cli

    out, sys.stdout, seen = sys.stdout, Lines(), {}
    lines = sys.stdout.queue

    def drive():
        try:
            address = json.loads(lines.get(timeout=60))["grpc"]
            seen["output"] = (over_dapr if sdk == "dapr" else over_durabletask)(address)
        except BaseException as error:
            seen["error"] = repr(error)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=drive, daemon=True).start()
    status = cli.main(["--dapr-http-port", "0", "--dapr-grpc-port", "0", "--ready-json"])
    print(json.dumps({**seen, "status": status}), file=out, flush=True)


main()
