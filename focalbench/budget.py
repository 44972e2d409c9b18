"""How long a sweep may take, and whether one more seed fits into what is left of it."""

import time
from dataclasses import dataclass, field

ENDING = 1.5  # seconds kept back for writing and printing the table


@dataclass
class Budget:
    """seconds: of the whole command, which began at `begin`, by time.monotonic()."""

    seconds: float
    begin: float
    _seen: list[tuple[float, int]] = field(default_factory=list)  # when so many seeds were whole: at first, then, now

    def see(self, whole: int) -> None:
        """Take in how many seeds are whole, first when training begins."""
        if not self._seen or whole > self._seen[-1][1]:
            self._seen = [*self._seen[:2], (time.monotonic(), whole)]

    @property
    def left(self) -> float:
        """Seconds until training has to end."""
        return self.begin + self.seconds - ENDING - time.monotonic()

    def is_spent(self) -> bool:
        """Whether the time is over, or the next seed would take longer than there is, at the pace of those so far."""
        return self.left < 0 or (len(self._seen) > 1 and self._next_seed() > self.begin + self.seconds - ENDING)

    def _next_seed(self) -> float:
        """When the next seed will be whole, told by the second one on: the first took the start of the workers, too."""
        (begin, before), (now, whole) = self._seen[-2:]
        return now + (now - begin) / (whole - before)
