"""Which of several arms are not shown to be worse than the best of them."""

from collections.abc import Collection
from itertools import combinations

from focalbench.analysis.evidence import Evidence
from focalbench.analysis.verdicts import limits


def not_shown_worse(names: Collection[str], evidence: Evidence) -> frozenset[str] | None:
    """The arms that none of the others is shown to be better than; None below 6 seeds, where nothing is tested.

    Every pair of them is compared, with 95% intervals that hold for all pairs at once (verdicts.limits). So whichever
    arm truly is best, it is left out in one of twenty tables at most: that it was looked for among all is paid for.
    """
    entries = [entry for entry in evidence.entries if entry.name in names]
    pairs = list(combinations(entries, 2))
    sign = -1 if entries[0].metric.lower_is_better else 1
    found = limits([evidence.difference(one, other).times(sign) for one, other in pairs])
    worse: set[str] = set()
    for (one, other), ends in zip(pairs, found, strict=True):
        if ends is None:
            return None
        low, high = ends
        worse |= {other.name} if low > 0 else {one.name} if high < 0 else set()
    return frozenset(entry.name for entry in entries if entry.name not in worse)
