"""
All terminal output of a run: a fold over its events.

Rule 1: without a terminal, plain lines; no colour unless a terminal shows them and NO_COLOR is unset.
Rule 2: what a line says is decided in `report`; here it is only shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from .report.block import brief, failures
from .report.fold import BAD, Fold, facts
from .report.summary import summary
from .report.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from .report.block import Styled
    from .report.fold import Outcome

AT_ONCE = 20
"""So many failures are told while the run goes on; all of them are told at its end."""


LONG = 100
"""So many cases make a run long enough to be told how far it is, where no bar can show it."""


class Screen(Protocol):
    """
    Where lines go, and how far the run is.
    """

    def show(self, line: Styled) -> None:
        """
        Show one line.
        """

    def progress(self, done: int, total: int, bad: int) -> None:
        """
        Show how many cases have ended, and how many of them badly.
        """

    def close(self) -> None:
        """
        Leave the terminal as it was.
        """


def console(stream: TextIO, *, live: bool) -> Console:
    """
    Where to send the events of a run to be shown on a stream; `live` if the stream is a terminal.

    The result is called with each event. Use it as a context manager, or call `close` at the end: only then is
    the terminal given back, and a run without a footer told to be none.
    """
    return Console(Live(stream) if live else Plain(stream))


class Console:
    """
    Shows a run while it happens, then its failures and its summary.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._fold = Fold()
        self._total = self._done = self._bad = 0
        self._ended = False

    def __call__(self, event: Mapping[str, Any]) -> None:
        """
        Show what one event changes.
        """
        outcome = self._fold.add(event)
        match event.get("event"):
            case "header":
                self._header(event)
            case "plan":
                self._total = len(event["cases"]) * self._fold.header.get("repeat", 1)
                self._screen.progress(0, self._total, 0)
            case "case" if outcome:
                self._case(outcome)
            case "footer":
                self._end()

    def __enter__(self) -> Self:
        """
        Nothing to prepare.
        """
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """
        As `close`.
        """
        self.close()

    def close(self) -> None:
        """
        Show the end of a run that has no footer, and give the terminal back.
        """
        if self._fold.header:
            self._end()
        self._screen.close()

    def _header(self, header: Mapping[str, Any]) -> None:
        target, kit = header["target"], header["kit"]
        name, server = clean(target["name"]), clean(target["server"])
        told = f"{name} at {server}" if server else name
        self._screen.show(("strong", f"{told}, profile {clean(header['profile'])}, kit {clean(kit['version'])}"))

    def _case(self, outcome: Outcome) -> None:
        self._done += 1
        if outcome.result in BAD:
            self._bad += 1
            if self._bad <= AT_ONCE:
                self._screen.show(brief(outcome))
            elif self._bad == AT_ONCE + 1:
                self._screen.show(("bad", "more failures follow; all of them are told at the end"))
        self._screen.progress(self._done, self._total, self._bad)

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._screen.close()
        known = facts(self._fold.header)
        bad = [outcome for outcome in self._fold.outcomes() if outcome.result in BAD]
        for line in (*failures(bad, self._fold.header, known), *summary(self._fold, known)):
            self._screen.show(line)


class Plain:
    """
    Lines of text, and a line for each tenth of the run.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tenths = 0

    def show(self, line: Styled) -> None:
        """
        Write one line; what the stream cannot encode is escaped.
        """
        text = encodable(line[1], self._stream)
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def progress(self, done: int, total: int, bad: int) -> None:
        """
        Write a line when another tenth of a long run is done.
        """
        tenths = done * 10 // total if total >= LONG else 0
        if tenths > self._tenths:
            self._tenths = tenths
            self.show(("", f"  {done}/{total} cases, {bad} failed"))

    def close(self) -> None:
        """
        Nothing to give back.
        """


class Live:
    """
    A progress bar below the lines, on a terminal.
    """

    _STYLES = {"bad": "bold red", "good": "bold green", "dim": "dim", "strong": "bold", "": ""}  # noqa: RUF012 - constant

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console as Terminal  # noqa: PLC0415 - 50 ms that only a terminal needs
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        self._text = Text
        self._stream = stream
        self._terminal = Terminal(file=stream, highlight=False, markup=False, emoji=False)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[bad]} failed"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=self._terminal, transient=True)
        self._task = self._bar.add_task("cases", total=None, bad=0)

    def show(self, line: Styled) -> None:
        """
        Print one line above the bar.
        """
        style, text = line
        self._terminal.print(self._text(encodable(text, self._stream), style=self._STYLES[style]), soft_wrap=True)

    def progress(self, done: int, total: int, bad: int) -> None:
        """
        Move the bar, which starts with the first call.
        """
        self._bar.update(self._task, completed=done, total=total, bad=bad)
        self._bar.start()

    def close(self) -> None:
        """
        Take the bar away.
        """
        self._bar.stop()


def encodable(text: str, stream: TextIO) -> str:
    """
    The text with escapes in place of what the stream cannot encode.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
