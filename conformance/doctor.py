"""
`workflow-conformance doctor`: proves a driver before an SDK is blamed.

Rule 1: a failing check is the driver's, with what it said; nothing here is a verdict on the SDK or on the server.
Rule 2: what a driver declares decides what is asked of it; hello, an unknown op, an echo and a clean stop always are.
"""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

import spec

from . import target
from .contract import Contract
from .crew import endpoint
from .driver import Driver
from .errors import KitError
from .identity import Tokens, run_token
from .launch import CLIENT, WORKER, asked, launch
from .match import MISSING, Names, Text, differences
from .plan import surfaces
from .preflight import ECHO, preflight
from .process import BrokenError, LateError, WrongError
from .report.text import clean
from .session import Options, asking, reached, wired
from .talk import Server
from .wires import asks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from .launch import Launch
    from .target import Target

PATIENCE = 30.0
"""Seconds for one answer, and for an echo to complete."""

PAYLOAD = {"text": 'ä \U0001f600 \u2028 \\ "', "number": 7, "list": [None, True, 0.5, ""], "nothing": {}}
"""What is echoed: it takes escapes, and more than ASCII."""

BESIDE = 3.0
"""Seconds that a wait is given for what does not come."""


class _FailedError(Exception):
    """
    A check of the driver failed; the text says how.
    """


@dataclass(frozen=True, slots=True)
class _Patient:
    """
    A driver that is examined, and what it may use.
    """

    driver: Driver
    launch: Launch
    started: Target
    options: Options
    token: str
    name: Callable[[], str]

    def ask(self, op: str, **words: Any) -> Any:
        try:
            return self.driver.ask(op, words, PATIENCE * self.options.scale)
        except (BrokenError, LateError, WrongError) as error:
            raise _FailedError(f"{op}: {error}") from None

    def well(self, op: str, **words: Any) -> Mapping[str, Any]:
        answer = self.ask(op, **words)
        if answer.ok is None:
            raise _FailedError(f"{op}: {answer.error['type']}: {answer.error['message']} ({answer.error['class']})")
        return dict(answer.ok)


def doctor(given: str, role: str, options: Options, cache_dir: Path | None) -> int:
    """
    Examine one driver and tell every check; the exit code.
    """
    ready = launch(asked(given, role), cache_dir)
    chosen, token = reached(options)
    tokens = Tokens(run_token(secrets.choice))
    failed = 0
    with target.running(chosen.with_worker() if role == WORKER else chosen, token=token) as started:
        driver = Driver(ready, endpoint(started, token), scale=options.scale)
        patient = _Patient(driver, ready, started, options, token, tokens.next)
        try:
            for name, check in _checks(role):
                failed += not _told(name, check, patient)
                if failed and not driver.hello:
                    break
        finally:
            driver.stop()
    fit = f"{failed} check{'s' * (failed > 1)} failed" if failed else "fit to be trusted"
    click.echo(f"{role} {ready.name}: {fit}")
    return 1 if failed else 0


def _told(name: str, check: Callable[[_Patient], str], patient: _Patient) -> bool:
    try:
        said, good = check(patient), True
    except (_FailedError, KitError) as error:
        said, good = str(error), False
    shown = "\n".join(map(clean, said.split("\n")))
    click.echo(f"{'ok  ' if good else 'FAIL'}  {name:<16}  {shown}".rstrip())
    return good


def _checks(role: str) -> Iterator[tuple[str, Callable[[_Patient], str]]]:
    yield "hello", _hello
    yield "unknown op", _unknown
    if role == CLIENT:
        yield "echo", _echo
        yield "absence", _absence
        yield "side by side", _beside
    else:
        yield "echo", _hosts
    yield "stop", _stop
    yield "end of stdin", _end


def _hello(patient: _Patient) -> str:
    hello = patient.driver.start()
    sdk = hello["sdk"]
    more = f", speaks {hello['surface']}, {' '.join(hello['verbs'])}" if "surface" in hello else ""
    return f"{sdk['name']} {sdk['version']} ({sdk['language']}){more}"


def _unknown(patient: _Patient) -> str:
    answer = patient.ask("levitate")
    found = answer.error["class"] if answer.error else "ok"
    if found != "unsupported":
        raise _FailedError(f"an op that does not exist is answered with {found}; the class unsupported is expected")
    return ""


def _echo(patient: _Patient) -> str:
    hello = patient.driver.hello
    need = {"start", "get"} - {*hello["verbs"]}
    if need:
        raise _FailedError(f"a client has at least {' and '.join(sorted(need))}")
    instance = patient.name() + "-doctor"
    made = patient.well("start", workflow=ECHO, instance=instance, input=PAYLOAD)["instance"]
    if made != instance:
        raise _FailedError(f"start was given the ID {instance} and answers {made}")
    names, until = _completed(hello), time.monotonic() + PATIENCE * patient.options.scale
    while True:
        state = patient.well("get", instance=instance)["state"]
        if state and state["status"] in names:
            break
        if time.monotonic() > until:
            raise _FailedError(f"the echo does not come to {' or '.join(names)}; last seen: {state}")
        time.sleep(0.05)
    lacking = [one for one in hello["fields"] if one not in state]
    if lacking:
        raise _FailedError(f"a state lacks {', '.join(lacking)}, which hello says that it carries")
    if "output" in hello["fields"]:
        _same(state["output"])
    return f"{state['status']}, with {', '.join(hello['fields'])}"


def _same(output: Any) -> None:
    found = differences(PAYLOAD, MISSING if output is None else Text(output), Names(), "output")
    if found:
        raise _FailedError(f"what was echoed came back changed: {'; '.join(map(str, found))}")


def _completed(hello: Mapping[str, Any]) -> list[str]:
    """
    The SDK's names of the states that a completion leads to.
    """
    machine = spec.load().machine
    states = {state for row in machine.table.values() for state in row["complete"].settles}
    words = sorted({machine.states[one].reported[hello["surface"]] for one in states})
    lacking = [one for one in words if one not in hello["statuses"]]
    if lacking:
        raise _FailedError(f"hello gives no name for {', '.join(lacking)} in statuses")
    return [hello["statuses"][one] for one in words]


def _absence(patient: _Patient) -> str:
    answer = patient.ask("get", instance=patient.name() + "-nobody")
    if answer.error:
        return f"an error, {answer.error['class']}: {answer.error['type']}"
    return "no state" if answer.ok["state"] is None else f"a state: {answer.ok['state']}"


def _beside(patient: _Patient) -> str:
    """
    A wait that has long to go must not keep a get; and answers find their requests.
    """
    instance = patient.name() + "-beside"
    patient.well("start", workflow="ConformanceScript", instance=instance, input={"do": [{"wait_event": "go"}]})
    with ThreadPoolExecutor(9) as pool:
        waits = "wait_completion" in patient.driver.hello["verbs"]
        wait = pool.submit(patient.ask, "wait_completion", instance=instance, timeout=BESIDE) if waits else None
        asked = [pool.submit(patient.well, "get", instance=instance) for _ in range(8)]
        found = {one.result()["state"]["instance"] for one in asked}
        kept = wait is not None and wait.done() and wait.result().error is None
    if found != {instance} or kept:
        raise _FailedError("a get was kept waiting, or answered with another instance")
    return "a wait keeps no get" if waits else ""


def _hosts(patient: _Patient) -> str:
    contract = Contract(spec.openapi())
    started = replace(
        patient.started, workflows={**patient.started.workflows, **patient.driver.hello.get("workflows", {})}
    )
    wires = wired(started, patient.options, patient.token)
    try:
        calls = next(iter(asks(surfaces(contract), contract, wires, started).values()))
        server = Server(wires, contract, calls.url, lambda _: None, lambda: True)
        machine, scale = spec.load(started.profile).machine, patient.options.scale
        preflight(asking(server, calls), calls, machine, started.capabilities, patient.name() + "-doctor", scale)
    finally:
        wires.close()
    return "ConformanceEcho completes"


def _stop(patient: _Patient) -> str:
    why = patient.driver.stop()
    if why:
        raise _FailedError(why)
    return "exit code 0"


def _end(patient: _Patient) -> str:
    """
    A second process, whose stdin ends without a word.
    """
    again = Driver(patient.launch, endpoint(patient.started, patient.token), scale=patient.options.scale)
    again.start()
    code = again.leave()
    if code != 0:
        raise _FailedError(
            f"at the end of its stdin its exit code is {'none: it was killed' if code is None else code}"
        )
    return "exit code 0"
