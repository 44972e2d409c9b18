"""What a table supports and what it does not, in plain sentences."""

from collections.abc import Sequence
from itertools import groupby
from typing import cast

from focalbench.comparison import AUCPR, DELTA, LEVEL, OWN_START, SMOKE_TEST, baseline_family
from focalbench.datasets.prevalence import CHOICE_POSITIVES, TABLE_TEST_POSITIVES
from focalbench.records import Record
from focalbench.report import spread
from focalbench.statistics import INTERVAL_SEEDS, LEAST_SEEDS

CLAIM_SEEDS = 20  # fewer screen; a reported claim uses these
LONGEST = 70  # characters of a name in a title or of a file

BLURB = (
    "AUCPR: step-wise average precision, as scikit-learn's; {spreads}differences are paired by seed; "
    "p adj.: corrected for all arms of one start, what verdicts rest on; skill: log loss avoided, 1 at best, by the "
    "probabilities that the loss's inverse recovers (blank: it has none); below 0 the bare prevalence is better."
)
OF_CLASSES = (
    "Every number is a mean over the classes or labels measured, each by itself against the rest; ce, weighted_ce, "
    "softmax: one softmax over the classes; all other arms: a sigmoid for each."
)


def blurb(table: Sequence[Record]) -> list[str]:
    """What the columns of a table mean."""
    found = {spread.kind(row, names) for row in table for names in (AUCPR, DELTA)}
    spreads = "".join(f"{text}; " for kind, text in spread.EXPLAINED.items() if kind in found)
    of_classes = [] if all(row["n_classes"] is None for row in table) else [OF_CLASSES]
    return [BLURB.format(spreads=spreads), *of_classes]


def cells(table: Sequence[Record]) -> list[list[Record]]:
    """The rows of a table, one list for each data set at one rate."""

    def key(row: Record) -> tuple[object, ...]:
        return row["dataset"], row["positive_rate"], row["label_noise"]

    return [list(rows) for _, rows in groupby(table, key=key)]


def title(cell: Sequence[Record], classes: Sequence[Record] = ()) -> str:
    """Data set, rate, chance level, ceiling and seeds of a cell, in one line. classes: its rows of per_class."""
    first = cell[0]
    rate = "natural rate" if first["positive_rate"] is None else f"rate {first['positive_rate']:g}"
    parts = [
        f"{first['dataset']} at {rate}",
        _seeds(first),
        *([] if first["n_classes"] is None else [f"mean over {first['n_classes']} {_outputs(cell)}"]),
        *_chance(first, classes),
    ]
    if first["bayes_average_precision"] is not None:
        parts.append(f"Bayes ceiling {first['bayes_average_precision']:.3f}")
    if first["test_prevalence"] is not None and first["n_classes"] is None:
        parts.append("test rows weighted")
    if first["label_noise"]:
        parts.append(f"label noise {first['label_noise']:g} (test labels clean)")
    return ", ".join(parts)


def _chance(first: Record, classes: Sequence[Record]) -> list[str]:
    """The prevalence, or the lowest and highest of the measured classes: their mean is no class's own."""
    if first["n_classes"] is None:
        return [f"chance {first['prevalence']:.4f}"]
    shares = [cast(float, row["prevalence"]) for row in classes if row["average_precision"] is not None]
    return [f"chance {min(shares):.4f} to {max(shares):.4f} by class"] if shares else []


def _outputs(cell: Sequence[Record]) -> str:
    return "classes" if baseline_family(cell) == "ce" else "labels"


def short_title(cell: Sequence[Record]) -> str:
    """Data set, rate and seeds of a cell."""
    name = str(cell[0]["dataset"])
    name = name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}...{name[-LONGEST // 2 :]}"
    return name + how_taken(cell)


def how_taken(cell: Sequence[Record]) -> str:
    """What follows the name of a cell's data set: its rate and seeds."""
    first = cell[0]
    rate = "natural rate" if first["positive_rate"] is None else f"rate {first['positive_rate']:g}"
    noise = f", label noise {first['label_noise']:g}" if first["label_noise"] else ""
    return f" at {rate}{noise}, {_seeds(first)}"


def _seeds(first: Record) -> str:
    return "1 seed" if first["n_seeds"] == 1 else f"{first['n_seeds']} seeds"


def conclusions(cell: Sequence[Record], classes: Sequence[Record] = ()) -> list[str]:
    """The sentences under a cell's table. classes: the rows of per_class for this cell."""
    arms = [row for row in cell if row["kind"] == "arm"]
    main = [row for row in arms if row["init"] == _main_start(arms)]
    sentences = [*_best(main), *_verdicts(main), *_rarest(main, classes), *_starts(arms)]
    sentences += [*_references(cell, main), *_unmeasured(cell), *_thin(cell)]
    if lost := cast(int, cell[0]["failed_seeds"]):
        sentences.append(f"{lost} more seeds are left out, for every arm alike: runs of theirs failed (see runs.csv).")
    if (failed := sum(cast(int, row["diverged"]) for row in arms)) > 0:
        counted = "run diverged; it counts" if failed == 1 else "runs diverged; they count"
        sentences.append(f"{failed} {counted} with the best finite epoch, else at chance level.")
    if cell[0]["bayes_average_precision"] is None:
        sentences += _one_table(cell[0])
    return sentences


def baseline_name(rows: Sequence[Record]) -> str:
    """What the rows of a cell are compared with, as it is written in a sentence."""
    return baseline_family(rows).upper()


def _main_start(arms: Sequence[Record]) -> object:
    """The start that the sentences are about: own, or what there is."""
    starts = [row["init"] for row in arms]
    return "own" if "own" in starts else starts[0]


def _best(main: Sequence[Record]) -> list[str]:
    if len(main) == 1:
        return []
    best = max(main, key=_average_precision)
    sentence = f"Highest mean AUCPR: {best['arm']} ({_average_precision(best):.3f})."
    if best["verdict"] == SMOKE_TEST:
        return [sentence + " A smoke test: it supports no claim about the losses."]
    if best["in_best_set"] is None:
        few, shown = LEAST_SEEDS, "intervals only"
        if cast(int, best["n_seeds"]) < INTERVAL_SEEDS:
            few, shown = INTERVAL_SEEDS, "not even intervals"
        return [sentence + f" Fewer than {few} seeds: {shown}, and no claim about the losses is supported."]
    rivals = [str(row["arm"]) for row in main if row["in_best_set"] == "true" and row is not best]
    others = f" Cannot be told from it: {', '.join(rivals)}." if rivals else " Every other arm can be told from it."
    hedge = " Those that are budget-limited may still move." if any(r["budget_limited"] == "true" for r in main) else ""
    return [sentence + others + hedge]


def _verdicts(main: Sequence[Record]) -> list[str]:
    tested = [row for row in main if row["p_adjusted"] is not None]
    if not tested:
        return []
    named = {
        verdict: ", ".join(f"{row['arm']} ({_signed(row)})" for row in tested if row["verdict"] == verdict)
        for verdict in ("better", "worse", "budget-limited")
    }
    baseline = baseline_name(main)
    sentences = [
        f"Better than {baseline}: {named['better']}."
        if named["better"]
        else f"No arm is shown to be better than plain {baseline}."
    ]
    if named["worse"]:
        sentences.append(f"Worse than {baseline}: {named['worse']}.")
    if any(row["verdict"] == "baseline" and row["budget_limited"] == "true" for row in main):
        sentences.append(
            f"{baseline} itself is budget-limited: with more epochs or other learning rates it may move, so no verdict."
        )
    elif named["budget-limited"]:
        sentences.append(
            f"Budget-limited, so no verdict: {named['budget-limited']}; try more --epochs or another --lr."
        )
    seeds = cast(int, main[0]["n_seeds"])
    screen = "" if seeds >= CLAIM_SEEDS else f"{seeds} seeds screen, a claim wants {CLAIM_SEEDS}: these typically"
    sentences.append(
        f"{screen or f'These {seeds} seeds typically'} find a difference of {main[0]['smallest_detectable']:.3f} four "
        "times in five; a smaller one may well be there unseen."
    )
    return sentences


def _rarest(main: Sequence[Record], classes: Sequence[Record]) -> list[str]:
    """The rarest class by itself, which an average over classes hides."""
    names = [row["arm"] for row in main]
    rows = [row for row in classes if row["arm"] in names and row["average_precision"] is not None]
    if len(main) == 1 or not rows:
        return []
    rarest = min(rows, key=lambda row: cast(float, row["train_positives"]))["class"]
    found = [row for row in rows if row["class"] == rarest]
    baseline, best = next(row for row in found if row["delta"] is None), max(found, key=_average_precision)
    sentence = f"Of {rarest}, the rarest measured, alone: {baseline_name(main)} {_average_precision(baseline):.3f}"
    if best is baseline:
        return [sentence + ", the highest."]
    sentence += f", the highest {best['arm']} {_average_precision(best):.3f} ({_signed(best)})"
    if spread.kind(best, DELTA) != "half":
        return [sentence + "."]
    return [sentence + "; this interval stands for one comparison, not for the best of many."]


def _starts(arms: Sequence[Record]) -> list[str]:
    """What starting the baseline elsewhere does, and which verdicts hang on the start."""
    own = [row for row in arms if row["init"] == "own"]
    others = [row for row in arms if row["init"] != "own"]
    sentences = []
    for start in dict.fromkeys(row["init"] for row in others):
        rows = [row for row in others if row["init"] == start]
        name = baseline_name(arms)
        baseline = next(row for row in rows if row["loss"] == name.lower())
        if baseline["delta_vs_own_start"] is not None:
            change = spread.phrase(baseline, OWN_START)
            sentences.append(
                f"The start: {name} from a {_start_name(start)} instead of its own constant changes by {change}."
            )
        pairs = [(row, same) for row in rows if (same := _same_arm(row, own)) and _finding(row) != _finding(same)]
        sentences += [f"Depends on initialisation: {_disagreement(row, same, name)}." for row, same in pairs]
    return sentences


def _finding(row: Record) -> str:
    """Which side of the baseline's from the same start a row's corrected test puts it on."""
    p_value, gain = cast(float | None, row["p_adjusted"]), cast(float | None, row["delta"])
    if p_value is None or gain is None or p_value >= LEVEL:
        return "not told from"
    return "above" if gain > 0 else "below"


def _disagreement(row: Record, own: Record, baseline: str) -> str:
    name, start = own["arm"], _start_name(row["init"])
    limited = "budget-limited" in (row["verdict"], own["verdict"])
    caution = "; more training may change it, so no verdict" if limited else ""
    return (
        f"within this budget {name} is {_finding(row)} {baseline} from a {start} ({_signed(row)}) and {_finding(own)} "
        f"{baseline} from their own constants ({_signed(own)}){caution}"
    )


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


def _unmeasured(cell: Sequence[Record]) -> list[str]:
    """The classes that no average counts."""
    names = cell[0]["unmeasured"]
    return [f"Too few rows to measure {names}: trained on, left out of every mean."] if names else []


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
    thin = cast(int, first["test_positives"]) < 2 * TABLE_TEST_POSITIVES  # then test rows are not to spare
    # where the part of the variance that seeds don't reduce is the larger one
    if ratio > 1 / cast(int, first["n_seeds"]) and not thin and first["ap_low"] is not None:
        sentences.append(
            f"Test rows are {ratio:.2g} times the training rows, so more seeds hardly narrow these intervals; "
            "more training rows (--rows) may."
        )
    return sentences


def _same_arm(row: Record, own: Sequence[Record]) -> Record | None:
    plain = str(row["arm"]).removesuffix(f" ({row['init']} start)")
    return next((other for other in own if other["arm"] == plain), None)


def _start_name(start: object) -> str:
    return {"zero": "zero bias", "prior": "log-odds bias"}.get(str(start), f"{start} start")


def _average_precision(row: Record) -> float:
    return cast(float, row["average_precision"])


def _signed(row: Record) -> str:
    return spread.phrase(row, DELTA)
