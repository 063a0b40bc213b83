"""
A client driver whose SDK is http.client: what a driver looks like, and with `--lie NAME` what it must not look like.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from typing import Any
from urllib.parse import quote, urlsplit

LIE = sys.argv[sys.argv.index("--lie") + 1] if "--lie" in sys.argv else ""
NAMES = {
    name: name.capitalize()
    for name in ("PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED", "UNKNOWN")
}
HELLO: dict[str, Any] = {
    "protocol": 1,
    "role": "client",
    "sdk": {"name": "http.client", "version": sys.version.split()[0], "language": "python"},
    "surface": "http",
    "verbs": ["start", "get", "pause", "resume", "raise_event", "terminate", "purge"],
    "fields": ["workflow", "created_at", "updated_at", "input", "output", "custom_status", "failure"],
    "errors": ["not_found", "conflict", "invalid", "timeout"],
    "statuses": NAMES,
    "options": ["raw"],
}
CLASSES = {400: "invalid", 404: "not_found", 409: "conflict"}
NEVER = "0001-01-01T00:00:00Z"  # an instance that has not begun has no times yet
DONE: dict[str, Any] = {}
HELLO.update(json.loads(os.environ.get("FAKE_HELLO", "{}")))


class SidecarError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Sdk:
    """
    A management client of thirty lines.
    """

    def __init__(self, url: str, token: str) -> None:
        self._place = urlsplit(url).netloc
        self._headers = {"dapr-api-token": token} if token else {}
        self._kept = threading.local()

    def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        line = http.client.HTTPConnection(self._place, timeout=60)
        try:
            line.request(method, f"/v1.0/workflows/dapr/{path}", body, self._headers)
            answer = line.getresponse()
            text = answer.read().decode()
        finally:
            line.close()
        if answer.status >= 400:
            raise SidecarError(answer.status, text)
        return json.loads(text) if text else None

    def start(self, workflow: str, instance: str | None, body: bytes | None) -> str:
        query = f"?instanceID={quote(instance, safe='')}" if instance is not None else ""
        return str(self.call("POST", f"{quote(workflow, safe='')}/start{query}", body)["instanceID"])

    def act(self, instance: str, what: str, body: bytes | None = None) -> None:
        self.call("POST", f"{quote(instance, safe='')}/{what}", body)


def payload(words: dict[str, Any], key: str) -> bytes | None:
    if "raw" in words:
        return str(words["raw"]).encode()
    return json.dumps(words[key]).encode() if key in words else None


def state(said: dict[str, Any]) -> dict[str, Any]:
    held = {key.removeprefix("dapr.workflow."): value for key, value in said.get("properties", {}).items()}
    failed = "failure.error_message" in held
    return {
        "instance": said["instanceID"],
        "status": NAMES.get(said["runtimeStatus"], said["runtimeStatus"]),
        "workflow": said.get("workflowName", ""),
        "created_at": said.get("createdAt", NEVER),
        "updated_at": said.get("lastUpdatedAt", NEVER),
        "input": held.get("input"),
        "output": held.get("output"),
        "custom_status": held.get("custom_status"),
        "failure": {"type": held.get("failure.error_type", ""), "message": held["failure.error_message"]}
        if failed
        else None,
    }


class OverError(Exception):
    pass


def awaited(sdk: Sdk, words: dict[str, Any], there: Any) -> dict[str, Any]:
    until = time.monotonic() + words["timeout"]
    while True:
        seen = state(sdk.call("GET", quote(words["instance"], safe="")))
        if there(seen["status"]):
            return {"state": seen}
        if time.monotonic() > until:
            raise OverError("the time is over")
        time.sleep(0.02)


def served(sdk: Sdk, op: str, words: dict[str, Any]) -> dict[str, Any]:
    match op:
        case "start":
            return {"instance": sdk.start(words["workflow"], words.get("instance"), payload(words, "input"))}
        case "get":
            return {"state": state(sdk.call("GET", quote(words["instance"], safe="")))}
        case "wait_start":
            return awaited(sdk, words, lambda status: status != "Pending")
        case "wait_completion":
            return awaited(sdk, words, lambda status: status in ("Completed", "Failed", "Terminated"))
        case "raise_event":
            sdk.act(words["instance"], f"raiseEvent/{quote(words['name'], safe='')}", payload(words, "data"))
        case "pause" | "resume" | "terminate" | "purge":
            sdk.act(words["instance"], op)
        case _:
            raise KeyError(op)
    return DONE


def answered(sdk: Sdk, message: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": served(sdk, message["op"], message)}
    except SidecarError as error:
        kind = CLASSES.get(error.status, "other")
        return {"error": {"class": kind, "type": "SidecarError", "message": str(error)}}
    except OverError as error:
        return {"error": {"class": "timeout", "type": "OverError", "message": str(error)}}
    except KeyError as error:
        return {"error": {"class": "unsupported", "type": "KeyError", "message": f"unknown: {error}"}}
    except OSError as error:
        return {"error": {"class": "other", "type": type(error).__name__, "message": str(error)}}


def say(number: int, answer: dict[str, Any]) -> None:
    with LOCK:
        sys.stdout.write(json.dumps({"id": number, **answer}) + "\n")
        sys.stdout.flush()


LOCK = threading.Lock()


def greeting() -> dict[str, Any]:
    match LIE:
        case "speaks another version":
            return {**HELLO, "protocol": 2}
        case "is a worker":
            return {"protocol": 1, "role": "worker", "sdk": HELLO["sdk"]}
        case "says an odd hello":
            return {**HELLO, "surface": "carrier pigeon"}
    return HELLO


def lie(message: dict[str, Any]) -> None:  # noqa: C901, PLR0912 - one line a lie
    number, liar = message["id"], "-liar" in str(message.get("instance", ""))
    if message["op"] == "stop":
        match LIE:
            case "dies at stop":
                os._exit(9)
            case "ends with 4":
                say(number, {"ok": {}})
                os._exit(4)
            case "does not stop":
                threading.Event().wait()
        return
    if message["op"] == "pause" and LIE == "forgets pause":
        say(number, {"error": {"class": "unsupported", "type": "", "message": "what is that?"}})
        raise Skip
    if message["op"] == "levitate" and LIE == "knows everything":
        say(number, {"ok": {}})
        raise Skip
    if not liar or message["op"] != "get":
        return
    if LIE in ("dies once", "dies always") and (LIE == "dies always" or not os.path.exists(FLAG)):  # noqa: PTH110
        with open(FLAG, "w", encoding="utf-8"):  # noqa: PTH123
            pass
        sys.stderr.write("Segmentation fault, as they say\n")
        sys.stderr.flush()
        os._exit(139)
    match LIE:
        case "hangs":
            threading.Event().wait()
        case "babbles":
            sys.stdout.write("here I am\n")
            sys.stdout.flush()
        case "answers a list":
            sys.stdout.write("[]\n")
            sys.stdout.flush()
        case "answers an id of nobody":
            say(10_000_000, {"ok": {}})
        case "answers twice":
            say(number, {"ok": {"state": None}})
        case "answers of another kind":
            say(number, {"ok": {"status": 7}})
            raise Skip
        case "says a class of its own":
            say(number, {"error": {"class": "sad", "type": "", "message": ""}})
            raise Skip
        case "answers a line without end":
            for _ in range(17 << 4):
                sys.stdout.write("x" * 65536)
        case "answers late":
            time.sleep(float(os.environ["FAKE_LATE"]))


class Skip(Exception):  # noqa: N818
    pass


FLAG = os.environ.get("FAKE_FLAG", "")


def serve(sdk: Sdk, message: dict[str, Any]) -> None:
    try:
        if LIE:
            lie(message)
        say(message["id"], answered(sdk, message))
    except Skip:
        return


def main() -> None:
    if LIE == "prints a banner":
        sys.stdout.write("Welcome to the fake SDK!\n")
        sys.stdout.flush()
    if LIE == "dies at start":
        sys.exit("cannot import the SDK")
    if LIE == "exits with 0":
        return
    sdk: Sdk | None = None
    for line in sys.stdin:
        message = json.loads(line)
        if message["op"] == "hello":
            if LIE == "cannot connect":
                refused = {"class": "unavailable", "type": "SidecarError", "message": "nobody there"}
                say(message["id"], {"error": refused})
                sys.exit(1)
            sdk = Sdk(message["endpoint"]["http"], message["endpoint"].get("token", ""))
            say(message["id"], {"ok": greeting()})
        elif message["op"] == "stop":
            if LIE:
                lie(message)
            say(message["id"], {"ok": {}})
            return
        else:
            assert sdk is not None
            threading.Thread(target=serve, args=(sdk, message), daemon=True).start()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
