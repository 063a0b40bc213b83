"""
Servers that lie to the runner: at each step of a conversation, in every way, within bounds of time and memory.
"""

from __future__ import annotations

import json
import threading
import tracemalloc
from typing import Any

import pytest

from conformance import connection
from conformance.exchange import Request

OPERATIONS = ("start", "get", "pause", "resume", "terminate", "purge")

TALK = """\
version: 1
title: t
rules: [WF-START-001]
steps:
  - start: {workflow: ConformanceScript, input: {do: [{wait_event: go}]}, as: NAME}
  - eventually: {get: NAME, expect: {runtimeStatus: RUNNING}}
  - pause: NAME
  - eventually: {get: NAME, expect: {runtimeStatus: SUSPENDED}}
  - resume: NAME
  - eventually: {get: NAME, expect: {runtimeStatus: RUNNING}}
  - terminate: NAME
  - eventually: {get: NAME, expect: {runtimeStatus: TERMINATED}}
  - purge: NAME
  - eventually: {get: NAME, expect: absent}
"""
HUGE = 100 << 20


def head(status: int, size: int | None = None, media: str = "application/json") -> bytes:
    length = "" if size is None else f"Content-Length: {size}\r\n"
    return f"HTTP/1.1 {status} X\r\nContent-Type: {media}\r\n{length}\r\n".encode()


def body(raw: bytes) -> Any:
    """
    The right status with another body.
    """

    def answer(liar: Any, true: bytes) -> Any:
        del liar
        yield head(int(true.split()[1]), len(raw)) + raw

    return answer


def hangs(liar: Any, true: bytes) -> Any:
    del true
    liar.over.wait(60)
    return iter(())


def late(liar: Any, true: bytes) -> Any:
    """
    The right answer, after everybody left.
    """
    liar.over.wait(60)
    yield true


def stops(liar: Any, true: bytes) -> Any:
    """
    Half of the right answer, and silence.
    """
    yield true[: len(true) // 2]
    liar.over.wait(60)


def crashes(liar: Any, true: bytes) -> Any:
    """
    No byte, and the connection is closed.
    """
    del liar, true
    raise OSError
    yield b""


def cut(liar: Any, true: bytes) -> Any:
    """
    The right answer but for its last byte, and the connection is closed.
    """
    del liar
    yield true[:-1]
    raise OSError


def twice(liar: Any, true: bytes) -> Any:
    del liar
    yield true + true


def slowly(liar: Any, true: bytes) -> Any:
    """
    In time, byte by byte.
    """
    del liar
    for index in range(len(true)):
        yield true[index : index + 1]


def out_of_order(liar: Any, true: bytes) -> Any:
    """
    The answer to a question from before.
    """
    before = liar.last or head(200, 2) + b"{}"
    liar.last = true
    yield before


def huge(declared: bool) -> Any:  # noqa: FBT001
    def answer(liar: Any, true: bytes) -> Any:
        yield head(int(true.split()[1]), HUGE if declared else None)
        for _ in range(HUGE >> 16):
            liar.sent += 1 << 16
            yield b" " * (1 << 16)

    return answer


ERROR, FAIL, PASS = ("error", 3), ("fail", 1), ("pass", 0)

LIES = {
    "hangs": (hangs, ERROR, "no whole answer"),
    "answers late": (late, ERROR, "no whole answer"),
    "stops half way": (stops, ERROR, "no whole answer"),
    "crashes": (crashes, FAIL, "closed"),
    "is cut off": (cut, FAIL, "not the whole"),
    "answers twice": (twice, PASS, ""),
    "answers slowly": (slowly, PASS, ""),
    "answers out of order": (out_of_order, FAIL, ""),
    "answers 100 MB": (huge(declared=True), FAIL, "larger"),
    "answers 100 MB unasked": (huge(declared=False), FAIL, "larger"),
    "answers no UTF-8": (body(b'{"instanceID": "\xff\xfe"}'), FAIL, ""),
    "answers no text": (body(bytes(range(256))), FAIL, ""),
    "answers a list": (body(b"[]"), FAIL, ""),
    "answers null": (body(b"null"), FAIL, ""),
    "answers a number": (body(b"7"), FAIL, ""),
    "answers a text": (body(b'"RUNNING"'), FAIL, ""),
    "answers other types": (body(b'{"instanceID": 7, "runtimeStatus": [], "properties": "x"}'), FAIL, ""),
    "answers half a document": (body(b'{"instanceID": "a"'), FAIL, ""),
    "answers a deep document": (body(b"[" * 100_000), FAIL, ""),
    "answers a long number": (body(b'{"instanceID": ' + b"9" * 100_000 + b"}"), FAIL, ""),
}


class Liar:
    """
    True to the table, but for one operation on the instance that is lied about.
    """

    def __init__(self, toy: Any, operation: str, lie: Any) -> None:
        self._toy, self._operation, self._lie = toy, operation, lie
        self.over = threading.Event()
        self.last, self.sent, self.lies = b"", 0, 0

    def __call__(self, method: Any, target: Any, headers: Any, body: Any) -> Any:
        true = self._toy(method, target, headers, body)
        if "-liar" not in target or self._operation != self._asked(method, target):
            return iter([true])
        self.lies += 1
        return self._lie(self, true)

    def _asked(self, method: str, target: str) -> str:
        return "get" if method == "GET" else target.partition("?")[0].rpartition("/")[2]


@pytest.fixture
def lied_to(command: Any, folder: Any, peer: Any, toy: Any, events: Any) -> Any:
    """
    A run of two cases against a server that lies in one of them.
    """
    liars = []

    def call(operation: str, lie: Any) -> Any:
        liar = Liar(toy(), operation, lie)
        liars.append(liar)
        where = folder(a__liar=TALK.replace("NAME", "liar"), b__true=TALK.replace("NAME", "wf"))
        options = ("--scenarios", where, "--time-scale", "0.04", "--surface", "http/v1.0", "-j", "1")
        code, shown, complaint = command("run", "--server", peer(liar).url, *options)
        liar.over.set()
        cases = {one["case"].partition("@")[0]: one for one in events("case")}
        return code, cases, liar, shown + complaint

    yield call
    for liar in liars:
        liar.over.set()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_has_its_outcome_and_the_run_goes_on(lied_to: Any, events: Any, lie: str, operation: str) -> None:
    """
    No answer is an error, what is no right answer a failure, what is only slow or too much neither; in its own case.
    """
    answer, (result, exit_code), words = LIES[lie]
    code, cases, liar, _ = lied_to(operation, answer)

    assert liar.lies > 0
    assert cases["a/liar"]["result"] == result, cases["a/liar"]["cause"]
    assert words in cases["a/liar"]["cause"]
    assert cases["b/true"]["result"] == "pass", cases["b/true"]
    assert code == exit_code
    footer = events("footer")[0]
    assert footer["complete"]
    assert footer["checks"]["failed"] > 0 or result == "pass"


@pytest.mark.parametrize("operation", ["start", "get"])
@pytest.mark.parametrize("lie", ["answers 100 MB", "answers 100 MB unasked"])
def test_a_huge_answer_is_not_read(lied_to: Any, events: Any, operation: str, lie: str) -> None:
    """
    Of 100 MB a few are taken off the wire, fewer are held, and next to nothing is recorded.
    """
    tracemalloc.start()
    try:
        _, _, liar, shown = lied_to(operation, LIES[lie][0])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    asked = max(liar.lies, 1)
    assert liar.sent / asked < 2 * connection.MAX_BODY + (8 << 20)  # what was read, and what the sockets hold
    assert peak < HUGE // 2
    assert len(json.dumps(events())) + len(shown) < 1 << 20


def test_an_answer_that_never_ends_ends(peer: Any, reach: Any) -> None:
    """
    A body without an end is left at the bound, whatever its framing.
    """
    sent = []

    def endless(*_: Any) -> Any:
        yield b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            sent.append(1 << 16)
            yield b"10000\r\n" + b"x" * (1 << 16) + b"\r\n"

    seen = reach(peer(endless).url).ask(Request("GET", b"/x"))

    assert (seen.status, seen.trouble) == (None, "protocol")
    assert sum(sent) < 2 * connection.MAX_BODY + (8 << 20)


@pytest.mark.parametrize("after", range(1, 11))
def test_a_server_that_dies_at_any_step_ends_the_run(  # noqa: PLR0913, PLR0917 - fixtures
    command: Any, folder: Any, peer: Any, toy: Any, events: Any, after: int
) -> None:
    """
    Exit 3, no verdict, a footer that says so: wherever in a conversation it was.
    """
    engine, asked = toy(), []

    def mortal(method: Any, target: Any, headers: Any, body: Any) -> Any:
        if "-liar" in target:
            asked.append(target)
        return None if len(asked) >= after else engine(method, target, headers, body)

    where = folder(a__liar=TALK.replace("NAME", "liar"), b__true=TALK.replace("NAME", "wf"))
    server = peer(mortal)
    code, shown, _ = command(
        "run", "--server", server.url, "--scenarios", where, "--time-scale", "0.02", "--surface", "http/v1.0", "-j", "1"
    )

    footer = events("footer")[0]
    assert code == 3
    assert not footer["complete"]
    assert server.url in footer["reason"]
    assert "INCOMPLETE" in shown
    results = {one["case"].partition("@")[0]: one["result"] for one in events("case")}
    assert results["b/true"] == "not_run"
    assert results["a/liar"] in ("error", "not_run")
