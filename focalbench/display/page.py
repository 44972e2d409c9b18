"""A page that stays current while a sweep runs, for people who left the machine alone."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from focalbench.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from focalbench.analysis.rows import ArmRow
    from focalbench.jobs.trainer import State
    from focalbench.plan.whole_seeds import Whole
    from focalbench.runs.run import Cell

SHARE = 0.05  # of the time, at most, that pages may take
LEAST = 5.0  # seconds between two
logger = logging.getLogger(__name__)


class LivePage:
    """Writes a page for the states of a sweep, now and then. looked: whether it held a table, of the test rows."""

    def __init__(self, path: Path) -> None:
        self.path, self.looked = path, False
        self._due = 0.0
        self._whole: Whole | None = None
        self._tables: dict[Cell, list[ArmRow]] = {}

    def __call__(self, state: State) -> None:
        """See a state."""
        begin = time.monotonic()
        if begin < self._due:
            return
        whole = state.seeds.latest
        if whole.seeds and whole != self._whole:
            self._whole = whole
            self._take(state.table(whole))
        try:
            self._write(state)
        except MachineError as error:  # a page that cannot be written ends no sweep
            logger.warning(f"the page is not current: {error}")
        took = time.monotonic() - begin
        self._due = time.monotonic() + max(LEAST, took / SHARE)

    def _take(self, table: Sequence[ArmRow]) -> None:
        from focalbench.report.words import cells

        for rows in cells(table):
            self._tables[rows[0].cell] = rows
            self.looked = True

    def _write(self, state: State) -> None:
        from focalbench.report.page.content import content_so_far
        from focalbench.report.page.render import page_text
        from focalbench.report.page.target import write_page

        write_page(self.path, page_text(content_so_far(list(self._tables.values())), live=_told(state)))


def _told(state: State) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    failed = f", {len(state.failed)} of them failed" if state.failed else ""
    return (
        f"Still running: {state.done} of {state.total} runs{failed}, as of {now}. What stands here may change. If this "
        "time stays the same for long, the sweep has stopped."
    )
