"""What share of a table's rows a capacity, such as 50 alerts a day, lets be flagged."""

from focalbench.datasets.build import load_table
from focalbench.datasets.synthetic.families import is_synthetic
from focalbench.errors import InputError
from focalbench.runs.metric import HOURS, ThresholdAt
from focalbench.runs.run import Recipe


def flagged_share(recipe: Recipe, at: ThresholdAt) -> float:
    """The share of the rows, in (0, 1), that a capacity lets be flagged.

    Raises InputError for a capacity a unit of time where no dates say how many rows that has, or that is all rows.
    """
    assert at.value is not None
    if not at.unit:
        return at.value
    table = None if is_synthetic(recipe.dataset) else load_table(recipe)
    if table is None or not table.hours:
        raise InputError(f"`threshold_at={at}` needs `time`, a column of dates: how many rows has a {at.unit}?")
    rows = table.rows / table.hours * HOURS[at.unit]
    if at.value >= rows:
        raise InputError(
            f"{recipe.dataset} has {rows:,.3g} rows a {at.unit}, so a capacity of {at.value:g} flags all; ask for less"
        )
    return at.value / rows
