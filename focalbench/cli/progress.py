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
    from focalbench.sweep import State

EVERY = 300.0  # seconds without a plain line at most
Watch = Callable[["State"], None]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What a display shows. done: runs that are safe or have failed; seconds: since the display began; leader: on
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
        """Rate and time left, once they are known."""
        if self.runs_per_second is None or self.seconds_left is None:
            return ""
        return f", {self.runs_per_second:.3g} runs/s, {clock(self.seconds_left)} left"

    @property
    def lead(self) -> str:
        """Who leads, once somebody does."""
        if self.leader is None:
            return ""
        seeds = f"{self.leader_seeds} seed" + ("s" if self.leader_seeds != 1 else "")
        return f"; leads on validation: {self.leader} {self.leader_average_precision:.3f} ({seeds})"


@contextmanager
def progress(*, as_json: bool) -> Iterator[Watch]:
    """Yield a function to call with every new state."""
    if as_json:
        yield _watch(_say_json)
    elif not logger.isEnabledFor(logging.INFO):
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield _watch(show)
    else:
        yield _watch(_lines())


def _watch(show: Callable[[Report], None]) -> Watch:
    start, first = time.monotonic(), -1

    def watch(state: State) -> None:
        nonlocal first
        done = state.safe + len(state.failed)
        first = done if first < 0 else first  # what the store held cost no time
        seconds = time.monotonic() - start
        rate = (done - first) / seconds if done > first else None
        left = (state.total - done) / rate if rate else None
        name, value, seeds = state.standing.leader() or (None, None, None)
        show(Report(done, state.total, len(state.failed), seconds, rate, left, name, value, seeds))

    return watch


def _say_json(report: Report) -> None:
    print(json.dumps({"event": "progress"} | asdict(report)), flush=True)


@contextmanager
def _bar() -> Iterator[Callable[[Report], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    rest = TextColumn("runs{task.fields[rest]}", markup=False)  # which may name somebody's own loss
    columns = (TextColumn("sweep"), BarColumn(20), MofNCompleteColumn(), rest)
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("sweep", total=None, rest="")

        def show(report: Report) -> None:
            rest = report.pace + shown(report.lead)
            display.update(task, completed=report.done, total=report.total, rest=rest)

        yield show


def _lines() -> Callable[[Report], None]:
    """A line for every tenth, and now and then where a tenth takes long."""
    tenth, said = -1, 0.0

    def show(report: Report) -> None:
        nonlocal tenth, said
        reached = 10 * report.done // max(report.total, 1)
        if reached > tenth or report.seconds - said > EVERY:
            tenth, said = reached, report.seconds
            text = f"sweep: {report.done} of {report.total} runs, {clock(report.seconds)}{report.pace}{report.lead}"
            logger.info(text)

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
