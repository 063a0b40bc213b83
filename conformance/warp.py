"""
Mutant SDKs: a driver that stands before another and does one thing wrong with what goes through it.

    python -m conformance.warp MUTANT CLIENT

CLIENT is what --client takes, in one word; the whole is a command that --client takes in turn. What each mutant does
and which rules it breaks stands in `spec/drivers.yaml`.

Rule 1: one fault, wherever it applies; everything else goes through as it came.
Rule 2: hello and stop are never touched but for what hello carries: a mutant is wrong, it does not lie.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import spec

from .errors import UsageError
from .launch import CLIENT, asked, launch
from .shape import meant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Message = dict[str, Any]

AGAIN = 1 << 50
"""From this number on, ids are of requests that nobody but the mutant makes."""


@dataclass(slots=True)
class Fault:
    """
    What a mutant does: `asks` with each request, `answers` with each answer to one. `held` is what it remembers, `op`
    what it asks twice.
    """

    asks: Callable[[Message, Message], list[Message]] = lambda request, _: [request]
    answers: Callable[[Message, Message, Message], Message] = lambda _, answer, __: answer
    held: Message = field(default_factory=dict)
    op: str = ""


def _keyed(op: str, key: str, change: Callable[[Any], Any]) -> Fault:
    """
    A word of one request is changed; what becomes None is left out.
    """

    def asks(request: Message, held: Message) -> list[Message]:
        del held
        if request["op"] not in (op, op or request["op"]) or key not in request:
            return [request]
        changed = change(request[key])
        return [{name: value for name, value in {**request, key: changed}.items() if value is not None or name != key}]

    return Fault(asks)


def _twice(op: str) -> Fault:
    """
    A call is made again, and its first answer given once both have come.
    """

    def asks(request: Message, held: Message) -> list[Message]:
        del held
        again = {**request, "id": AGAIN + request["id"]}
        return [request, again] if request["op"] == op else [request]

    return Fault(asks, op=op)


def _lost(op: str, **ok: Any) -> Fault:
    """
    A call is answered, and not made: a get is, whose answer is not looked at.
    """

    def asks(request: Message, held: Message) -> list[Message]:
        del held
        return [{"id": request["id"], "op": "get", "instance": request["instance"]} if request["op"] == op else request]

    return Fault(asks, lambda request, answer, _: {"id": answer["id"], "ok": ok} if request["op"] == op else answer)


def _state(change: Callable[[Message, Message, Message], Message | None]) -> Fault:
    """
    The state that an answer shows is changed: by the request, the state, and what is held.
    """

    def answers(request: Message, answer: Message, held: Message) -> Message:
        state = answer.get("ok", {}).get("state")
        return answer if state is None else {**answer, "ok": {"state": change(request, dict(state), held)}}

    return Fault(answers=answers)


def _field(name: str, change: Callable[[Any], Any]) -> Fault:
    """
    A field of a state is changed, where it is there.
    """
    return _state(lambda _, state, __: state if state.get(name) is None else {**state, name: change(state[name])})


def _error(change: Callable[[Message], Message]) -> Fault:
    return Fault(answers=lambda _, answer, __: change(answer) if "error" in answer else answer)


def _mistaken(answer: Message) -> Message:
    others = {"not_found": "conflict", "conflict": "invalid", "invalid": "not_found"}
    kind = answer["error"]["class"]
    return {**answer, "error": {**answer["error"], "class": others.get(kind, kind)}}


def _swallowed(request: Message, answer: Message, held: Message) -> Message:
    del held
    if "error" not in answer or request["op"] in ("hello", "stop"):
        return answer
    empty: Message = {"instance": request.get("instance", "made-up")} if request["op"] == "start" else {}
    looks = request["op"] in ("get", "wait_start", "wait_completion")
    return {"id": answer["id"], "ok": {"state": None} if looks else empty}


def _phantom(request: Message, answer: Message, held: Message) -> Message:
    """
    An instance that nobody has is shown, running.
    """
    hello = held.get("hello", {})
    gone = answer.get("ok", {}).get("state", 0) is None or answer.get("error", {}).get("class") == "not_found"
    if request["op"] != "get" or not gone:
        return answer
    state = {"instance": request["instance"], "status": hello["statuses"]["RUNNING"]}
    state |= {name: "1970-01-01T00:00:00.000Z" for name in ("created_at", "updated_at") if name in hello["fields"]}
    state |= {"workflow": ""} if "workflow" in hello["fields"] else {}
    state |= {name: None for name in hello["fields"] if name not in state}
    return {"id": answer["id"], "ok": {"state": state}}


def _renamed(wrong: Mapping[str, str]) -> Fault:
    """
    Statuses are taken for others: by their words in the API.
    """

    def answers(request: Message, answer: Message, held: Message) -> Message:
        del request
        state = answer.get("ok", {}).get("state")
        names = held.get("hello", {}).get("statuses", {})
        other = {names[one]: names.get(another, another) for one, another in wrong.items() if one in names}
        if not state or state["status"] not in other:
            return answer
        return {**answer, "ok": {"state": {**state, "status": other[state["status"]]}}}

    return Fault(answers=answers)


def _first(request: Message, answer: Message, held: Message) -> Message:
    """
    Every start without an ID answers the ID of the first one.
    """
    if request["op"] != "start" or "instance" in request or "ok" not in answer:
        return answer
    return {**answer, "ok": {"instance": held.setdefault("first", answer["ok"]["instance"])}}


def _old(request: Message, state: Message, held: Message) -> Message:
    """
    The first state that was shown of an instance is shown for ever.
    """
    return dict(held.setdefault(request["instance"], state))


def _hello(change: Callable[[Message], Message]) -> Fault:
    return Fault(lambda request, _: [change(request) if request["op"] == "hello" else request])


def _tokenless(request: Message) -> Message:
    endpoint = {key: value for key, value in request["endpoint"].items() if key != "token"}
    return {**request, "endpoint": endpoint}


def _waits(change: Callable[[Message], Message]) -> Fault:
    return Fault(lambda request, _: [change(request) if request["op"].startswith("wait_") else request])


FAULTS: Mapping[str, Callable[[], Fault]] = {
    "id/cut": lambda: _keyed("", "instance", lambda one: one[:-1]),
    "id/changed": lambda: Fault(
        answers=lambda request, answer, _: (
            {**answer, "ok": {"instance": answer["ok"]["instance"] + "x"}}
            if request["op"] == "start" and "ok" in answer
            else answer
        )
    ),
    "id/first": lambda: Fault(answers=_first),
    "id/shown": lambda: _field("instance", lambda one: one + "x"),
    "input/dropped": lambda: _keyed("start", "input", lambda _: None),
    "input/quoted": lambda: _keyed("start", "input", json.dumps),
    "event/dropped": lambda: _keyed("raise_event", "data", lambda _: None),
    "event/quoted": lambda: _keyed("raise_event", "data", json.dumps),
    "event/renamed": lambda: _keyed("raise_event", "name", lambda one: one + "x"),
    "workflow/renamed": lambda: _keyed("start", "workflow", lambda _: "ConformanceEcho"),
    "retry/start": lambda: _twice("start"),
    "retry/raise_event": lambda: _twice("raise_event"),
    "lost/pause": lambda: _lost("pause"),
    "lost/resume": lambda: _lost("resume"),
    "lost/terminate": lambda: _lost("terminate"),
    "lost/purge": lambda: _lost("purge"),
    "lost/raise_event": lambda: _lost("raise_event"),
    "error/swallowed": lambda: Fault(answers=_swallowed),
    "error/mistaken": lambda: _error(_mistaken),
    "error/other": lambda: _error(lambda answer: {**answer, "error": {**answer["error"], "class": "other"}}),
    "absence/shown": lambda: Fault(answers=_phantom),
    "status/completed": lambda: _renamed({"TERMINATED": "COMPLETED"}),
    "status/failed": lambda: _renamed({"FAILED": "COMPLETED"}),
    "status/suspended": lambda: _renamed({"SUSPENDED": "RUNNING"}),
    "status/foreign": lambda: _renamed({"RUNNING": "In Progress"}),
    "state/old": lambda: _state(_old),
    "state/partial": lambda: _state(lambda _, state, __: {k: v for k, v in state.items() if k != "workflow"}),
    "show/workflow": lambda: _field("workflow", lambda one: one.lower()),
    "show/input": lambda: _field("input", lambda _: None),
    "show/output": lambda: _field("output", lambda _: None),
    "show/output_quoted": lambda: _field("output", json.dumps),
    "show/custom_status": lambda: _field("custom_status", lambda _: None),
    "show/failure": lambda: _field("failure", lambda _: None),
    "show/times": lambda: _field("created_at", lambda one: "2001" + one[4:]),
    "token/missing": lambda: _hello(_tokenless),
    "wait/early": lambda: _waits(lambda one: {"id": one["id"], "op": "get", "instance": one["instance"]}),
    "wait/deaf": lambda: _waits(lambda one: {**one, "timeout": one["timeout"] + 20}),
}
"""The mutants, each with what makes its fault."""


class Warp:
    """
    The conversation that goes through.
    """

    def __init__(self, fault: Fault, inner: subprocess.Popen[bytes]) -> None:
        self._fault, self._inner = fault, inner
        self._asked: dict[int, Message] = {}
        self._kept: dict[int, Message] = {}

    def down(self) -> None:
        """
        Requests, until stdin ends.
        """
        assert self._inner.stdin is not None  # noqa: S101 - it is a pipe
        for line in sys.stdin:
            request = json.loads(line)
            for one in self._fault.asks(request, self._fault.held):
                if one["id"] < AGAIN:
                    self._asked[request["id"]] = request
                self._inner.stdin.write(json.dumps(one).encode() + b"\n")
            self._inner.stdin.flush()
        self._inner.stdin.close()

    def up(self) -> None:
        """
        Answers, until there are no more.
        """
        assert self._inner.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._inner.stdout:
            answer = json.loads(line)
            number = answer["id"] % AGAIN
            if self._asked[number]["op"] == self._fault.op:
                mate = self._kept.pop(number, None)
                if mate is None:
                    self._kept[number] = answer
                    continue
                answer = min(answer, mate, key=lambda one: int(one["id"]))
            self._pass_on(self._asked.pop(number), answer)

    def _pass_on(self, request: Message, answer: Message) -> None:
        if request["op"] == "hello":
            self._fault.held["hello"] = answer.get("ok", {})
        else:
            answer = self._fault.answers(request, answer, self._fault.held)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """
    Stand before a driver until it ends; its exit code.
    """
    if len(arguments) != 2:  # noqa: PLR2004
        raise UsageError("python -m conformance.warp MUTANT CLIENT; the mutants stand in spec/drivers.yaml")
    name, given = arguments
    if name not in FAULTS:
        raise UsageError(f"{name}: no such mutant; there are {', '.join(FAULTS)}{meant(name, list(FAULTS))}")
    ready = launch(asked(given, CLIENT))
    pipe = subprocess.PIPE
    inner = subprocess.Popen(ready.argv, stdin=pipe, stdout=pipe, env=dict(ready.environment))  # noqa: S603 - as asked
    warp = Warp(FAULTS[name](), inner)
    threading.Thread(target=warp.down, daemon=True).start()
    warp.up()
    return inner.wait()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (UsageError, spec.SpecError) as error:
        sys.exit(f"error: {error}")
