"""What a benchmark reports: rows of timings, and goals reached or missed."""

from dataclasses import dataclass

from focalbench.bench.timing import Timing

OURS = "focalbench"


@dataclass(frozen=True)
class Scale:
    """How much is measured: rounds, processor cores used, and whether only to see that it works."""

    rounds: int
    cores: int
    tiny: bool = False
    long: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a part's table, in the part's unit. ratio: times ours on one thread, the median of paired rounds."""

    part: str
    name: str
    threads: str
    median: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Goal:
    """What was wanted of a figure, and what it came to."""

    name: str
    reached: float
    wanted: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted


def row(part: str, name: str, threads: str, timing: Timing, unit: float, ours: Timing | None, note: str = "") -> Row:
    """A row of a timing, in so many units a second."""
    ratio = None if ours is None else timing.times(ours)
    low, high = min(timing.seconds), max(timing.seconds)
    return Row(part, name, threads, timing.median * unit, low * unit, high * unit, ratio, note)
