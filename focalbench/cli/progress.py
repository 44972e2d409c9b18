"""How far a sweep is: one bar on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from focalbench.shown import shown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from focalbench.sweep import State

ROOM = 60  # columns that a terminal must have for a bar beside counts and time
EVERY = 300.0  # seconds without a plain line at most
Watch = Callable[["State"], None]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What a display shows. done: runs that are safe or have failed; seconds: since the first state; leader: on
    validation, with its mean average precision there and over how many seeds.
    """

    done: int
    total: int
    failed: int
    seconds: float
    runs_per_second: float | None
    seconds_left: float | None
    leader: str | None
    leader_average_precision: float | None
    leader_seeds: int | None

    @property
    def pace(self) -> str:
        """Runs a second, once they are known."""
        return "" if self.runs_per_second is None else f"{self.runs_per_second:.3g} runs/s"

    @property
    def lead(self) -> str:
        """Who leads, once somebody does."""
        if self.leader is None:
            return ""
        seeds = f"{self.leader_seeds} seed" + ("s" if self.leader_seeds != 1 else "")
        return f"{self.leader} {self.leader_average_precision:.3f} ({seeds})"

    def left(self, since: float = 0.0) -> str:
        """The time left, so many seconds after this report; before that is known, the time taken."""
        if self.done >= self.total:
            return "finishing"
        if self.seconds_left is None:
            return f"{clock(self.seconds + since)} so far"
        return f"{clock(max(self.seconds_left - since, 0))} left"

    def line(self, width: int, since: float = 0.0) -> str:
        """Counts and time left always, and of the rest as much as fits.

        >>> report = Report(206, 510, 0, 72.0, 2.86, 106.0, "gamma=2", 0.5714, 3)
        >>> report.line(20)
        '206/510  1 min 46 s left'
        >>> report.line(66)
        '206/510  1 min 46 s left  validation: gamma=2 0.571 (3 seeds)'
        """
        text = f"{self.done}/{self.total}  {self.left(since)}"
        failed = f"{self.failed} failed" if self.failed else ""
        lead = f"validation: {self.lead}" if self.lead else ""
        for part in filter(None, (failed, lead, self.pace)):
            if len(text) + 2 + len(part) <= width:
                text += f"  {part}"
        return text


@contextmanager
def progress(*, as_json: bool, first: str = "reading data and planning") -> Iterator[Watch]:
    """Yield a function to call with every new state. first: what a terminal shows until there is one."""
    if as_json:
        yield _watch(_say_json)
    elif not logger.isEnabledFor(logging.INFO):
        yield lambda _: None
    elif sys.stderr.isatty():
        with _terminal(first) as show:
            yield _watch(show)
    else:
        yield _watch(_lines())


def _watch(show: Callable[[Report], None]) -> Watch:
    start, first = 0.0, -1

    def watch(state: State) -> None:
        nonlocal start, first
        done = state.safe + len(state.failed)
        if first < 0:  # what the store held cost no time, nor did planning train anything
            start, first = time.monotonic(), done
        seconds = time.monotonic() - start
        rate = (done - first) / seconds if done > first else None
        left = (state.total - done) / rate if rate else None
        name, value, seeds = state.standing.leader() or (None, None, None)
        show(Report(done, state.total, len(state.failed), seconds, rate, left, name, value, seeds))

    return watch


def _say_json(report: Report) -> None:
    print(json.dumps({"event": "progress"} | asdict(report)), flush=True)


@contextmanager
def _terminal(first: str) -> Iterator[Callable[[Report], None]]:
    """One line of a terminal, there at once."""
    from rich.console import Console
    from rich.live import Live

    console, line = Console(stderr=True), _Line(first)
    with Live(line, console=console, transient=True, refresh_per_second=4):
        yield line.show


class _Line:
    """What stands on the terminal now; time goes on between reports."""

    def __init__(self, first: str) -> None:
        self.first = first
        self.report: Report | None = None
        self.since = time.monotonic()

    def show(self, report: Report) -> None:
        self.report, self.since = report, time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        passed = time.monotonic() - self.since
        if self.report is None:
            text = f"{self.first}  {clock(passed)}"
        else:
            bar = _bar(self.report) if options.max_width >= ROOM else ""
            text = bar + self.report.line(options.max_width - len(bar), passed)
        yield Text(shown(text), no_wrap=True, overflow="crop")


def _bar(report: Report) -> str:
    """How much is done, as of ten.

    >>> _bar(Report(3, 10, 0, 0.0, None, None, None, None, None))
    '[###.......]  '
    """
    tenths = 10 * report.done // max(report.total, 1)
    return f"[{'#' * tenths}{'.' * (10 - tenths)}]  "


def _lines() -> Callable[[Report], None]:
    """A line for every tenth, and now and then where a tenth takes long."""
    tenth, said = -1, 0.0

    def show(report: Report) -> None:
        nonlocal tenth, said
        reached = 10 * report.done // max(report.total, 1)
        if reached > tenth or report.seconds - said > EVERY:
            tenth, said = reached, report.seconds
            known = report.seconds_left is not None
            parts = (clock(report.seconds), report.pace, report.left() if known else "")
            lead = f"; leads on validation: {report.lead}" if report.lead else ""
            logger.info(f"sweep: {report.done} of {report.total} runs, {', '.join(filter(None, parts))}{lead}")

    return show


def clock(seconds: float) -> str:
    """Seconds as a person says them.

    >>> clock(12.3), clock(100), clock(7_300)
    ('12 s', '1 min 40 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
