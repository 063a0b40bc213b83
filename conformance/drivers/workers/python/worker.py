"""
A worker driver: WorkflowRuntime of Dapr's Python SDK, with the kit's workflows and its activity.

A line of JSON on stdin asks, a line of JSON on stdout answers; logs go to stderr. The protocol stands in
spec/DRIVERS.md, what the workflows do in spec/workflows.yaml.
"""

import json
import os
import sys
from datetime import timedelta
from importlib.metadata import version

PROTOCOL = 1


class ConformanceFailure(Exception):  # noqa: N818 - the name that workflows fail with
    """
    What a script asks for.
    """


def conformance_echo(ctx, value=None):
    return value


def conformance_echo_activity(ctx, value=None):
    return value


def conformance_script(ctx, script):
    values = []
    for instruction in script["do"]:
        match instruction:
            case {"set_status": status}:
                ctx.set_custom_status(json.dumps(status))
            case {"wait_event": name}:
                values.append((yield from awaited(ctx, name, instruction.get("timeout"))))
            case {"sleep": seconds}:
                yield ctx.create_timer(timedelta(seconds=seconds))
            case {"call_activity": value}:
                values.append((yield ctx.call_activity(conformance_echo_activity, input=value)))
            case {"call_child": {"do": steps, **named}}:
                child = {"input": {"do": steps}, "instance_id": named.get("id")}
                values.append((yield ctx.call_child_workflow(conformance_script, **child)))
            case {"continue_as_new": again}:
                ctx.continue_as_new(again, save_events=instruction.get("keep_events", False))
                return None
            case {"fail": message}:
                raise ConformanceFailure(message)
            case {"return": value}:
                return value
            case _:
                raise ValueError(f"no such instruction: {instruction}")
    return values


def awaited(ctx, name, timeout):
    from dapr.ext.workflow import when_any

    event = ctx.wait_for_external_event(name)
    if timeout is None:
        return (yield event)
    first = yield when_any([event, ctx.create_timer(timedelta(seconds=timeout))])
    return event.get_result() if first == event else {"timed_out": True}


class Worker:
    """
    The SDK's runtime, which works from its start to its shutdown.
    """

    def __init__(self, endpoint):
        os.environ["DAPR_API_TOKEN"] = endpoint.get("token", "")  # read when the SDK is imported
        from dapr.ext import workflow

        host, _, port = endpoint["grpc"].rpartition(":")
        self._sdk = workflow.WorkflowRuntime(host=host, port=port)
        self._sdk.register_workflow(conformance_echo, name="ConformanceEcho")
        self._sdk.register_workflow(conformance_script, name="ConformanceScript")
        self._sdk.register_activity(conformance_echo_activity, name="ConformanceEchoActivity")
        self._sdk.start()  # since 1.17 it returns when its stream is open

    def hello(self):
        names = ("ConformanceEcho", "ConformanceScript")
        return {
            "protocol": PROTOCOL,
            "role": "worker",
            "sdk": {"name": "dapr", "version": version("dapr"), "language": "python"},
            "workflows": {name: name for name in names},
        }


def failed(error, kind):
    return {"error": {"class": kind, "type": type(error).__name__, "message": str(error)}}


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # stdout belongs to the answers; whatever else is printed is a log

    def say(number, answer):
        answers.write(json.dumps({"id": number, **answer}) + "\n")
        answers.flush()

    for line in sys.stdin:
        asked = json.loads(line)
        match asked["op"]:
            case "hello":
                try:
                    say(asked["id"], {"ok": Worker(asked["endpoint"]).hello()})
                except Exception as error:
                    say(asked["id"], failed(error, "unavailable"))
                    os._exit(1)
            case "stop":
                say(asked["id"], {"ok": {}})
                break
            case op:
                say(asked["id"], failed(NotImplementedError(op), "unsupported"))
    os._exit(0)  # the stream goes with the process; a shutdown of the SDK may take its time


main()
