"""Numbers that are computed seed by seed from several differences: their weights, and what an interval says of them."""

from collections.abc import Sequence

import numpy as np

from focalbench.analysis.claim_rows import ClaimVerdict
from focalbench.analysis.statistics import Floats
from focalbench.plan.claims import Direction


def slope_weights(x: Sequence[float]) -> Floats:
    """The weights of values at x, (point,), whose sum is the slope of the line of least squares through them.

    Raises ValueError for fewer than two different x.

    >>> float(slope_weights([0.0, 1.0, 2.0]) @ [5.0, 7.0, 9.0])
    2.0
    """
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    squares = float(centred @ centred)
    if squares <= 0:
        raise ValueError("a slope needs two different places")
    return np.asarray(centred / squares)


def verdict_on(low: float, high: float, direction: Direction, margin: float) -> ClaimVerdict:
    """What an interval says of a number that is claimed to be above 0, below 0, not below 0, or within the margin of 0.

    Above is supported by an interval beyond the margin and refuted by one that does not reach it: what is there is then
    too small to matter, or points the other way. Not below: the same, the margin on the other side of 0. Within is
    supported inside the margin, and refuted beyond it.

    >>> [str(verdict_on(low, high, Direction.ABOVE, 0.01)) for low, high in ((0.02, 0.3), (-0.2, 0.009), (0.002, 0.1))]
    ['supported', 'refuted', 'inconclusive']
    >>> [str(verdict_on(low, high, Direction.WITHIN, 0.01)) for low, high in ((0.002, 0.009), (0.02, 0.3))]
    ['supported', 'refuted']
    """
    if direction is Direction.BELOW:
        return verdict_on(-high, -low, Direction.ABOVE, margin)
    if direction is Direction.WITHIN and -margin < low and high < margin:
        return ClaimVerdict.SUPPORTED
    if direction is Direction.WITHIN:
        return ClaimVerdict.REFUTED if low > margin or high < -margin else ClaimVerdict.INCONCLUSIVE
    least = -margin if direction is Direction.NOT_BELOW else margin
    if high < least:
        return ClaimVerdict.REFUTED
    return ClaimVerdict.SUPPORTED if low > least else ClaimVerdict.INCONCLUSIVE


def deciding_half(mean: float, direction: Direction, margin: float) -> float:
    """The half width of an interval around a mean below which the verdict is no longer inconclusive, if the mean stays.

    >>> deciding_half(0.5, Direction.ABOVE, margin=1.0), deciding_half(-0.5, Direction.WITHIN, margin=1.0)
    (0.5, 0.5)
    """
    if direction is Direction.WITHIN:
        return abs(margin - abs(mean))
    if direction is Direction.NOT_BELOW:
        return abs(mean + margin)
    return abs((-mean if direction is Direction.BELOW else mean) - margin)


def all_of(verdicts: Sequence[ClaimVerdict]) -> ClaimVerdict:
    """Of conditions that must all hold: one that is refuted refutes them together."""
    for worst in (ClaimVerdict.REFUTED, ClaimVerdict.TOO_FEW, ClaimVerdict.INCONCLUSIVE):
        if worst in verdicts:
            return worst
    return ClaimVerdict.SUPPORTED


def over_data(verdicts: Sequence[ClaimVerdict]) -> ClaimVerdict:
    """Of one claim on several data sets: what is decided on all, or otherwise on some, is one word."""
    found = set(verdicts)
    if len(found) == 1:
        return verdicts[0]
    if {ClaimVerdict.SUPPORTED, ClaimVerdict.REFUTED} <= found:
        return ClaimVerdict.DEPENDS
    return ClaimVerdict.INCONCLUSIVE
