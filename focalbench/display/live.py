"""The table so far, as it is shown while a sweep goes on: which of its rows, and what of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from focalbench.analysis.rows import ArmRow

LEAST_NAME, AP_WIDTH, GAIN_WIDTH, INTERVAL_WIDTH = 12, 6, 6, 15


@dataclass(frozen=True)
class Line:
    """An arm: its mean value and its gain on the baseline, None for the baseline itself, with the interval
    of the gain, None where the seeds are too few for one.
    """

    arm: str
    value: float
    gain: float | None = None
    low: float | None = None
    high: float | None = None

    def interval(self) -> str:
        """The interval as text, if there is one."""
        return "" if self.low is None or self.high is None else f"[{_short(self.low)}, {_short(self.high)}]"


@dataclass(frozen=True)
class Cell:
    """The arms of one data set at one rate that start alike, the baseline among them. heading: of the metric; turned:
    whether less of it is better.
    """

    dataset: str
    positive_rate: float | None
    lines: tuple[Line, ...]
    heading: str = "AUCPR"
    turned: bool = False

    @property
    def rate(self) -> str:
        """Its positive rate, in words."""
        return "natural rate" if self.positive_rate is None else f"rate {self.positive_rate:g}"

    @property
    def name(self) -> str:
        """What it is a table of."""
        return f"{self.dataset} at {'its ' if self.positive_rate is None else ''}{self.rate}"

    @property
    def baseline(self) -> Line:
        """What the arms are compared with."""
        return next(line for line in self.lines if line.gain is None)

    @property
    def best(self) -> Line:
        """The arm of the best mean."""
        return max(self.lines, key=self._skill)

    def _skill(self, line: Line) -> float:
        return -line.value if self.turned else line.value

    def sentence(self) -> str:
        """The baseline and the best, in short.

        >>> Cell("mixture", 0.0015, (Line("bce", 0.5531), Line("gamma=2", 0.5612, 0.0081, -0.004, 0.02))).sentence()
        'bce .553, best gamma=2 +.008'
        """
        plain, best = self.baseline, self.best
        gain = "" if best.gain is None else f", best {best.arm} {_signed(best.gain)}"
        return f"{plain.arm} {_short(plain.value)}{gain or ', the best'}"

    def shown(self, lines: int, width: int, label: str = "arm") -> list[str]:
        """A heading, and at most so many lines: where there are more arms, the baseline and the best ones."""
        kept = self._kept(max(lines, 1))
        name = max(LEAST_NAME, *(len(line.arm) for line in kept))
        name = max(LEAST_NAME, min(name, width - AP_WIDTH - GAIN_WIDTH - INTERVAL_WIDTH - 6))
        heading = f"{label:{name}}  {self.heading:>{AP_WIDTH}}  vs {self.baseline.arm.upper()}"
        return [text[:width] for text in (heading, *(_text(line, name) for line in kept))]

    def _kept(self, count: int) -> list[Line]:
        ranked = sorted(self.lines, key=lambda line: (line is not self.baseline, -self._skill(line)))
        return [line for line in self.lines if line in ranked[:count]]


def cells_of(table: Sequence[ArmRow]) -> list[Cell]:
    """What is shown of the rows of a table."""
    from focalbench.analysis.recommendation import main_rows
    from focalbench.report.metric import heading
    from focalbench.report.words import cells

    return [
        Cell(
            rows[0].dataset,
            rows[0].positive_rate,
            tuple(map(_line, main_rows(rows))),
            heading(rows[0].by),
            rows[0].by.lower_is_better,
        )
        for rows in cells(table)
    ]


def _line(row: ArmRow) -> Line:
    gain = row.delta
    if gain is None:
        return Line(row.arm, row.value.mean)
    return Line(row.arm, row.value.mean, gain.mean, gain.low, gain.high)


def _text(line: Line, name: int) -> str:
    arm = line.arm if len(line.arm) <= name else f"{line.arm[: name - 2]}.."
    gain = "" if line.gain is None else f"  {_signed(line.gain):>{GAIN_WIDTH}} {line.interval()}"
    return f"{arm:{name}}  {_short(line.value):>{AP_WIDTH}}{gain}".rstrip()


def _short(value: float) -> str:
    return f"{value:z.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.4g}"


def _signed(value: float) -> str:
    return f"{value:+z.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:+.4g}"
