"""
Dapr's Python SDK in a loop, without a driver: for each number on stdin so many gets, and the seconds they took.

`direct.py CLIENT HTTP GRPC INSTANCE`
"""

import os
import sys
import time

client, http, grpc, instance = sys.argv[1:]
os.environ["DAPR_HTTP_ENDPOINT"] = http
if client == "python":
    from dapr.ext.workflow import DaprWorkflowClient

    host, _, port = grpc.rpartition(":")
    sdk = DaprWorkflowClient(host=host, port=port)

    def get() -> object:
        """
        Read the instance, payloads too.
        """
        return sdk.get_workflow_state(instance)
else:
    from dapr.clients import DaprClient

    sdk = DaprClient(grpc)

    def get() -> object:
        """
        Read the instance.
        """
        return sdk.get_workflow(instance, "dapr")


for line in sys.stdin:
    begun = time.perf_counter()
    for _ in range(int(line)):
        get()
    sys.stderr.write(f"{time.perf_counter() - begun}\n")
    sys.stderr.flush()
os._exit(0)
