"""
The runs of clients x workers -> one page for people: a table, what is red, what is expected, and why.

Rule 1: pure; every figure is counted from the records.
Rule 2: what has no record of its own is told as such: left out, or not run to its end.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .fold import BAD
from .text import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .fold import Fold, Outcome

WORDS = {"pass": "pass", "fail": "fail", "expected_failure": "expected", "unsupported": "unsupported"}
"""What a cell calls the results; all others stand in the way of a verdict, and are failures."""

SHOWN = 12
"""So many pairs of one red are named."""


@dataclass(frozen=True, slots=True)
class Pair:
    """
    A client and a worker, and what came of them: the fold of a record, or why there is none.
    """

    client: str
    worker: str
    found: Fold | None = None
    trouble: str = ""

    @property
    def name(self) -> str:
        """
        What a page calls it.
        """
        return f"{self.client} + {self.worker}"

    @property
    def red(self) -> bool:
        """
        Whether something stands in the way of a green cell.
        """
        return bool(self.trouble or self.reds())

    def counts(self) -> dict[str, int]:
        """
        How many cases there are under each word of a cell.
        """
        told = dict.fromkeys(WORDS.values(), 0)
        for result, number in (self.found.counts() if self.found else {}).items():
            told[WORDS.get(result, "fail")] += number
        return told

    def reds(self) -> list[Outcome]:
        """
        The cases that stand in the way.
        """
        return [one for one in self.found.outcomes() if one.result in BAD] if self.found else []

    def stale(self) -> list[Mapping[str, Any]]:
        """
        The entries of expected failures that nothing failed under.
        """
        return list(self.found.footer.get("stale", ())) if self.found else []


@dataclass(frozen=True, slots=True)
class Left:
    """
    A driver that was left out: its toolchain is not here.
    """

    role: str
    name: str
    why: str


def cell(pair: Pair | None) -> str:
    """
    What stands in the table for a pair.
    """
    if pair is None:
        return "left out"
    if pair.found is None:
        return "**did not run**"
    counts = pair.counts()
    shown = [f"{counts['pass']} pass"]
    shown += [f"**{counts['fail']} fail**"] if counts["fail"] else []
    shown += [f"{counts[word]} {word}" for word in ("expected", "unsupported") if counts[word]]
    shown += ["**not complete**"] if not pair.found.complete else []
    shown += ["**stale**"] if pair.stale() else []
    return ", ".join(shown)


def page(pairs: Sequence[Pair], left: Sequence[Left], command: str) -> str:
    """
    The page to commit. `command` is what writes it anew.
    """
    parts = [
        ["# Clients and workers of SDKs", "", f"Written by `{command}`; each pair is one run of the suite.", ""],
        _versions(pairs),
        _table(pairs, left),
        _left(left),
        _reds(pairs),
        _troubles(pairs),
        _expected(pairs),
    ]
    return "\n".join(row for part in parts for row in part).rstrip("\n") + "\n"


def verdict(pairs: Sequence[Pair], left: Sequence[Left]) -> str:
    """
    The last line on the screen.
    """
    red = sum(one.red for one in pairs)
    out = f"; left out: {', '.join(f'{one.role} {one.name}' for one in left)}" if left else ""
    return f"{len(pairs)} pairs, {red} red{out}"


def _versions(pairs: Iterable[Pair]) -> Iterator[str]:
    headers = [one.found.header for one in pairs if one.found]
    sdks = {(one["role"], one["name"]): one for header in headers for one in header.get("sdks", ())}
    if headers:
        first = headers[0]
        hashes = {header["kit"]["spec_sha256"][:12] for header in headers}
        runtime = first["target"]["version"]
        yield (
            f"Kit {first['kit']['version']}, spec {' and '.join(sorted(hashes))}, profile {first['profile']}, "
            f"server {first['target']['name']}{f' ({runtime})' if runtime else ''}, Python {first['python']}."
        )
        yield ""
    yield from ("| role | name | SDK | version | surface |", "|---|---|---|---|---|")
    for (role, name), one in sorted(sdks.items()):
        yield f"| {role} | `{name}` | `{one['sdk']}` | {one['version']} | {one.get('surface', '')} |"
    yield ""


def _table(pairs: Sequence[Pair], left: Sequence[Left]) -> Iterator[str]:
    out = {(one.role, one.name) for one in left}
    by_name = {(one.client, one.worker): one for one in pairs}
    clients = list(dict.fromkeys([*(one.client for one in pairs), *(name for role, name in out if role == "client")]))
    workers = list(dict.fromkeys([*(one.worker for one in pairs), *(name for role, name in out if role == "worker")]))
    yield f"| client | {' | '.join(f'`{one}`' for one in workers)} |"
    yield f"|---|{'---|' * len(workers)}"
    for client in clients:
        told = [_place(by_name.get((client, worker)), client, worker, out) for worker in workers]
        yield f"| `{client}` | {' | '.join(told)} |"
    yield ""


def _place(pair: Pair | None, client: str, worker: str, out: set[tuple[str, str]]) -> str:
    missing = ("client", client) in out or ("worker", worker) in out
    return cell(pair) if pair or missing else ""


def _left(left: Sequence[Left]) -> Iterator[str]:
    if left:
        yield from ("## Left out", "")
        yield from (f"- {one.role} `{one.name}`: {line(one.why)}" for one in left)
        yield ""


def _reds(pairs: Sequence[Pair]) -> Iterator[str]:
    """
    Every case that is red without an explanation, with the pairs that it is red in.
    """
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    why: dict[tuple[str, str], str] = {}
    for pair in pairs:
        for one in pair.reds():
            key = (_scenario(one.case), one.reason[1])
            places[key].append(pair.name)
            why.setdefault(key, f"{one.result}: {one.why}")
    yield from ("## Red and not explained", "")
    if not places:
        yield from ("Nothing.", "")
        return
    yield from ("| scenario | rule | what | pairs |", "|---|---|---|---|")
    for (scenario, rule), where in sorted(places.items()):
        more = f" and {len(where) - SHOWN} more" if len(where) > SHOWN else ""
        what = _cell(why[scenario, rule])
        yield f"| {scenario} | {rule} | {what} | {', '.join(where[:SHOWN])}{more} |"
    yield ""


def _troubles(pairs: Sequence[Pair]) -> Iterator[str]:
    told = [f"- {one.name}: {line(one.trouble)}" for one in pairs if one.trouble]
    told += [
        f"- {one.name}: nothing fails any more under {entry.get('case') or entry.get('rule')} ({entry['reason']})"
        for one in pairs
        for entry in one.stale()
    ]
    if told:
        yield from ("## Pairs with trouble", "", *map(line, told), "")


def _expected(pairs: Sequence[Pair]) -> Iterator[str]:
    """
    What is expected to fail, by its entry, with the number of pairs and of cases that it explains.
    """
    entries: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for pair in pairs:
        for one in pair.found.outcomes() if pair.found else ():
            if one.result == "expected_failure" and one.expected:
                entry = one.expected
                key = (str(entry.get("target", "")), str(entry["reason"]), str(entry.get("link", "")))
                entries[key].append((pair.name, _scenario(one.case)))
    if not entries:
        return
    yield from ("## Expected", "", "Known defects, each with its evidence, as they ship beside the drivers.", "")
    yield from ("| target | reason | scenarios | pairs |", "|---|---|---|---|")
    for (about, reason, link), places in sorted(entries.items()):
        scenarios = sorted({scenario for _, scenario in places})
        many = f"{len({name for name, _ in places})}"
        told = f"[{_cell(reason, 1000)}]({link})" if link else _cell(reason, 1000)
        yield f"| `{about}` | {told} | {', '.join(scenarios)} | {many} |"
    yield ""


def _scenario(case: str) -> str:
    """
    A case without its surface.
    """
    name, _, rest = case.partition("@")
    return f"{name}[{rest.partition('[')[2]}" if "[" in rest else name


def _cell(text: str, width: int = 240) -> str:
    return line(text, width).replace("|", "\\|")
