"""What a finished run leaves."""

from dataclasses import dataclass

Number = float | int | str | None


@dataclass(frozen=True)
class Result:
    """What a finished run leaves: numbers by column name, curves (lists) by name, and influences.

    influences: for each output that is measured, the sums of what a table's test rows do to average precision
    (metrics/influence.py); () for fresh draws, and for runs of before they were kept.
    """

    run_id: str
    values: dict[str, Number]
    curves: dict[str, list[float | None]]
    seconds: float
    influences: tuple[tuple[float, ...], ...] = ()
