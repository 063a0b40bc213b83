"""
A client driver: DaprWorkflowClient of Dapr's Python SDK, which speaks the Durable Task protocol over gRPC.

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
CLASSES = {
    "NOT_FOUND": "not_found",
    "ALREADY_EXISTS": "conflict",
    "FAILED_PRECONDITION": "conflict",
    "INVALID_ARGUMENT": "invalid",
    "RESOURCE_EXHAUSTED": "invalid",
    "UNAVAILABLE": "unavailable",
    "UNAUTHENTICATED": "unavailable",
    "PERMISSION_DENIED": "unavailable",
    "DEADLINE_EXCEEDED": "timeout",
}  # the SDK passes gRPC's error on, whose code tells
NEEDED = {
    "start": "schedule_new_workflow",
    "get": "get_workflow_state",
    "pause": "pause_workflow",
    "resume": "resume_workflow",
    "terminate": "terminate_workflow",
    "purge": "purge_workflow",
    "raise_event": "raise_workflow_event",
    "wait_start": "wait_for_workflow_start",
    "wait_completion": "wait_for_workflow_completion",
}  # what each operation calls


class Client:
    """
    The SDK's client; each public method is an operation of the protocol.
    """

    def __init__(self, endpoint):
        os.environ["DAPR_API_TOKEN"] = endpoint.get("token", "")  # read when the SDK is imported
        from dapr.ext import workflow

        host, _, port = endpoint["grpc"].rpartition(":")
        self._sdk = workflow.DaprWorkflowClient(host=host, port=port)
        self._statuses = [name for name in workflow.WorkflowStatus.__members__ if name != "UNKNOWN"]

    def hello(self):
        return {
            "protocol": PROTOCOL,
            "role": "client",
            "sdk": {"name": "dapr", "version": version("dapr"), "language": "python"},
            "surface": "taskhub",
            "verbs": [verb for verb, needed in NEEDED.items() if hasattr(self._sdk, needed)],
            "fields": ["workflow", "created_at", "updated_at", "input", "output", "custom_status", "failure"],
            "errors": sorted(set(CLASSES.values())),
            "statuses": {name: name for name in self._statuses},
            "options": ["delay", "output", *self._known("recursive")],
        }

    def _known(self, option):
        return {option} & {*inspect.signature(self._sdk.terminate_workflow).parameters}

    def start(self, workflow, instance=None, input=None, delay=None):
        at = None if delay is None else datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=delay)
        started = self._sdk.schedule_new_workflow(named(workflow), input=input, instance_id=instance, start_at=at)
        return {"instance": started}

    def get(self, instance):
        return shown(self._sdk.get_workflow_state(instance))

    def pause(self, instance):
        self._sdk.pause_workflow(instance)

    def resume(self, instance):
        self._sdk.resume_workflow(instance)

    def terminate(self, instance, output=None, recursive=None):
        self._sdk.terminate_workflow(instance, output=output, **given(recursive=recursive))

    def purge(self, instance, recursive=None):
        self._sdk.purge_workflow(instance, **given(recursive=recursive))

    def raise_event(self, instance, name, data=None):
        self._sdk.raise_workflow_event(instance, name, data=data)

    def wait_start(self, instance, timeout):
        return shown(self._sdk.wait_for_workflow_start(instance, fetch_payloads=True, timeout_in_seconds=timeout))

    def wait_completion(self, instance, timeout):
        return shown(self._sdk.wait_for_workflow_completion(instance, timeout_in_seconds=timeout))


def given(**options):
    """
    The options that were asked for: the others are the SDK's to choose.
    """
    return {name: value for name, value in options.items() if value is not None}


def named(name):
    """
    A workflow as every version of the SDK takes it: a function of that name.
    """

    def workflow(context):
        raise NotImplementedError

    workflow.__name__ = name
    return workflow


def shown(state):
    if state is None:
        return {"state": None}
    failure = state.failure_details
    return {
        "state": {
            "instance": state.instance_id,
            "status": state.runtime_status.name,
            "workflow": state.name,
            "created_at": told(state.created_at),
            "updated_at": told(state.last_updated_at),
            "input": state.serialized_input,
            "output": state.serialized_output,
            "custom_status": state.serialized_custom_status,
            "failure": failure
            and {"type": failure.error_type, "message": failure.message, "stack": failure.stack_trace},
        }
    }


def told(time):
    return f"{time.isoformat(timespec='microseconds')}Z"  # the SDK's times are UTC and do not say so


def failed(error, kind=None):
    code = getattr(error, "code", None)
    if kind is None and isinstance(error, TimeoutError):
        kind = "timeout"
    elif kind is None:
        kind = CLASSES.get(code().name, "other") if callable(code) else "other"
    text = error.details() if callable(getattr(error, "details", None)) else str(error)
    return {"error": {"class": kind, "type": type(error).__name__, "message": text or ""}}


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
