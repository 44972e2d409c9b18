"""What a table supports and what it does not, in plain sentences."""

from collections.abc import Sequence
from itertools import groupby
from typing import cast

from focalbench.comparison import LEVEL
from focalbench.datasets.prevalence import CHOICE_POSITIVES, TABLE_TEST_POSITIVES
from focalbench.records import Record

BLURB = (
    "AUCPR: step-wise average precision, as scikit-learn's; ±: half a 95% interval; differences are paired by seed; "
    "p adj.: corrected for all arms of one start; slope: of calibration in the logit, 1 is right, below overconfident."
)


def cells(table: Sequence[Record]) -> list[list[Record]]:
    """The rows of a table, one list for each data set at one rate."""

    def key(row: Record) -> tuple[object, ...]:
        return row["dataset"], row["positive_rate"], row["label_noise"]

    return [list(rows) for _, rows in groupby(table, key=key)]


def title(cell: Sequence[Record]) -> str:
    """Data set, rate, chance level, ceiling and seeds of a cell, in one line."""
    first = cell[0]
    rate = "natural rate" if first["positive_rate"] is None else f"rate {first['positive_rate']:g}"
    parts = [
        f"{first['dataset']} at {rate}",
        f"{first['n_seeds']} seeds",
        f"chance {first['prevalence']:.4f}",
    ]
    if first["bayes_average_precision"] is not None:
        parts.append(f"Bayes ceiling {first['bayes_average_precision']:.3f}")
    if first["label_noise"]:
        parts.append(f"label noise {first['label_noise']:g}")
    return ", ".join(parts)


def short_title(cell: Sequence[Record]) -> str:
    """Data set, rate and seeds of a cell."""
    first = cell[0]
    rate = "natural rate" if first["positive_rate"] is None else f"rate {first['positive_rate']:g}"
    return f"{first['dataset']} at {rate}, {first['n_seeds']} seeds"


def conclusions(cell: Sequence[Record]) -> list[str]:
    """The sentences under a cell's table."""
    arms = [row for row in cell if row["kind"] == "arm"]
    own = [row for row in arms if row["init"] == arms[0]["init"]]
    other_starts = [row for row in arms if row["init"] != arms[0]["init"]]
    sentences = [_best(own), *_verdicts(own), *_starts(own, other_starts), *_references(cell, own), *_thin(cell)]
    if (failed := sum(cast(int, row["diverged"]) for row in cell if row["kind"] == "arm")) > 0:
        sentences.append(f"{failed} runs diverged; they count with their best finite epoch, else at chance level.")
    if cell[0]["bayes_average_precision"] is None:
        sentences += _one_table(cell[0])
    return sentences


def _best(own: Sequence[Record]) -> str:
    best = max(own, key=_average_precision)
    rivals = [str(row["arm"]) for row in own if row["in_best_set"] == "true" and row is not best]
    sentence = f"Highest mean AUCPR: {best['arm']} ({_average_precision(best):.3f})."
    if best["in_best_set"] is None:
        return sentence + " Fewer than 6 seeds: intervals only, and no claim about the losses is supported."
    if not rivals:
        return sentence + " Every other arm can be told from it."
    return sentence + f" Cannot be told from it: {', '.join(rivals)}."


def _verdicts(own: Sequence[Record]) -> list[str]:
    tested = [row for row in own if row["p_adjusted"] is not None]
    if not tested:
        return []
    named = {
        verdict: ", ".join(f"{row['arm']} ({_signed(row)})" for row in tested if row["verdict"] == verdict)
        for verdict in ("better", "worse", "budget-limited")
    }
    sentences = [
        f"Better than BCE: {named['better']}." if named["better"] else "No arm is shown to be better than plain BCE."
    ]
    if named["worse"]:
        sentences.append(f"Worse than BCE: {named['worse']}.")
    if own[0]["budget_limited"] == "true":
        sentences.append(
            "BCE itself is budget-limited: with more epochs or other learning rates it may move, so no verdict."
        )
    elif named["budget-limited"]:
        sentences.append(
            f"Budget-limited, so no verdict: {named['budget-limited']}; try more --epochs or another --lr."
        )
    sentences.append(
        f"These seeds find a difference of {own[0]['smallest_detectable']:.3f} four times in five; "
        "a smaller one may well be there unseen."
    )
    return sentences


def _starts(own: Sequence[Record], others: Sequence[Record]) -> list[str]:
    sentences = []
    for start in dict.fromkeys(row["init"] for row in others):
        rows = [row for row in others if row["init"] == start]
        bce = next(row for row in rows if row["loss"] == "bce")
        if bce["delta_vs_own_start"] is not None:
            change = _interval(bce, ("delta_vs_own_start", "own_start_low", "own_start_high"))
            sentences.append(
                f"The start: BCE from a {_start_name(start)} instead of its own constant changes by {change}."
            )
        gains = [row for row in rows if _significant_gain(row)]
        lost = [row for row in gains if not _significant_gain(_same_arm(row, own))]
        if lost:
            names = ", ".join(f"{_same_arm(row, own)['arm']} ({_signed(row)})" for row in lost)
            sentences.append(
                f"The two starts disagree: within this budget {names} beat BCE from a {_start_name(start)}, and are "
                "not shown to from their own constants. What they gain there is the start, not the loss."
            )
    return sentences


def _references(cell: Sequence[Record], own: Sequence[Record]) -> list[str]:
    references = [row for row in cell if row["kind"] == "reference"]
    if not references:
        return []
    best, arm = max(references, key=_average_precision), max(own, key=_average_precision)
    relation = "above" if _average_precision(best) > _average_precision(arm) else "below"
    return [
        f"scikit-learn's best reference, {best['arm']}, reaches {_average_precision(best):.3f}, {relation} the best "
        f"arm's {_average_precision(arm):.3f}."
    ]


def _thin(cell: Sequence[Record]) -> list[str]:
    """Splits whose positives are enough to run on, yet too few to trust."""
    first, sentences = cell[0], []
    validation, test = cast(int, first["val_positives"]), cast(int, first["test_positives"])
    if validation < CHOICE_POSITIVES:
        sentences.append(
            f"Thin: validation holds {validation} positives; below {CHOICE_POSITIVES} its choices are unreliable."
        )
    if test < TABLE_TEST_POSITIVES:
        sentences.append(
            f"Thin: test holds {test} positives; below {TABLE_TEST_POSITIVES} its average precision is noisy."
        )
    return sentences


def _one_table(first: Record) -> list[str]:
    """What holds for a table that is split anew for every seed (Nadeau and Bengio's variance)."""
    sentences = ["All of this holds on this table: its rows were split anew for every seed, not drawn anew."]
    ratio = cast(int, first["test_rows"]) / cast(int, first["train_rows"])
    if ratio > 1 / cast(int, first["n_seeds"]):  # the part of the variance that seeds don't reduce is the larger one
        sentences.append(
            f"Test rows are {ratio:.2g} times the training rows, so more seeds hardly narrow these intervals; "
            "more training rows (--rows) may."
        )
    return sentences


def _significant_gain(row: Record) -> bool:
    p_value, gain = cast(float | None, row["p_adjusted"]), cast(float | None, row["delta_vs_bce"])
    return p_value is not None and p_value < LEVEL and gain is not None and gain > 0


def _same_arm(row: Record, own: Sequence[Record]) -> Record:
    same = ("loss", "alpha", "gamma")
    return next((other for other in own if all(other[name] == row[name] for name in same)), row)


def _start_name(start: object) -> str:
    return {"zero": "zero bias", "prior": "log-odds bias"}.get(str(start), f"{start} start")


def _average_precision(row: Record) -> float:
    return cast(float, row["average_precision"])


def _signed(row: Record) -> str:
    return _interval(row, ("delta_vs_bce", "delta_low", "delta_high"))


def _interval(row: Record, names: tuple[str, str, str]) -> str:
    value, low, high = (cast(float | None, row[name]) for name in names)
    return f"{value:+.3f}" if low is None else f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
