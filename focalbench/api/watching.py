"""What a call from Python shows while it trains: a line and the table so far, in a notebook or on a terminal."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from focalbench.display.progress import Report, Screen, SoFar, Watcher, on_terminal

WIDTH, HEIGHT = 90, 18  # characters and lines in a notebook


@contextmanager
def watching(*, wanted: bool, seconds: float | None) -> Iterator[Watcher]:
    """Yield what is to be called with every new state. seconds: after which training ends, if it has not."""
    if wanted and in_notebook():
        display = _Notebook()
        yield Watcher(display, seconds)
        display.clear()
    elif wanted and sys.stderr.isatty():
        with on_terminal("reading data and planning") as screen:
            yield Watcher(screen, seconds)
    else:
        yield Watcher(None, seconds)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class _Notebook:
    """A cell's output that is replaced by every report."""

    def __init__(self) -> None:
        self._screen = Screen("reading data and planning")
        self.least_seeds = self._screen.least_seeds
        self._handle = _shown("")

    def report(self, report: Report) -> None:
        self._screen.report(report)
        self._update()

    def table(self, table: SoFar, report: Report) -> None:
        self._screen.table(table, report)
        self._update()

    def _update(self) -> None:
        lines = "\n".join(self._screen.lines(WIDTH, HEIGHT))
        self._handle.update(_html(f"<pre>{html.escape(lines)}</pre>"))

    def clear(self) -> None:
        """The result takes its place."""
        self._handle.update(_html(""))


def _shown(text: str) -> Any:
    from IPython.display import display

    return display(_html(text), display_id=True)


def _html(text: str) -> Any:
    from IPython.display import HTML

    return HTML(text)
