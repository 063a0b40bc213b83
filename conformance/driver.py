"""
The conversation with one driver, from hello to stop.

Rule 1: a driver that breaks off is started again, once; the call that it broke off in is an error all the same.
Rule 2: whatever goes wrong is said with the driver's name, its own last lines, and what to do.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import spec

from .errors import DriverFailed
from .process import Answer, BrokenError, LateError, Process, WrongError, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .launch import Launch

READY = 60.0
"""Seconds until a driver must have answered hello: it loads its SDK, and connects."""

LIVES = 2
"""So often a driver is started in one run."""

PATIENCE = 8
"""So many requests without an answer in one run are taken for a driver that hangs."""


class Driver:
    """
    A driver that is running, or will be after `start`.
    """

    def __init__(self, launch: Launch, endpoint: Mapping[str, str], *, scale: float = 1.0) -> None:
        self.name, self.role = launch.name, launch.role
        self._launch, self._endpoint, self._scale = launch, dict(endpoint), scale
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._reported: Process | None = None
        self._lives = self._silent = 0
        self.hello: Mapping[str, Any] = {}
        self.gone = ""

    def start(self) -> Mapping[str, Any]:
        """
        Start it and greet it; what it says of itself. Raises DriverFailed.
        """
        self._lives += 1
        process = self._spawned()
        try:
            self.hello = self._greeted(process)
        except BaseException:
            process.kill()
            raise
        self._process = process
        return self.hello

    def ask(self, op: str, words: Mapping[str, Any], seconds: float) -> Answer:
        """
        One request and its answer. Raises BrokenError, LateError or WrongError.
        """
        process = self._alive()
        try:
            return checked(process.ask(op, words, seconds), op)
        except BrokenError:
            self._reported = process
            raise
        except LateError as error:
            with self._lock:
                self._silent += 1
                if self._silent >= PATIENCE and not self.gone:
                    self.gone = f"{self.role} {self.name}: {self._silent} requests got no answer; the last: {error}"
                    process.kill()
            raise

    def stop(self) -> str:
        """
        Tell it to stop; in what that went wrong, empty where it did not.
        """
        process, self._process = self._process, None
        if process is None:
            return ""
        try:
            process.ask("stop", {}, READY * self._scale / 4)
            why = ""
        except (BrokenError, LateError) as error:
            why = f"it was told to stop: {error}"
        code = process.leave()
        if code != 0 and not why:
            ending = "it did not end, and was killed" if code is None else f"its exit code is {code}, not 0"
            why = f"it was told to stop: {ending}{process.told()}"
        return f"{self.role} {self.name}: {why}" if why else ""

    def revived(self) -> str:
        """
        Start it again where it has broken off, once; how it broke off, empty where it has not.
        """
        process = self._process
        if process is None or not process.broken or self.gone:
            return ""
        why = process.broken
        with suppress(BrokenError):
            self._alive()
        return f"{self.role} {self.name} broke off: {why}"

    def told(self) -> str:
        """
        The last lines of its stderr.
        """
        return self._process.told() if self._process else ""

    def unsaid(self) -> str:
        """
        How it has broken off without any call that was an error for it, empty where it has not.
        """
        process = self._process
        if process is None or not process.broken or process is self._reported or self.gone:
            return ""
        return f"{self.role} {self.name} broke off after its last answer: {process.broken}"

    def leave(self) -> int | None:
        """
        Let its stdin end; its exit code, None where it had to be killed.
        """
        process, self._process = self._process, None
        return process.leave() if process is not None else None

    def _alive(self) -> Process:
        """
        The process, started again if it has broken off for the first time. Raises BrokenError.
        """
        with self._lock:
            process = self._process
            if process is None:
                raise BrokenError(self.gone or "it is not running")
            if not process.broken:
                return process
            if self.gone:
                raise BrokenError(self.gone)
            why = process.broken
            process.kill()
            self._process = None
            if self._lives >= LIVES:
                self.gone = f"{self.role} {self.name} broke off {self._lives} times, the last time so: {why}"
                raise BrokenError(self.gone)
            try:
                before, now = self.hello, self.start()
            except DriverFailed as error:
                self.gone = f"{self.role} {self.name} broke off, and does not start again: {error}"
                raise BrokenError(self.gone) from None
            if now != before:
                self.gone = f"{self.role} {self.name} broke off, and says another hello than before"
                raise BrokenError(self.gone)
            if process is not self._reported:
                raise BrokenError(f"since its last answer it has broken off: {why}")
            assert self._process is not None  # noqa: S101 - it has just been started
            return self._process

    def _spawned(self) -> Process:
        try:
            return Process(self._launch.argv, self._launch.environment)
        except OSError as error:
            what = f"{self.role} {self.name}: cannot start {self._launch.argv[0]}: {error.strerror or error}"
            raise DriverFailed(
                f"{what}; is it executable, and is its first line an interpreter that is there?"
            ) from None

    def _greeted(self, process: Process) -> Mapping[str, Any]:
        version = spec.drivers()["protocol"]
        words = {"protocol": version, "endpoint": self._endpoint}
        told: Callable[[str], DriverFailed] = lambda why: DriverFailed(f"{self.role} {self.name}: {why}")  # noqa: E731
        try:
            answer = process.ask("hello", words, READY * self._scale)
        except (BrokenError, LateError) as error:
            raise told(f"hello: {error}") from None
        if answer.ok is None:
            assert answer.error is not None  # noqa: S101 - the schema has seen to it
            why = f"{answer.error['type']}: {answer.error['message']} ({answer.error['class']})"
            raise told(f"it cannot load its SDK, or not connect: {why}{process.told()}")
        if answer.ok.get("protocol") != version:
            spoken = answer.ok.get("protocol")
            raise told(f"it speaks version {spoken} of the protocol, the kit version {version}: see spec/DRIVERS.md")
        if answer.ok.get("role") != self.role:
            raise told(f"it is a {answer.ok.get('role')}, no {self.role}; --{answer.ok.get('role')} is its option")
        try:
            return checked(answer, f"hello.{self.role}").ok or {}
        except WrongError as error:
            raise told(f"hello: {error}") from None
