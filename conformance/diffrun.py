"""
The same plan and the same walks on two servers, and only where they differ.

Rule 1: both sides run as `run` does: the same plan, each with its own tokens, preflight and clean-up.
Rule 2: what we start, we stop, also when a side hangs.
Rule 3: exit 3 (a side could not run) comes before 1 (they differ), and 1 before 0.
"""

from __future__ import annotations

import queue
import re
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from . import load, session, target
from .abreast.session import Abreast, Asked
from .compare import SIDES, Comparison, groups
from .contract import Contract
from .errors import CannotRun, UsageError
from .plan import plan
from .provenance import kit_version, spec_sha256
from .reach import arrived
from .record import Record, hidden
from .report.text import clean, short
from .run import LEAVING
from .wires import addressed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import spec

    from .plan import Plan
    from .session import Options
    from .target import Target

Event = dict[str, Any]

TOLD = 25
"""So many differences are written out; the others are in the record."""

_URL = re.compile(r"[a-z]+://.*|[\w.-]+:\d+(/.*)?", re.IGNORECASE)


@dataclass(slots=True)
class _Side:
    options: Options
    chosen: Target
    token: str
    footer: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""


def run(options: Options, left: str, right: str, asked: Asked) -> int:
    """
    The whole of `workflow-conformance diff-run`; the exit code.
    """
    sides = {name: _side(options, given) for name, given in zip(SIDES, (left, right), strict=True)}
    held = session.profile(options.profile or sides["a"].chosen.profile)
    planned = _plan(options, held, sides)
    secrets = [
        one for side in sides.values() for one in (side.token, *hidden({**side.chosen.headers, **options.headers}))
    ]
    began = time.monotonic()
    try:
        with Record(options.out / "diff-run.jsonl", secrets) as record:
            return _Pair(held, planned, sides, record).go(began, asked)
    except OSError as error:
        raise CannotRun(f"--out {options.out}: cannot be written: {error.strerror or error}") from None


def _side(options: Options, given: str) -> _Side:
    """
    A side from an address, or from the name or file of a target.
    """
    address = given if _URL.fullmatch(given) else ""
    own = replace(options, profile="", server=address, target="" if address else given)
    chosen, token = session.reached(own)
    addressed(chosen, options.ca)
    return _Side(own, chosen, token)


def _plan(options: Options, held: spec.Spec, sides: Mapping[str, _Side]) -> Plan:
    """
    The cases that both sides are capable of.
    """
    capable = [side.chosen.capable(token=bool(side.token)) for side in sides.values()]
    both = [one for one in capable[0] if one in capable[1]]
    only = any(side.chosen.only_required for side in sides.values())
    scenarios = load.scenarios(options.scenarios)
    ports = [one for one in sides["a"].chosen.ports if one in sides["b"].chosen.ports]
    planned = plan(scenarios, held, Contract(held.openapi), options.selection, both, only_required=only, ports=ports)
    if not planned.count:
        raise UsageError(
            "no case is selected that both are capable of; `workflow-conformance list cases` shows all names"
        )
    return planned


class _Pair:
    def __init__(self, held: spec.Spec, planned: Plan, sides: Mapping[str, _Side], record: Record) -> None:
        self._spec, self._plan, self._sides, self._record = held, planned, sides, record
        self._comparison = Comparison(planned.cases, held)
        self._events: queue.SimpleQueue[tuple[str, Event | None]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._found: list[Event] = []
        self._walks: Abreast | None = None

    def go(self, began: float, asked: Asked) -> int:
        """
        From header to footer.
        """
        reason = ""
        with ExitStack() as stack:
            try:
                for side in self._sides.values():
                    side.chosen = stack.enter_context(target.running(side.chosen))
                self._record.write(self._header())
                self._follow()
                if asked.walks and not self._bad():
                    self._walk(stack, asked)
            except CannotRun as error:
                reason = str(error)
            except KeyboardInterrupt:
                reason = "interrupted"
                self._leave()
        return self._finish(reason, began)

    def _follow(self) -> None:
        """
        Run both sides, and compare as cases end.
        """
        for name in SIDES:
            threading.Thread(target=self._run, args=(name,), daemon=True).start()
        running = len(SIDES)
        while running:
            name, event = self._next()
            if event is None:
                running -= 1
                continue
            if event["event"] == "header":
                self._sides[name].version = event["target"]["version"]
            for difference in self._comparison.add(name, event):
                self._found.append(difference)
                self._record.write(difference)

    def _walk(self, stack: ExitStack, asked: Asked) -> None:
        """
        Walk both sides, on the surfaces of the plan.
        """
        at = {
            name: stack.enter_context(arrived(side.options, side.chosen, side.token, self._spec))
            for name, side in self._sides.items()
        }
        self._walks = Abreast(at, self._plan.surfaces, max(side.options.scale for side in self._sides.values()))
        try:
            self._walks.walk(asked)
        finally:
            for difference in self._walks.found:
                self._found.append(difference)
                self._record.write(difference)

    def _next(self) -> tuple[str, Event | None]:
        while True:  # a wait without an end could not be interrupted everywhere
            try:
                return self._events.get(timeout=0.5)
            except queue.Empty:
                continue

    def _run(self, name: str) -> None:
        side = self._sides[name]
        try:
            side.footer = session.follow(
                side.options,
                side.chosen,
                self._spec,
                self._plan,
                side.token,
                lambda event: self._events.put((name, event)),
                self._stop,
            )
        except Exception as error:  # noqa: BLE001 - a side that fails is told, never waited for
            side.footer = {"complete": False, "exit": 3, "reason": f"the kit failed: {type(error).__name__}: {error}"}
        finally:
            self._events.put((name, None))

    def _leave(self) -> None:
        """
        Give both sides a moment to let go of their instances.
        """
        self._stop.set()
        until = time.monotonic() + LEAVING
        while any(not side.footer for side in self._sides.values()) and time.monotonic() < until:
            time.sleep(0.02)

    def _header(self) -> Event:
        return {
            "event": "header",
            "version": 1,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kit": {"version": kit_version(), "spec_sha256": spec_sha256()},
            "profile": self._spec.profile.name,
            "surfaces": list(self._plan.surfaces),
            **{name: {"name": side.chosen.name, "server": side.chosen.server} for name, side in self._sides.items()},
            "cases": len(self._plan.cases),
            "command": sys.argv[1:],
        }

    def _bad(self) -> str:
        """
        Which side could not run, and why.
        """
        return "; ".join(
            f"{name.upper()}: {side.footer.get('reason') or 'some of its cases could not run'}"
            for name, side in self._sides.items()
            if not side.footer.get("complete") or side.footer.get("exit") == 3  # noqa: PLR2004 - the exit code of run
        )

    def _finish(self, reason: str, began: float) -> int:
        reason = reason or self._bad()
        walks = self._walks
        code = 3 if reason else 1 if self._found else 0
        says = sum(one["spec"] == "says" for one in self._found)
        footer = {
            "event": "footer",
            "complete": not reason,
            "reason": reason,
            "compared": self._comparison.compared,
            "walks": {
                "moves": walks.moves if walks else 0,
                "left": walks.alike if walks else 0,
                "passing": walks.passing if walks else 0,
            },
            "differences": {"says": says, "silent": len(self._found) - says},
            "versions": {name: side.version for name, side in self._sides.items()},
            "seconds": round(time.monotonic() - began, 3),
            "exit": code,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        self._record.write(footer)
        for line in _text(self._found, footer, self._header(), self._record.path):
            click.echo(line)
        return code


def _text(found: Sequence[Event], footer: Event, header: Event, path: Any) -> Iterator[str]:
    """
    Every difference as people read it, then one line for all.
    """
    told = [_block(one, where) for one, where in groups([one for one in found if one["event"] == "difference"])]
    told += [_parting(one) for one in found if one["event"] == "walk_difference"]
    for block in told[:TOLD]:
        yield ""
        yield from block
    if len(told) > TOLD:
        yield f"\n{len(told) - TOLD} more differences are in {path}"
    if footer["reason"]:
        yield f"\nINCOMPLETE: {clean(footer['reason'])}"
    counts = footer["differences"]
    number = counts["says"] + counts["silent"]
    differ = f"{number} differences ({counts['says']} where the spec says, {counts['silent']} where it is silent)"
    yield f"\nA {header['a']['server']} and B {header['b']['server']}, profile {header['profile']}:"
    walks = footer["walks"]
    moves = f" and {walks['moves']} moves" if walks["moves"] else ""
    yield f"{footer['compared']} cases{moves} compared, {differ if number else 'no difference'}; record {path}"
    if walks["left"]:
        yield f"{walks['left']} instances were left: both do alike what the table does not know"
    if walks["passing"]:
        yield f"{walks['passing']} differences of walks did not show again and do not count"


def _block(one: Event, where: Sequence[str]) -> Iterator[str]:
    yield where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more steps"
    yield from _difference(one)


def _parting(one: Event) -> Iterator[str]:
    """
    A difference of a walk: the cell it concerns, and the moves that lead there.
    """
    first, *others = [f"{cell['state']} x {cell['operation']}" for cell in one["cells"]]
    what = "the answer" if one["kind"] == "answer" else "what both settle in"
    more = f"; also in {', '.join(others)}" if others else ""
    yield f"walk {one['walk']} of seed {one['seed']} on {one['surface']}: {first}: {what}{more}"
    yield f"  moves: {', '.join(one['moves'])}"
    yield from _difference(one)


def _difference(one: Event) -> Iterator[str]:
    if one["request"]:
        yield f"  {clean(one['request'])}"
    for says in one["says"]:
        yield f"  the spec says: {says['statement']} ({says['rule']}): {_kept(says['kept_by'])}"
    if not one["says"]:
        yield f"  the spec is silent: {one['silence']}"
    for place in one["places"]:
        yield f"    {clean(place['path'] or 'answer')}: A {short(place['a'])}, B {short(place['b'])}"
    if one["more"]:
        yield f"    and {one['more']} more places"


def _kept(side: str) -> str:
    if side == "none":
        return "neither keeps it, each in its own way"
    other = next(one for one in SIDES if one != side)
    return f"{side.upper()} keeps it, {other.upper()} does not"


__all__ = ["Asked", "run"]
