"""Which arms are not shown to be worse than the best."""

from focalbench.analysis.best_set import not_shown_worse
from focalbench.analysis.evidence import Evidence, no_influences
from focalbench.analysis.selection import cells_of, entries_of
from tests.support.runs import BCE, FIVE, GAMMA, made_row


def found(seeds: int) -> frozenset[str] | None:
    """bce lies .3 below the others, which differ by noise alone."""
    means = ((BCE, 0.2), (GAMMA, 0.5), (FIVE, 0.501))
    rows = [
        made_row(arm, s, mean + 0.01 * ((7 * s + k) % 5)) for k, (arm, mean) in enumerate(means) for s in range(seeds)
    ]
    evidence = Evidence(entries_of(cells_of(rows)[0]), no_influences)
    return not_shown_worse(["bce", "gamma=2", "gamma=5"], evidence)


def test_what_is_clearly_worse_is_left_out_and_what_is_close_is_not() -> None:
    assert found(8) == frozenset(("gamma=2", "gamma=5"))


def test_few_seeds_decide_nothing() -> None:
    assert found(5) is None
