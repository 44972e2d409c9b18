"""A mean and how far it may be off, as tables and sentences print it and figures draw it."""

import math
from typing import Literal

from focalbench.analysis.rows import Spread
from focalbench.analysis.statistics import INTERVAL_SEEDS

ROUNDING = 1e-9
MORE = 2  # decimals, where it takes them to tell on which side of nothing an interval lies
FINE = 3  # decimals of a difference whose margin is unknown
FEW = 0.1  # margins up to here are of numbers between 0 and 1
Form = Literal["none", "half", "ends", "seeds"]
EXPLAINED: dict[Form, str] = {
    "half": "±: half a 95% interval",
    "ends": "[low, high]: a 95% interval that 0 or 1 cuts off",
    "seeds": f"(min, max): the lowest and the highest seed, because fewer than {INTERVAL_SEEDS} allow no interval",
}


def form(spread: Spread | None) -> Form:
    """What stands beside a mean: half of its interval, the ends of one that was cut off, or the seeds' range."""
    if spread is None or (ends := limits(spread)) is None:
        return "none"
    if spread.low is None:
        return "seeds"
    return "ends" if is_cut_off(spread) and ends[0] < ends[1] else "half"


def is_cut_off(spread: Spread) -> bool:
    """Whether 0 or 1 cuts the interval of an average precision off, which else has its mean in the middle."""
    low, high = limits(spread) or (spread.mean, spread.mean)
    return (low, high) == (0, 1) or ((low == 0 or high == 1) and abs((low + high) / 2 - spread.mean) > ROUNDING)


def limits(spread: Spread) -> tuple[float, float] | None:
    """The ends of a mean's interval, or of the range of its seeds where there is none; None for a single seed."""
    if spread.low is not None and spread.high is not None:
        return spread.low, spread.high
    return None if spread.least == spread.most else (spread.least, spread.most)


def digits(margin: float) -> int:
    """Decimals that show a tenth of a margin: three, more where average precision itself is small, fewer of a cost.

    >>> digits(0.01), digits(0.03), digits(0.0007), digits(4), digits(250)
    (3, 3, 5, 1, 0)
    """
    return max(3 if margin <= FEW else 0, math.ceil(-math.log10(margin)) + 1)


def number(value: float, places: int, sign: str = "") -> str:
    """A number without the 0 before its point: `.012`, or with a sign `+.012`; no minus before nothing.

    >>> number(0.0123, 3), number(-0.5, 3), number(-0.0001, 3, "+"), number(1.0, 3)
    ('.012', '-.500', '+.000', '1.000')
    """
    return format(value, f"{sign}z.{places}f").replace("0.", ".", 1 if abs(value) < 1 else 0)


def bound(value: float, places: int) -> str:
    """An upper bound, rounded up, so that it is never less than it was nor a bare 0: `.001` for 0.0002.

    >>> bound(0.0002, 3), bound(0.024, 3), bound(0.0241, 3)
    ('.001', '.024', '.025')
    """
    return number(math.ceil(value * 10**places - ROUNDING) / 10**places, places)


def cell(spread: Spread | None, places: int, sign: str = "") -> str:
    """A mean and its spread: `.564 ±.024`, `.053 [.000, .107]` or `.334 (.121, .552)`. sign: "+" for differences,
    whose sign is told by as many more decimals as that takes.
    """
    if spread is None:
        return ""
    ends, places = limits(spread), _telling(spread, places) if sign else places
    text = number(spread.mean, places, sign)
    if ends is None:
        return text
    low, high = (number(end, places, sign) for end in ends)
    half = number(_half(spread, ends), places)
    return text + {"half": f" ±{half}", "ends": f" [{low}, {high}]", "seeds": f" ({low}, {high})"}[form(spread)]


def phrase(spread: Spread, places: int) -> str:
    """A difference in a sentence: `+.010 [-.004, +.024]` or `+.010, by seed -.002 to +.031`."""
    ends, places = limits(spread), _telling(spread, places)
    mean = number(spread.mean, places, "+")
    if ends is None:
        return mean
    low, high = (number(end, places, "+") for end in ends)
    return f"{mean}, by seed {low} to {high}" if form(spread) == "seeds" else f"{mean} [{low}, {high}]"


def _half(spread: Spread, ends: tuple[float, float]) -> float:
    return max(ends[1] - spread.mean, spread.mean - ends[0])


def _telling(spread: Spread, places: int) -> int:
    """Decimals that show on which side of nothing an interval lies, two more at most.

    >>> _telling(Spread(0.0062, 0.0004, 0.012, 0, 0), 3)
    4
    """
    ends = limits(spread)
    if form(spread) == "seeds" or ends is None or ends[0] * ends[1] <= 0:
        return places
    near = min(map(abs, ends))
    for more in range(places, places + MORE):
        half, mean = (round(abs(each), more) for each in (_half(spread, ends), spread.mean))
        if round(near, more) > 0 and half < mean:
            return more
    return places + MORE
