"""How far a sweep is, and the table so far: a display on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from focalbench.base.amounts import clock
from focalbench.base.text import shown
from focalbench.display.live import Cell, cells_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from focalbench.jobs.trainer import State
    from focalbench.plan.whole_seeds import Whole

ROOM = 60  # columns that a terminal must have for a bar beside counts and time
EVERY = 300.0  # seconds without a plain line at most
TABLE_SEEDS = 2  # from which on a terminal shows the table so far
SHARE = 0.05  # of the time, at most, that tables on the way may take
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What a display shows. done: runs that are safe or have failed; seconds: since the first state."""

    done: int
    total: int
    failed: int
    seconds: float
    runs_per_second: float | None
    seconds_left: float | None

    @property
    def pace(self) -> str:
        """Runs a second, once they are known."""
        return "" if self.runs_per_second is None else f"{self.runs_per_second:.3g} runs/s"

    def left(self, since: float = 0.0) -> str:
        """The time left, so many seconds after this report; before that is known, the time taken."""
        if self.done >= self.total:
            return "finishing"
        if self.seconds_left is None:
            return f"{clock(self.seconds + since)} so far"
        return f"{clock(max(self.seconds_left - since, 0))} left"

    def line(self, width: int, since: float = 0.0) -> str:
        """Counts and time left always, and of the rest as much as fits.

        >>> report = Report(206, 510, 0, 72.0, 2.86, 106.0)
        >>> report.line(20)
        '206/510  1 min 46 s left'
        >>> report.line(66)
        '206/510  1 min 46 s left  2.86 runs/s'
        """
        text = f"{self.done}/{self.total}  {self.left(since)}"
        for part in filter(None, (f"{self.failed} failed" if self.failed else "", self.pace)):
            if len(text) + 2 + len(part) <= width:
                text += f"  {part}"
        return text


@dataclass(frozen=True)
class SoFar:
    """The table of the seeds that are whole, one cell a rate of the data set that is at work."""

    seeds: int
    planned: int
    cells: tuple[Cell, ...]

    def title(self, left: str) -> str:
        """Of the table: how many seeds, and the time left."""
        return f"{' and '.join(cell.name for cell in self.cells)}: {self.seeds} of {self.planned} seeds, {left}"


class Display(Protocol):
    """What shows reports, and tables from so many seeds on."""

    least_seeds: int

    def report(self, report: Report) -> None:
        """Show how far it is."""

    def table(self, table: SoFar, report: Report) -> None:
        """Show what the seeds so far say."""


class Watcher:
    """Turns every state of a sweep into what a display shows. looked: whether that was a table, of the test rows."""

    def __init__(self, display: Display | None, seconds: float | None) -> None:
        self.display, self.looked = display, False
        self._until = None if seconds is None else time.monotonic() + seconds
        self._begin, self._first = 0.0, -1
        self._shown: Whole | None = None
        self._due, self._paid = 0.0, False  # when the next table may be made

    def __call__(self, state: State) -> None:
        """Show a state."""
        if self.display is None:
            return
        report = self._report(state)
        self.display.report(report)
        whole = state.seeds.latest
        if whole.seeds >= self.display.least_seeds and whole != self._shown and time.monotonic() >= self._due:
            self._shown = whole
            self._show_table(self.display, state, whole, report)

    def _report(self, state: State) -> Report:
        if self._first < 0:  # what the store held cost no time, nor did planning train anything
            self._begin, self._first = time.monotonic(), state.done
        now = time.monotonic()
        seconds, trained = now - self._begin, state.done - self._first
        rate = trained / seconds if trained and seconds else None
        left = state.seconds_left(seconds)
        if left is not None and self._until is not None:
            left = min(left, max(0.0, self._until - now))
        return Report(state.done, state.total, len(state.failed), seconds, rate, left)

    def _show_table(self, display: Display, state: State, whole: Whole, report: Report) -> None:
        begin = time.monotonic()
        cells = tuple(cells_of(state.table(whole)))
        if cells:
            display.table(SoFar(whole.seeds, state.seeds.planned, cells), report)
            self.looked = True
        now = time.monotonic()
        self._due = now + (now - begin) / SHARE if self._paid else now
        self._paid = True  # the first one loads what the last one would


@contextmanager
def progress(
    *, as_json: bool, first: str = "reading data and planning", seconds: float | None = None
) -> Iterator[Watcher]:
    """Yield what is to be called with every new state. first: what a terminal shows until there is one; seconds: after
    which training ends, if it has not.
    """
    if as_json:
        yield Watcher(_Json(), seconds)
    elif not logger.isEnabledFor(logging.INFO):
        yield Watcher(None, seconds)
    elif sys.stderr.isatty():
        with on_terminal(first) as display:
            yield Watcher(display, seconds)
    else:
        yield Watcher(_Lines(), seconds)


class _Json:
    """A line of JSON for every state and every table."""

    least_seeds = 1

    def report(self, report: Report) -> None:
        print(json.dumps({"event": "progress"} | asdict(report)), flush=True)

    def table(self, table: SoFar, report: Report) -> None:
        content = {"event": "seed", "seconds_left": report.seconds_left} | asdict(table)
        print(json.dumps(content), flush=True)


class _Lines:
    """A line for every seed, and now and then where a seed takes long."""

    least_seeds = 1

    def __init__(self) -> None:
        self._said = 0.0

    def report(self, report: Report) -> None:
        if report.seconds - self._said > EVERY:
            self._said = report.seconds
            parts = (clock(report.seconds), report.pace, report.left() if report.seconds_left is not None else "")
            logger.info(f"{report.done} of {report.total} runs, {', '.join(filter(None, parts))}")

    def table(self, table: SoFar, report: Report) -> None:
        self._said = report.seconds
        for cell in table.cells:
            name = f" of {cell.name}" if len(table.cells) > 1 else ""
            logger.info(f"seed {table.seeds} of {table.planned}{name} done: {cell.sentence()}, {report.left()}")


@contextmanager
def on_terminal(first: str) -> Iterator[Screen]:
    """A line of a terminal, there at once, with the table so far above it. first: what it says before any report."""
    from rich.console import Console
    from rich.live import Live

    console, screen = Console(stderr=True), Screen(first)
    with Live(screen, console=console, transient=True, refresh_per_second=4):
        yield screen


class Screen:
    """What is shown now; time goes on between reports."""

    least_seeds = TABLE_SEEDS

    def __init__(self, first: str) -> None:
        self.first = first
        self.latest: Report | None = None
        self.so_far: SoFar | None = None
        self.since = time.monotonic()

    def report(self, report: Report) -> None:
        """As Display."""
        self.latest, self.since = report, time.monotonic()

    def table(self, table: SoFar, report: Report) -> None:  # noqa: ARG002
        """As Display."""
        self.so_far = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        for text in self.lines(options.max_width, console.height):
            yield Text(text, no_wrap=True, overflow="crop")

    def lines(self, width: int, height: int) -> list[str]:
        """The table so far, as much of it as there is room for, and the line below it."""
        return [shown(text) for text in (*self._table(height, width), self._line(width))]

    def _line(self, width: int) -> str:
        passed = time.monotonic() - self.since
        if self.latest is None:
            return f"{self.first}  {clock(passed)}"
        bar = _bar(self.latest) if width >= ROOM else ""
        return bar + self.latest.line(width - len(bar), passed)

    def _table(self, height: int, width: int) -> list[str]:
        """As much of the table so far as stands above the line."""
        if self.so_far is None or self.latest is None:
            return []
        cells, title = self.so_far.cells, self.so_far.title(self.latest.left(time.monotonic() - self.since))
        room = (height - 3) // len(cells) - 1
        labels = [cell.rate if len(cells) > 1 else "arm" for cell in cells]
        texts = [text for cell, label in zip(cells, labels, strict=True) for text in cell.shown(room, width, label)]
        return [title, *texts][: max(height - 2, 0)]


def _bar(report: Report) -> str:
    """How much is done, as of ten.

    >>> _bar(Report(3, 10, 0, 0.0, None, None))
    '[###.......]  '
    """
    tenths = 10 * report.done // max(report.total, 1)
    return f"[{'#' * tenths}{'.' * (10 - tenths)}]  "
