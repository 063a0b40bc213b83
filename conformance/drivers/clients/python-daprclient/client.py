"""
A client driver: DaprClient of Dapr's Python SDK, over the Dapr gRPC protocol. It has these calls from 1.12 to 1.17.

Lines of JSON on stdin ask, lines of JSON on stdout answer, in any order; logs go to stderr. The protocol stands in
spec/DRIVERS.md. Whatever the SDK does is reported as it is.
"""

import inspect
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from threading import Lock

PROTOCOL = 1
ABREAST = 256  # requests that are served at the same time
COMPONENT = "dapr"
NEEDED = {
    "start": "start_workflow",
    "get": "get_workflow",
    "pause": "pause_workflow",
    "resume": "resume_workflow",
    "terminate": "terminate_workflow",
    "purge": "purge_workflow",
    "raise_event": "raise_workflow_event",
}  # what each operation calls
PROPERTIES = {
    "input": "dapr.workflow.input",
    "output": "dapr.workflow.output",
    "custom_status": "dapr.workflow.custom_status",
}
FAILURE = {
    "type": "dapr.workflow.failure.error_type",
    "message": "dapr.workflow.failure.error_message",
    "stack": "dapr.workflow.failure.stack_trace",
}
ABSENT = "no such instance exists"  # what the SDK raises of its own accord, since 1.16, when there is no instance


class Client:
    """
    The SDK's client; each public method is an operation of the protocol.
    """

    def __init__(self, endpoint):
        os.environ["DAPR_API_TOKEN"] = endpoint.get("token", "")  # these are read when the SDK is imported
        os.environ["DAPR_HTTP_ENDPOINT"] = endpoint["http"]
        from dapr.clients import DaprClient
        from dapr.clients.grpc._helpers import WorkflowRuntimeStatus

        self._sdk = DaprClient(endpoint["grpc"])
        self._statuses = {one.name: one.value for one in WorkflowRuntimeStatus if one.name != "UNKNOWN"}

    def hello(self):
        return {
            "protocol": PROTOCOL,
            "role": "client",
            "sdk": {"name": "dapr", "version": version("dapr"), "language": "python"},
            "surface": "dapr_grpc",
            "verbs": [verb for verb, needed in NEEDED.items() if hasattr(self._sdk, needed)],
            "fields": ["workflow", "created_at", "updated_at", *PROPERTIES, "failure"],
            "errors": [],  # everything is a DaprInternalError, with text and no code
            "statuses": self._statuses,
            "options": ["delay", "raw"],
        }

    def start(self, workflow, instance=None, input=None, raw=None, delay=None):
        at = {} if delay is None else {"dapr.workflow.start_time": told(datetime.now(UTC) + timedelta(seconds=delay))}
        given = {"input": input} if raw is None else {"input": raw.encode(), "send_raw_bytes": True}
        started = self._sdk.start_workflow(COMPONENT, workflow, instance_id=instance, workflow_options=at, **given)
        return {"instance": started.instance_id}

    def get(self, instance):
        try:
            return {"state": shown(self._sdk.get_workflow(instance, COMPONENT))}
        except Exception as error:
            if str(error) == ABSENT:
                return {"state": None}
            raise

    def pause(self, instance):
        self._sdk.pause_workflow(instance, COMPONENT)

    def resume(self, instance):
        self._sdk.resume_workflow(instance, COMPONENT)

    def terminate(self, instance):
        self._sdk.terminate_workflow(instance, COMPONENT)

    def purge(self, instance):
        self._sdk.purge_workflow(instance, COMPONENT)

    def raise_event(self, instance, name, data=None, raw=None):
        given = {"event_data": data} if raw is None else {"event_data": raw.encode(), "send_raw_bytes": True}
        self._sdk.raise_workflow_event(instance, COMPONENT, name, **given)


def shown(state):
    properties = state.properties
    failure = {word: properties.get(key) for word, key in FAILURE.items()}
    return {
        "instance": state.instance_id,
        "status": getattr(state.runtime_status, "value", state.runtime_status),
        "workflow": state.workflow_name,
        "created_at": state.created_at.ToJsonString(),
        "updated_at": state.last_updated_at.ToJsonString(),
        **{word: properties.get(key) for word, key in PROPERTIES.items()},
        "failure": failure if any(failure.values()) else None,
    }


def told(time):
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def failed(error, kind="other"):
    return {"error": {"class": kind, "type": type(error).__name__, "message": str(error)}}


def answered(client, op, arguments):
    operation = getattr(client, op, None) if op in NEEDED else None
    try:
        bound = inspect.signature(operation or (lambda: None)).bind(**arguments)
    except TypeError as error:
        return failed(error, "unsupported")
    if operation is None:
        return failed(NotImplementedError(op), "unsupported")
    try:
        return {"ok": operation(*bound.args, **bound.kwargs) or {}}
    except Exception as error:
        return failed(error)


class Answers:
    """
    Lines on stdout, which belongs to them: whatever else is printed goes to the log.
    """

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._lock = Lock()
        os.dup2(2, 1)

    def say(self, number, answer):
        line = json.dumps({"id": number, **answer})
        with self._lock:
            self._out.write(f"{line}\n")
            self._out.flush()


def main():
    answers, client, pool = Answers(), None, ThreadPoolExecutor(ABREAST)

    def serve(number, op, arguments):
        answers.say(number, answered(client, op, arguments))

    for line in sys.stdin:
        asked = json.loads(line)
        number, op = asked.pop("id"), asked.pop("op")
        if op == "stop":
            answers.say(number, {"ok": {}})
            break
        if op == "hello":
            try:
                client = Client(asked["endpoint"])
                answers.say(number, {"ok": client.hello()})
            except Exception as error:
                answers.say(number, failed(error))
                os._exit(1)
        else:
            pool.submit(serve, number, op, asked)
    os._exit(0)  # whoever still waits has nobody to tell


main()
