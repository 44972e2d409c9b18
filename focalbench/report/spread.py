"""A mean and how far it may be off, as tables and sentences print it and figures draw it."""

from collections.abc import Sequence
from typing import Literal, cast

from focalbench.comparison import AUCPR
from focalbench.records import Record
from focalbench.statistics import INTERVAL_SEEDS

Kind = Literal["none", "half", "ends", "seeds"]
EXPLAINED: dict[Kind, str] = {
    "half": "±: half a 95% interval",
    "ends": "[low, high]: a 95% interval that 0 or 1 cuts off",
    "seeds": f"(min, max): the lowest and the highest seed, because fewer than {INTERVAL_SEEDS} allow no interval",
}


def kind(row: Record, names: Sequence[str]) -> Kind:
    """What stands beside a mean: half of its interval, the ends of one that was cut off, or the seeds' range.

    names: the five columns of the quantity (comparison.AUCPR and its like).
    """
    if (ends := limits(row, names)) is None:
        return "none"
    if row[names[1]] is None:
        return "seeds"
    return "ends" if names == AUCPR and ends[0] < ends[1] and (ends[0] == 0 or ends[1] == 1) else "half"


def limits(row: Record, names: Sequence[str]) -> tuple[float, float] | None:
    """The ends of a mean's interval, or of the range of its seeds where there is none; None for a single seed."""
    _, low, high, least, most = (cast(float | None, row[name]) for name in names)
    if low is not None and high is not None:
        return low, high
    return None if least is None or most is None or least == most else (least, most)


def cell(row: Record, names: Sequence[str], style: str) -> str:
    """A mean, in this style, and its spread: `.564 ±.024`, `.053 [.000, .107]` or `.334 (.121, .552)`."""
    if (mean := cast(float | None, row[names[0]])) is None:
        return ""
    text, ends = format(mean, style), limits(row, names)
    if ends is not None:
        low, high = (format(end, style) for end in ends)
        half = max(ends[1] - mean, mean - ends[0])
        text += {"half": f" ±{half:.3f}", "ends": f" [{low}, {high}]", "seeds": f" ({low}, {high})"}[kind(row, names)]
    return text.replace("0.", ".")


def phrase(row: Record, names: Sequence[str]) -> str:
    """The same in a sentence: `+0.010 [-0.004, +0.024]` or `+0.010, by seed -0.002 to +0.031`."""
    mean, ends = cast(float, row[names[0]]), limits(row, names)
    if ends is None:
        return f"{mean:+.3f}"
    low, high = (f"{end:+.3f}" for end in ends)
    return f"{mean:+.3f}, by seed {low} to {high}" if kind(row, names) == "seeds" else f"{mean:+.3f} [{low}, {high}]"
