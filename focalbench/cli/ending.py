"""What is said of how a sweep ended: its seeds, its time, what more of them would bring, and whether looking at the
table on the way did harm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from focalbench.base.amounts import clock, counted
from focalbench.datasets.tables.targets import listed

if TYPE_CHECKING:
    from focalbench.jobs.trainer import Done, Ending

HARMLESS = "Looking at the table on the way did no harm: the number of seeds did not depend on it."
OPTIMISTIC = (
    "Stopping because of what the table shows makes its intervals too optimistic; the planned {} seeds repair that."
)


@dataclass(frozen=True)
class Ended:
    """What was done, the seconds of the whole command, its budget of seconds if any, and whether the table was shown on
    the way.
    """

    done: Done
    seconds: float
    budget: float | None
    looked: bool

    @property
    def by_hand(self) -> bool:
        """Whether somebody stopped it."""
        return self.done.ending.stopped == "by hand"

    def summary(self) -> str:
        """What was done, in which time."""
        trained = f"{self.done.new_runs} runs trained, {self.done.old_runs} taken from the store"
        return f"{counted(self.done.ending.seeds, 'seed')} in {clock(self.seconds)}: {trained}."

    def stopped(self) -> str:
        """Why it ended before its end, what is left, and what that would bring; nothing where all is done."""
        ending = self.done.ending
        if ending.stopped is None:
            return ""
        seeds, (safe, runs) = f"{ending.seeds} of {ending.planned} seeds", ending.runs
        why = f"stopped after {seeds} to stay within {clock(self.budget)}" if self.budget is not None else ""
        if self.by_hand:
            why = f"stopped: {seeds} are in the table, {safe} of {runs} runs are safe"
        return "; ".join((why, *_left_out(ending), _more(ending)))

    def peeking(self) -> str:
        """Whether intervals still hold, though somebody could see the table before its end; nothing where none was
        shown, or it cannot be known: with runs of an earlier sweep, its table may have been what asked for more.
        """
        if not self.looked:
            return ""
        if self.by_hand:
            return OPTIMISTIC.format(self.done.ending.planned)
        return "" if self.done.old_runs else HARMLESS


def _left_out(ending: Ending) -> list[str]:
    return [f"{listed(ending.left_out)} left out, with fewer seeds so far"] if ending.left_out else []


def _more(ending: Ending) -> str:
    """What the other seeds take, and how much narrower they can make an interval."""
    others = ending.planned - ending.seeds
    what = f"the other {others}" if others else "the rest"
    left = "" if ending.seconds_left is None else f" in about {clock(ending.seconds_left)}"
    return f"the same command goes on with {what}{left}{_narrower(ending)}"


def _narrower(ending: Ending) -> str:
    from focalbench.analysis.statistics import INTERVAL_SEEDS

    if not INTERVAL_SEEDS <= ending.seeds < ending.planned:
        return ""
    share = _width(ending.planned) / _width(ending.seeds)
    return f", which leaves at best {share:.0%} of the intervals' width"


def _width(seeds: int) -> float:
    """Of an interval for a mean over seeds, in their standard deviations."""
    from scipy.special import stdtrit

    return float(stdtrit(seeds - 1, 0.975)) / math.sqrt(seeds)
