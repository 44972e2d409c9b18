"""`focalbench.compare_scores`: which of these models ranks better, whoever trained them, asked from Python."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from focalbench.api.messages import as_parameters, told, warned

if TYPE_CHECKING:
    import pandas as pd

    from focalbench.report.grid import Page

WIDTH = 80  # characters of a printed table


@dataclass(frozen=True, eq=False)
class ScoreComparison:
    """How models compare on one set of rows.

    Attributes:
        notes: how the data were read.
    """

    notes: tuple[str, ...]
    _page: Page

    @property
    def table(self) -> pd.DataFrame:
        """A row for each metric and model, every column unrounded."""
        import pandas as pd

        return pd.read_csv(io.StringIO(self._page.csv))

    @property
    def conclusions(self) -> list[str]:
        """What the table supports, in sentences, the decision first."""
        return list(self._page.remarks)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=WIDTH, no_color=True, force_terminal=False)
        with console.capture() as captured:
            self._page.print(console)
        return captured.get()

    def _repr_html_(self) -> str:
        from focalbench.report.html import page_html

        return page_html(self._page)


def compare_scores(
    y: Any,
    scores: Mapping[str, Any] | Any,
    *,
    positive: object = None,
    metric: str | Sequence[str] = "average_precision",
    baseline: str | None = None,
    margin: float | None = None,
    groups: Any = None,
    sample_weight: Any = None,
) -> ScoreComparison:
    """Compare the scores that models gave to the same rows, paired, without training.

    The engine of `focalbench compare`. What is to be looked at in the scores is warned of.

    Args:
        y: (rows,): 0 and 1, or any two values with `positive`.
        scores: (rows,) of two models or more by name, or a DataFrame with a column for each; higher is more positive.
        positive: the value of y that counts as 1.
        metric: one or several, such as "average_precision" or "recall_at_fpr=0.01".
        baseline: the model that the others are compared with; None: the first.
        margin: the difference in the metric that matters, of one metric; None: the usual one.
        groups: (rows,): rows of one group belong together, such as those of a patient.
        sample_weight: (rows,) >= 0: what a row counts for.

    Returns:
        The comparison, with intervals that speak of other rows of the same kind.

    Raises:
        InputError: a ValueError that says in one sentence what is wrong with the input, and the remedy.

    Example:
        >>> import numpy as np
        >>> import focalbench
        >>> rng = np.random.default_rng(0)
        >>> y = rng.random(2000) < 0.2
        >>> good, bad = y + rng.normal(size=2000), y + 1.5 * rng.normal(size=2000)
        >>> print(focalbench.compare_scores(y, {"bad": bad, "good": good}).conclusions[0])
        By AUCPR: good (+.107 [+.055, +.159]) better than bad.
    """
    from focalbench.analysis.scored import at_chance
    from focalbench.analysis.scored import compare_scores as compared
    from focalbench.api.given import Roles, take_scores
    from focalbench.datasets.files.scores import ScoreColumns, read_scores
    from focalbench.datasets.tables.targets import listed
    from focalbench.report.compared import compared_page
    from focalbench.runs.metric import Metric

    with as_parameters(), TemporaryDirectory(prefix="focalbench-") as folder:
        metrics = [Metric.parse(text) for text in ([metric] if isinstance(metric, str) else metric)]
        given = take_scores(scores, y, Roles(groups, None, sample_weight), positive)
        file = Path(folder) / "scores.parquet"
        given.write(file)
        columns = given.columns
        special = (columns.target, *columns.special.values())
        names = tuple(name for name in given.table.column_names if name not in special)
        assert columns.target is not None
        asked = ScoreColumns(columns.target, columns.positive, names, None, columns.group, columns.weight)
        found = read_scores([str(file)], asked)
        rows = compared(found, metrics, baseline, margin)
        low = at_chance(rows, found.prevalence)
        warned([*found.warnings, *([f"{listed(low)}: may rank no better than chance"] if low else [])])
        return ScoreComparison(tuple(map(told, found.notes)), compared_page(rows))
