"""
The commands that go beyond the scenarios: walk, minimize, diff-run, fuzz, mutants, matrix. Parse and call, no more.

Rule 1: what only one command needs is imported by that command.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import Phases, Scale, addressed, cached, options, reaching, selecting, side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence


WALKS = 3
"""Walks of diff-run, unless cases are chosen."""


@click.command("walk")
@addressed
@click.option("--surface", default="", metavar="S", help="The surface to walk on; http/v1.0 by default.")
@click.option("--seed", type=click.IntRange(0), default=1, metavar="N", help="The same seed draws the same moves.")
@click.option("--steps", type=click.IntRange(1), default=1000, metavar="N", help="Moves of a walk; 1000 by default.")
@click.option("--walks", type=click.IntRange(1), default=1, metavar="N", help="Walks, each until it finds something.")
@click.option("--parallel", type=click.IntRange(1, 16), default=1, metavar="N", help="Threads that ask at once.")
@click.option("--time", "seconds", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Stop after so long.")
def walk_command(**given: Any) -> None:
    """
    Walk a server at random, with the state table as the oracle.

    What is found is shrunk and written as a scenario that `run --scenarios` accepts. With --parallel, the histories of
    operations that overlap are checked for an order that explains them.

    Exit code 0: nothing found. 1: a rule is broken. 2: wrong options. 3: could not run.
    """
    from .walk.session import Asked, walk  # noqa: PLC0415 - rule 1

    own = {key: given[key] for key in ("surface", "seed", "steps", "walks", "parallel", "seconds", "out")}
    raise SystemExit(walk(Asked(options(given), **own)))


@click.command("minimize")
@click.argument("scenario", type=click.Path(path_type=Path))
@addressed
@click.option("--surface", default="", metavar="S", help="The surface it fails on; the first one by default.")
@click.option("--row", default=None, metavar="LABEL", help="The row of its matrix; the first that fails by default.")
@click.option("--rule", default="", metavar="ID", help="The rule it fails under; the first one by default.")
@click.option(
    "-o", "output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there too."
)
def minimize_command(scenario: Path, **given: Any) -> None:
    """
    Reduce a failing scenario to the least that still fails under the same rule.

    All its rows run on every surface; the first that fails is the one that is reduced.
    Exit code 0: done. 2: wrong options, or it does not fail. 3: could not run.
    """
    from .minimize import Asked, minimize  # noqa: PLC0415 - rule 1

    own = {key: given[key] for key in ("surface", "row", "rule", "output")}
    raise SystemExit(minimize(scenario, Asked(options(given), **own)))


@click.command("diff-run")
@click.argument("a")
@click.argument("b")
@selecting
@click.option("-j", "jobs", type=click.IntRange(1, 256), default=None, metavar="N", help="Cases at a time, on each.")
@click.option("--walks", type=click.IntRange(0), default=None, metavar="N", help="Walks; 3, or none of chosen cases.")
@click.option("--steps", type=click.IntRange(1), default=100, metavar="N", help="Moves of a walk; 100 by default.")
@click.option("--seed", type=click.IntRange(0), default=1, metavar="N", help="The same seed draws the same moves.")
@reaching
def diff_run_command(a: str, b: str, *, walks: int | None, steps: int, seed: int, **given: Any) -> None:
    """
    Run the same cases and walks against two servers and show only where they differ.

    A and B are addresses, or names or files of targets. Each difference says whether a rule of the spec speaks of it,
    and who keeps that rule; --profile says which spec, A's own by default. Exit code 0: no difference. 1: differences.
    2: wrong options or files. 3: a side could not run.
    """
    from . import diffrun  # noqa: PLC0415 - rule 1

    one = options(given)
    chosen = one.selection.narrows_cases or one.scenarios
    number = (0 if chosen else WALKS) if walks is None else walks
    raise SystemExit(diffrun.run(one, a, b, diffrun.Asked(number, steps, seed)))


@click.command("fuzz")
@click.option("--seed", type=click.IntRange(1), default=1, metavar="N", help="Of all that is generated; 1 by default.")
@click.option("--phases", type=Phases(), default="coverage,stateful", help="Of Schemathesis: coverage,stateful.")
@click.option(
    "--max-examples", "examples", type=click.IntRange(1), default=50, metavar="N", help="Per operation; 50 by default."
)
@click.option("-j", "jobs", type=click.IntRange(1, 256), default=None, metavar="N", help="Named cases at a time.")
@addressed
def fuzz_command(seed: int, phases: tuple[str, ...], examples: int, **given: Any) -> None:
    """
    Send generated requests: negative cases by name, then Schemathesis with the state table as a check.

    Needs the extra: pip install 'workflow-conformance[fuzz]'. The named cases are recorded and reported as those of
    `run`, their scenarios are written beside the record. Exit code 0: conformant. 1: not conformant. 2: wrong options,
    or the extra is missing. 3: could not run.
    """
    from .fuzzing import command  # noqa: PLC0415 - rule 1

    raise SystemExit(command.run(options(given), command.Fuzzing(seed, phases, examples)))


@click.command("mutants")
@click.option("--mutant", "globs", multiple=True, metavar="GLOB", help="Which; all by default.")
@click.option("-j", "jobs", type=click.IntRange(1, 256), default=None, metavar="N", help="Mutants at a time.")
@click.option("--all", "every", is_flag=True, help="Against every case that may kill it: what scenarios are worth.")
@click.option("--check", is_flag=True, help="Write nothing; fail where reports/mutants.md is not what comes out.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("reports"), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the case that killed each mutant.")
def mutants_command(*, globs: Sequence[str], jobs: int | None, out: Path, **flags: bool) -> None:
    """
    Prove that every check can fail: run the cases against servers that are wrong in one way each.

    With --all, no mutant is left after its first kill: that tells which scenarios kill nothing that others do not, and
    takes minutes. Without, that is kept as it stands in reports/mutants.md.

    Exit code 0: each is killed by a check that carries a rule it breaks, and no scenario is idle. 1: one is not. 3: a
    control was wrong.
    """
    from . import kills  # noqa: PLC0415 - rule 1

    raise SystemExit(kills.prove(globs, jobs or side_by_side(), out, **flags))


@click.command("matrix")
@click.option("--clients", multiple=True, metavar="NAME,...", help="Clients, as --client of run; kit: the kit's own.")
@click.option("--workers", multiple=True, metavar="NAME,...", help="Workers, as --worker of run; builtin: the kit's.")
@click.option("-k", "names", multiple=True, metavar="GLOB", help="Cases, scenarios or areas; !GLOB leaves out.")
@click.option("--profile", default="", metavar="P", help="What everything is held to.")
@click.option("-j", "jobs", type=click.IntRange(1, 64), default=1, metavar="N", help="Pairs at a time.")
@click.option("--time-scale", "scale", type=Scale(), default=1.0, help="Multiplies every wait and deadline.")
@click.option("--fold", is_flag=True, help="Run nothing: write the page from the records that are there.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("reports"), metavar="DIR")
@cached
def matrix_command(names: Sequence[str], profile: str, **given: Any) -> None:
    """
    Run every client with every worker against the reference server, and write one page: sdks.md.

    By default every driver of the kit whose toolchain is here, and the kit's own calls and executor; those left out are
    named. Records stay in the folder sdks beside the page. Exit code 0: nothing is red. 1: something fails that is not
    expected to. 2: wrong options. 3: a pair could not run, or not to its end.
    """
    from . import sdks  # noqa: PLC0415 - rule 1

    more = [*(("--profile", profile) if profile else ()), *(word for one in names for word in ("-k", one))]
    raise SystemExit(sdks.matrix(sdks.Wanted(more=tuple(more), **given)))


COMMANDS = (walk_command, minimize_command, diff_run_command, fuzz_command, mutants_command, matrix_command)
"""In the order in which help shows them."""
