"""How long a sweep may take, and whether one more seed fits into what is left of it."""

import time
from dataclasses import dataclass, field

ENDING, WRITTEN = 1.5, 2e-3  # seconds kept back for the table, and for a run's part of it


@dataclass
class Budget:
    """seconds: of the whole command, which began at `begin`, by time.monotonic()."""

    seconds: float
    begin: float
    _seen: list[tuple[float, int]] = field(default_factory=list)  # when so many seeds were whole: at first, then, now
    _kept: float = ENDING

    def see(self, whole: int, done: int) -> None:
        """Take in how many seeds are whole, and runs done, first when training begins."""
        self._kept = ENDING + WRITTEN * done
        if not self._seen or whole > self._seen[-1][1]:
            self._seen = [*self._seen[:2], (time.monotonic(), whole)]

    def is_spent(self) -> bool:
        """Whether the time is over, or the next seed would take longer than there is, at the pace of those so far."""
        end = self.begin + self.seconds - self._kept
        return time.monotonic() > end or (len(self._seen) > 1 and self._next_seed() > end)

    def _next_seed(self) -> float:
        """When the next seed will be whole, told by the second one on: the first took the start of the workers, too."""
        (begin, before), (now, whole) = self._seen[-2:]
        return now + (now - begin) / (whole - before)
