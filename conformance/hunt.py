"""
A server that is known to be wrong, and the cases that should say so.

Rule 1: a mutant is killed only by a check that carries a rule it breaks and whose comparison failed; any other failure
is told apart, also that no answer came, unless answers are what the mutant withholds.
Rule 2: cases that carry such a rule come first, the likeliest before the others; the rest tells what else would see it.
Rule 3: what a busy machine can be the reason of, an effect that did not come in its time, must happen again.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

from .case import Facts, attempt, sweep
from .exchange import Request
from .identity import Allocator, Tokens
from .plan import surfaces
from .scenario import LOOKS
from .talk import Server
from .target import Target
from .wires import Wires, asks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    import spec

    from .case import Outcome
    from .channel import Channel
    from .contract import Contract
    from .mutants import Mutant
    from .plan import Case

DEADLINE = 2.0
"""Seconds for one exchange; an answer that comes later is none."""

SCALE = 0.5
"""What waits are multiplied with: our own server settles at once."""

TOKEN_HEADER, TOKEN, PREFIX = "dapr-api-token", "gallery-token", "mutant"
HOLDS = {"hold_pending": "PENDING", "hold_stalled": "STALLED", "api_token": "token"}
PLAIN = "plain"

AGAIN = 3
"""Hunts, at most, until two late kills of a mutant are the same."""

Verdict = Literal["killed", "killed_otherwise", "survived"]


@dataclass(frozen=True, slots=True)
class Kill:
    """
    What became of a mutant: the case and the rule that it failed under, and how many cases it took. `late`: a time was
    over, and it was not yet seen again.
    """

    mutant: Mutant
    verdict: Verdict
    case: str = ""
    rule: str = ""
    why: str = ""
    cases: int = 0
    late: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """
    Where is hunted: the server of all mutants, and the plan of each profile.
    """

    url: str
    grpc: Channel | str
    contract: Contract
    machine: spec.Machine
    tokens: Tokens
    cases: Mapping[str, Sequence[Case]] = field(default_factory=dict)


def hunt(mutant: Mutant, ground: Ground) -> Kill:
    """
    Run the cases that carry a rule of the mutant until one kills it.
    """
    cases, _ = order(mutant, ground.cases[mutant.profile])
    with Prey(mutant.name, ground) as prey:
        other: Kill | None = None
        for number, case in enumerate(cases, 1):
            found = judged(mutant, case, prey.run(case), number)
            if found.verdict == "killed":
                return found
            other = other or (found if found.verdict != "survived" else None)
        return other or Kill(mutant, "survived", cases=len(cases))


def confirmed(kill: Kill, ground: Ground) -> Kill:
    """
    A late kill, hunted once more from the beginning: it counts where it happens again in the same case, or in time.
    """
    for _ in range(AGAIN):
        again = hunt(kill.mutant, ground)
        if again.verdict != "killed" or not again.late or again.case == kill.case:
            return replace(again, late=False)
        kill = again
    return Kill(kill.mutant, "survived", cases=kill.cases)


def scour(mutant: Mutant, ground: Ground, pool: Executor) -> Callable[[], Kill]:
    """
    Begin to run, side by side, every case that carries no rule of the mutant; what is returned waits for the end.
    """
    _, cases = order(mutant, ground.cases[mutant.profile])
    prey = Prey(mutant.name, ground)
    prey.ready()
    begun = [(case, pool.submit(prey.run, case)) for case in sorted(cases, key=_lasts, reverse=True)]

    def wait() -> Kill:
        with prey:
            found = [judged(mutant, case, one.result(), len(cases)) for case, one in begun]
        return next((one for one in found if one.verdict != "survived"), Kill(mutant, "survived", cases=len(cases)))

    return wait


def judged(mutant: Mutant, case: Case, outcome: Outcome, number: int) -> Kill:
    """
    What an outcome says of a mutant.
    """
    if outcome.result == "pass":
        return Kill(mutant, "survived", cases=number)
    failing = outcome.failing
    if mutant.withholds:
        failing = [(rule, outcome.cause) for rule, result in outcome.rules if result != "pass"]
    right = [(rule, why) for rule, why in failing if rule in mutant.rules]
    if not right:
        broken = next((rule for rule, result in outcome.rules if result != "pass"), "")
        return Kill(mutant, "killed_otherwise", case.name, broken, outcome.cause, number)
    in_time = [one for one in right if one[0] not in outcome.late]
    rule, why = (in_time or right)[0]
    return Kill(mutant, "killed", case.name, rule, why, number, late=not in_time and not mutant.withholds)


def order(mutant: Mutant, cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    """
    The cases that carry a rule of the mutant, those whose names are like its name first, then the quick before the
    slow; and the others.
    """
    named = _words(mutant.name)
    rules = set(mutant.rules)

    def rank(case: Case) -> tuple[int, float, str]:
        return -len(named & _words(case.scenario.id)), _lasts(case), case.name

    ordered = sorted(cases, key=rank)
    return [one for one in ordered if _carries(one, rules)], [one for one in ordered if not _carries(one, rules)]


def _carries(case: Case, rules: set[str]) -> bool:
    return any(check.rule in rules for check in case.checks)


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", name.lower().removesuffix("/reply")))


def _lasts(case: Case) -> float:
    return sum(float(one.step.call.get("for", 0)) for one in case.steps if one.step.verb in LOOKS)


class Prey:
    """
    One mutant in the gallery, in each of the ways that cases need a server to be.
    """

    def __init__(self, name: str, ground: Ground) -> None:
        self._name, self._ground = name, ground
        states = ground.machine.states.values()
        self._ended = frozenset(word for one in states if one.terminal for word in one.reported.values())
        self._held: dict[str, Server] = {}
        self._facts: dict[str, Facts] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """
        Nothing is asked for yet.
        """
        return self

    def __exit__(self, *_: object) -> None:
        """
        Let the gallery forget what was built.
        """
        for server in self._held.values():
            server.connection.ask(Request("DELETE", b""), DEADLINE)
        self._stack.close()

    def ready(self) -> None:
        """
        Have the mutant built in every way, before several threads ask for it.
        """
        for hold in (PLAIN, *HOLDS.values()):
            self._held[hold] = self._built(hold)

    def run(self, case: Case) -> Outcome:
        """
        One case against the mutant; once more where no answer came, which a machine that is busy can be the reason of.

        What other cases got no answer to does not count: one that breaks the mutant must not speak for the next.
        """
        hold = next((HOLDS[one] for one in case.scenario.requires if one in HOLDS), PLAIN)
        if hold not in self._held:
            self._held[hold] = self._built(hold)
        server = self._held[hold].afresh()
        own = server.asks[case.surface.name]
        facts = self._facts[hold]
        outcome = attempt(case, 1, server, own, facts)
        return attempt(case, 2, server, own, facts) if outcome.result == "error" else outcome

    def _built(self, hold: str) -> Server:
        ground = self._ground
        prefix = f"{quote(self._name, safe='')}/{hold}"
        one = Target(prefix, server=f"{ground.url}/{prefix}")
        headers = {PREFIX: prefix, **({TOKEN_HEADER: TOKEN} if hold == HOLDS["api_token"] else {})}
        wires = Wires(one.server, ground.grpc, headers=headers, deadline=DEADLINE)
        self._stack.callback(wires.close)
        calls = asks(surfaces(ground.contract), ground.contract, wires, one)
        first = next(iter(calls.values()))
        allocator = Allocator(lambda name: sweep(wires.ask, first, name, self._ended, DEADLINE))
        self._facts[hold] = Facts(allocator, ground.tokens.next, self._ended, keep=True)

        def again() -> None:
            wires.ask(Request("PUT", b""), DEADLINE)

        return Server(wires, ground.contract, one.server, lambda _: None, lambda: True, again, SCALE, calls)
