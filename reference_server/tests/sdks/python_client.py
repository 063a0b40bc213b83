"""
A client of Dapr's Python SDK on a lead: a line of JSON on stdin names a call, a line on stdout says what came of it.

    python python_client.py dapr|workflow
    {"call": "get_workflow", "with": {"instance_id": "a", ...}}  ->  {"ok": value} or {"error": {"type": ..., ...}}

`dapr` is DaprClient, `workflow` is DaprWorkflowClient; addresses and token come from the SDK's own variables. Arguments
that JSON has no words for are objects: {"$bytes": text}, {"$time": seconds from now}, {"$workflow": name}.
"""

import json
import sys
from datetime import UTC, datetime, timedelta


def main():
    client = make(sys.argv[1])
    print(json.dumps({"ok": "ready"}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line, object_hook=argument)
        try:
            answer = {"ok": shown(getattr(client, asked["call"])(**asked["with"]))}
        except Exception as error:  # whatever the SDK raises is the answer
            answer = {"error": told(error)}
        print(json.dumps(answer), flush=True)


def make(kind):
    if kind == "dapr":
        from dapr.clients import DaprClient

        return DaprClient()
    from dapr.ext.workflow import DaprWorkflowClient

    return DaprWorkflowClient()


def argument(found):
    match found:
        case {"$bytes": text}:
            return text.encode()
        case {"$time": seconds}:
            return datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=seconds)
        case {"$workflow": name}:
            return named(name)
    return found


def named(name):
    """
    A workflow as the SDK wants it: older versions take its name from a function only.
    """

    def workflow(context):
        raise NotImplementedError(context)

    workflow.__name__ = name
    return workflow


def shown(value):
    """
    A result as JSON: an enumeration's member by its name, another object by its public attributes.
    """
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [shown(one) for one in value]
    if hasattr(value, "items"):
        return {str(key): shown(one) for key, one in value.items()}
    if hasattr(value, "ToJsonString"):
        return value.ToJsonString()
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(type(value), "__members__"):
        return value.name
    if hasattr(value, "to_json"):
        return shown(value.to_json())
    if hasattr(value, "__next__"):
        return shown(list(value))
    public = [name for name in dir(value) if not name.startswith("_")]
    return {name: shown(getattr(value, name)) for name in public if not callable(getattr(value, name))}


def told(error):
    code = getattr(error, "code", None)
    return {
        "type": type(error).__name__,
        "message": str(getattr(error, "details", lambda: None)() if callable(code) else error),
        "code": getattr(code(), "name", None) if callable(code) else None,
    }


main()
