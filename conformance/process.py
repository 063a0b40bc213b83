"""
A process that answers requests, one JSON object a line on its stdin and stdout.

Rule 1: nothing it writes takes more memory than a bound, nothing it does keeps a request longer than its deadline.
Rule 2: what is no answer ends the conversation; an answer that comes too late is dropped.
Rule 3: what we start, we stop: the whole process group, gently and then not.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import select
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs

import spec

from .report.text import clean, line
from .target import stop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_LINE = 16 << 20
"""Longest line that is read, in bytes."""

CHUNK = 1 << 16
TOLD, TOLD_WIDTH = 12, 400
"""Lines of stderr that are kept, and characters of each."""

LEAVING = 5.0
"""Seconds that a process has to end once its stdin is closed."""

BANNER = "stdout belongs to the protocol, one JSON object a line; what is meant for people goes to stderr"


class BrokenError(Exception):
    """
    The conversation is over; the text says why, with the last lines of stderr.
    """


class LateError(Exception):
    """
    No answer came in time.
    """


class WrongError(Exception):
    """
    An answer is not as `spec/schemas/driver.json` says; the text says in what.
    """


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What came back: `ok` or `error`, and the line itself.
    """

    ok: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    text: str = ""


class Process:
    """
    One running driver. Any number of threads may ask at a time.

    Raises OSError where the command cannot be started.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the user's own command
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
            bufsize=0,
        )
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Answer | None]] = {}
        self._late: set[int] = set()
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._told: deque[str] = deque(maxlen=TOLD)
        self._why = ""
        if os.name == "posix":
            os.set_blocking(self._in, False)
        self._errors = threading.Thread(target=self._listen, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._errors.start()
        self._reader.start()

    @property
    def _in(self) -> int:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        return self._process.stdin.fileno()

    @property
    def broken(self) -> str:
        """
        Why the conversation is over, empty while it is not.
        """
        return self._why

    def ask(self, op: str, words: Mapping[str, Any], seconds: float) -> Answer:
        """
        One request and its answer. Raises BrokenError, LateError or WrongError.
        """
        number, until = next(self._numbers), time.monotonic() + seconds
        mine: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        with self._lock:
            if self._why:
                raise BrokenError(self._why)
            self._waiting[number] = mine
        self._write(json.dumps({"id": number, "op": op, **words}, separators=(",", ":")).encode() + b"\n", until)
        try:
            answer = mine.get(timeout=max(until - time.monotonic(), 0.0))
        except queue.Empty:
            with self._lock:
                if self._waiting.pop(number, None) is not None:
                    self._late.add(number)
            raise LateError(f"no answer to {op} within {seconds:.3g} s{self.told()}") from None
        if answer is None:
            raise BrokenError(self._why)
        return answer

    def told(self) -> str:
        """
        The last lines of stderr, to be put behind a sentence.
        """
        return "".join(f"\n  | {one}" for one in self._told)

    def leave(self, seconds: float = LEAVING) -> int | None:
        """
        Close its stdin and wait until it has ended; its exit code, None where it had to be killed.
        """
        with suppress(OSError):
            assert self._process.stdin is not None  # noqa: S101 - it is a pipe
            self._process.stdin.close()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill()

    def kill(self) -> None:
        """
        End it and all that it has started.
        """
        self._over("it was stopped")
        stop(self._process)
        with suppress(OSError):
            assert self._process.stdin is not None  # noqa: S101 - it is a pipe
            self._process.stdin.close()
        for thread in (self._reader, self._errors):
            if thread is not threading.current_thread():
                thread.join(1.0)

    # -- what goes out --

    def _write(self, data: bytes, until: float) -> None:
        if not self._writing.acquire(timeout=max(until - time.monotonic(), 0.0)):
            return  # nobody reads; the wait for the answer says so
        try:
            self._pour(memoryview(data), until)
        except (OSError, ValueError):
            self._reader.join(1.0)  # it is ending; why, the reader knows
            self._over("its stdin is closed")
        finally:
            self._writing.release()

    def _pour(self, data: memoryview, until: float) -> None:
        begun = False
        while data:
            try:
                data, begun = data[os.write(self._in, data) :], True
            except BlockingIOError:
                if select.select([], [self._in], [], max(until - time.monotonic(), 0.0))[1]:
                    continue
                if begun:
                    self._over("it has stopped reading its stdin in the middle of a request")
                return

    # -- what comes in --

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        held = bytearray()
        with suppress(OSError, ValueError):
            while not self._why and (chunk := self._process.stdout.read(CHUNK)):
                first = len(held)
                held += chunk
                if b"\n" in chunk:
                    *lines, rest = bytes(held).split(b"\n")
                    held = bytearray(rest)
                    for one in lines:
                        self._heard(one)
                elif first + len(chunk) > MAX_LINE:
                    self._over(f"it wrote a line of more than {MAX_LINE} bytes to stdout")
        if not self._why:
            self._errors.join(1.0)
            self._over(_ended(self._process))

    def _heard(self, raw: bytes) -> None:
        if self._why or not raw.strip():
            return
        try:
            message = json.loads(raw)
        except (ValueError, RecursionError):
            self._over(f"it wrote to stdout what is no message: {line(raw[:200].decode('utf-8', 'replace'))}; {BANNER}")
            return
        problem = next(iter(problems("answer", message)), "")
        if problem:
            self._over(f"it wrote to stdout what is no answer: {problem}: {line(raw[:200].decode('utf-8', 'replace'))}")
            return
        with self._lock:
            mine = self._waiting.pop(message["id"], None)
            late = message["id"] in self._late
            self._late.discard(message["id"])
        if mine is not None:
            mine.put(Answer(message.get("ok"), message.get("error"), raw.decode()))
        elif not late:
            self._over(f"it answered {message['id']}, which nobody asked, or a second time")

    def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe
        with self._process.stderr as stream, suppress(OSError, ValueError):
            while raw := stream.readline(1 << 14):
                text = clean(raw.decode("utf-8", "replace").rstrip())
                if text:
                    self._told.append(text[:TOLD_WIDTH])

    def _over(self, why: str) -> None:
        """
        End the conversation, once.
        """
        with self._lock:
            if self._why:
                return
            self._why = why + self.told()
            waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.put(None)


def _ended(process: subprocess.Popen[bytes]) -> str:
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(1.0)
        return f"it ended {f'with exit code {code}' if code >= 0 else f'by signal {-code}'}"
    return "it closed its stdout"


def checked(answer: Answer, name: str) -> Answer:
    """
    An answer whose `ok` is as the schema says, where it has such an op. Raises WrongError.
    """
    known = f"ok.{name}" in _definitions()
    wrong = problems(f"ok.{name}", answer.ok) if answer.ok is not None and known else []
    if wrong:
        raise WrongError(f"the answer is not as schemas/driver.json says: {'; '.join(wrong[:3])}")
    return answer


@cache
def _definitions() -> Mapping[str, Any]:
    return dict(spec.schema("driver")["$defs"])


def problems(name: str, value: Any) -> list[str]:
    """
    In what a value is not as a definition of `spec/schemas/driver.json`.
    """
    found = _validator(name).iter_errors(value)
    return [f"{'.'.join(map(str, one.instance_path)) or name}: {one.message[:200]}" for one in found]


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _definitions()})
