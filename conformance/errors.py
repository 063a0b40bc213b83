"""
What can go wrong before there is a verdict, by the step of the conversation it goes wrong in.

    KitError
    |-- UsageError          exit 2   an option, or a name given on the command line
    |   `-- BadFiles        exit 2   scenario, target or expected-failures files; all problems at once
    `-- CannotRun           exit 3   the harness or the target could not run
        |-- Unreachable     exit 3   nothing answers, or something that is no workflow API
        |-- NoWorker        exit 3   the API answers, and nobody runs the kit workflows
        |-- TargetDied      exit 3   a server that we started went away
        `-- DriverFailed    exit 3   a client or worker under test does not start, or not as the protocol says

A wrong answer of a server is never an exception: it is a verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class KitError(Exception):
    """
    Its text says what happened and what to do next; it is shown as it is.
    """

    code = 3


class UsageError(KitError):
    """
    The command line asks for what there is not.
    """

    code = 2


class BadFiles(UsageError):  # noqa: N818 - as spec.BadFile
    """
    Files are wrong; each problem is `file:line:column: offending text: what was expected`.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


class CannotRun(KitError):  # noqa: N818 - it says what it is
    """
    The run cannot go on; what was not executed is not_run.
    """


class Unreachable(CannotRun):
    """
    The server refuses, hangs or speaks something else; the text names the URL and the last thing seen.
    """


class NoWorker(CannotRun):
    """
    The server accepts the kit workflows and nobody completes them.
    """


class TargetDied(CannotRun):
    """
    A server that the kit started did not get ready, or went away; the text quotes its last lines.
    """


class DriverFailed(CannotRun):
    """
    A driver does not start, or says hello in a way that no driver does; the text quotes its last lines.
    """
