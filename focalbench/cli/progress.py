"""One progress display: a bar with a time estimate on a terminal, a line for every tenth elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Watch = Callable[[int, int], None]


@contextmanager
def progress(title: str) -> Iterator[Watch]:
    """Yield a function to call with (done, total)."""
    if sys.stderr.isatty():
        with _bar(title) as watch:
            yield watch
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("runs,")),
        *(TimeElapsedColumn(), TextColumn("gone,"), TimeRemainingColumn(), TextColumn("left")),
    )
    # stacks end in bursts: the estimate looks back over the whole sweep
    with Progress(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=3600) as display:
        task = display.add_task(title, total=None)
        yield lambda done, total: display.update(task, completed=done, total=total)


def _lines(title: str) -> Watch:
    start, last = time.monotonic(), -1

    def watch(done: int, total: int) -> None:
        nonlocal last
        tenth = 10 * done // max(total, 1)
        if tenth > last:
            last = tenth
            print(
                f"{title}: {done} of {total} runs, {time.monotonic() - start:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    return watch
