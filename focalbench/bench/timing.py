"""Seconds: works take turns for several rounds, so that a busy moment of the machine meets all of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of one work in every round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds."""
        return median(self.seconds)

    def times(self, other: "Timing") -> float:
        """How many times as long as another work: the median of the rounds' ratios."""
        return median(mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True))

    def of(self, parts: int) -> "Timing":
        """Seconds of one of so many equal parts."""
        return Timing(tuple(seconds / parts for seconds in self.seconds))


def seconds(work: Work, device: str = "cpu") -> float:
    """Wall-clock seconds of one call, until the device has done it."""
    start = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def interleaved(works: Sequence[Work], rounds: int, device: str = "cpu") -> list[Timing]:
    """Time every work once a round, after one call that is not counted."""
    for work in works:
        seconds(work, device)
    taken = [[seconds(work, device) for work in works] for _ in range(rounds)]
    return [Timing(column) for column in zip(*taken, strict=True)]
