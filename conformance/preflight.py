"""
Before the first case: is there a workflow API, and does somebody run the kit workflows?

Rule 1: a run that cannot succeed does not begin; the text says what was seen last and what to do.
Rule 2: nothing here is a verdict on the server.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .errors import NoWorker, Unreachable
from .judge import accepts, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import spec

    from .calls import Asks
    from .exchange import Observation

READY = 10.0
"""Seconds until one ConformanceEcho must have completed."""

PROBE = 5.0
"""Seconds for a look whether a server that gave no answer is still there."""

ECHO = "ConformanceEcho"

UNKNOWN_CALLER = (401, 403, "UNAUTHENTICATED", "PERMISSION_DENIED")
"""The statuses that ask who is calling."""


def preflight(  # noqa: PLR0913, PLR0917 - each is a fact of the run
    ask: Callable[..., Observation],
    calls: Asks,
    machine: spec.Machine,
    capabilities: Sequence[str],
    instance: str,
    scale: float,
    *,
    starts: bool = True,
) -> None:
    """
    Complete one ConformanceEcho and purge it; where nothing is to be started, only ask whether somebody answers.

    Raises Unreachable or NoWorker.
    """
    until = time.monotonic() + READY * scale
    look = ask(calls.operation("get", instance), READY * scale)
    if look.status is None:
        raise Unreachable(
            f"{calls.url} gives no answer: {look.error}\nIs the server running, and is this its {calls.port} port?"
        )
    if not starts:
        return
    begun = ask(
        calls.operation("start", instance, workflow=ECHO, body=b'"ready?"', json=True), until - time.monotonic()
    )
    if begun.status is None:
        raise NoWorker(f"{_nobody(calls)}\nThe start of one hangs: {begun.error}")
    if not accepts(begun):
        raise Unreachable(f"{calls.url} does not start a workflow.\n{_seen(begun)}\n{_advice(calls, begun)}")
    goals = _goals(machine, capabilities)
    _wait(ask, calls, instance, goals, until)
    if not holds(capabilities):
        ask(calls.operation("purge", instance), PROBE * scale)


def holds(capabilities: Sequence[str]) -> bool:
    """
    Whether a target keeps new instances in a state: no start may come to an end there.
    """
    return any(one.startswith("hold_") for one in capabilities)


def alive(ask: Callable[..., Observation], calls: Asks, instance: str, scale: float) -> bool:
    """
    Whether the server answers at all.
    """
    return ask(calls.operation("get", instance), PROBE * scale).status is not None


def _goals(machine: spec.Machine, capabilities: Sequence[str]) -> frozenset[str]:
    """
    The words for an echo that has come as far as it can: completed, or in the state that the target holds.
    """
    held = {f"hold_{name.lower()}": name for name in machine.states}
    states = {held[one] for one in capabilities if one in held}
    if not states:
        states = {state for row in machine.table.values() for state in row["complete"].settles}
    return frozenset(word for one in states for word in machine.states[one].reported.values())


def _wait(ask: Callable[..., Observation], calls: Asks, instance: str, goals: frozenset[str], until: float) -> None:
    pause = 0.005
    while True:
        look = ask(calls.operation("get", instance), max(until - time.monotonic(), 0.05))
        status = _status(look)
        if status in goals:
            return
        if time.monotonic() >= until:
            if not status:
                raise Unreachable(f"{calls.url} accepts a workflow and does not show it.\n{_seen(look)}")
            raise NoWorker(f"{_nobody(calls)}\n{_seen(look)}")
        time.sleep(min(pause, max(until - time.monotonic(), 0)))
        pause = min(pause * 1.6, 0.25)


def _status(look: Observation) -> str:
    return str(shown(look).get("runtimeStatus", "")) if accepts(look) else ""


def _nobody(calls: Asks) -> str:
    return (
        f"no worker hosts the kit workflows at {calls.url}: {ECHO} does not complete.\n"
        "Start an application beside the sidecar that registers ConformanceEcho, ConformanceScript and "
        "ConformanceEchoActivity (`workflow-conformance serve` is a sidecar that has them built in)."
    )


def _seen(look: Observation) -> str:
    if look.status is None:
        return f"Last seen: {look.error}"
    first = " ".join(look.text[:200].split())
    asked = f"{look.request.method} {look.request.target.decode('utf-8', 'replace')}"
    return f"Last seen: {asked} -> {look.status} {look.media} {first}"


def _advice(calls: Asks, look: Observation) -> str:
    if look.status in UNKNOWN_CALLER:
        return "It wants a token: give it with --api-token, or in DAPR_API_TOKEN."
    return f"Is this the {calls.port} port of a sidecar that serves the workflow API, with a state store for actors?"
