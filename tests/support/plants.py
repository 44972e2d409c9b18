"""Faults planted one by one into what a reported number passes, and the short runs that must find each.

python -m tests.support.plants    trains some hundred runs and prints the table of results/faults/plants.md
"""

import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from focalbench import losses
from focalbench.analysis import evidence, per_class, selection
from focalbench.analysis.run_rows import RunRow
from focalbench.base.randomness import generator
from focalbench.base.rows import read_rows
from focalbench.datasets import build
from focalbench.datasets.splits import assign_groups
from focalbench.datasets.synthetic import dense
from focalbench.datasets.synthetic import mixtures as synthetic
from focalbench.execution.pools import Backend
from focalbench.jobs.agreement import Before, Comparison, compare_runs, moved
from focalbench.jobs.check import SHORT
from focalbench.jobs.sweep import fresh_rows
from focalbench.jobs.verify import verify_files
from focalbench.losses.binary import Weights
from focalbench.metrics import calibration, ranking, threshold
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import load
from focalbench.runs.run import Run
from focalbench.training import arm_loss, caller, measuring, optimizers, references, rivals, samplers, stack, stack_loss
from focalbench.training import loop as training
from focalbench.training.references import row_name
from focalbench.training.rivals import Rival

ROOT = Path(__file__).parents[2]
Patches = Callable[[], list[Any]]  # what unittest.mock.patch gives
FEW = r"^(bce|gamma=2)$"


@dataclass(frozen=True)
class Plant:
    """A fault: what goes wrong, the patches that make it so, and the folder and arms whose short runs should see it."""

    name: str
    patches: Patches
    folder: str = "headline"
    arms: str = FEW


def changed(module: Any, name: str, change: Callable[..., Any]) -> Patches:
    """Patch a function with change(its result, *arguments)."""
    original = getattr(module, name)
    return lambda: [patch.object(module, name, lambda *a, **k: change(original(*a, **k), *a))]


def constant(module: Any, name: str, value: Any) -> Patches:
    """Patch a name with a value."""
    return lambda: [patch.object(module, name, value)]


def all_of(*every: Patches) -> Patches:
    """Several patches at once."""
    return lambda: [each for patches in every for each in patches()]


def hyperparameter(loss: str, name: str) -> Plant:
    """A rival trained with nine tenths of a hyperparameter."""
    original = rivals.rival_loss

    def other(rival: Rival, h: Any, *rest: Any) -> Any:
        return original(rival, {**h, name: 0.9 * h[name]} if rival.name == loss else h, *rest)

    return Plant(f"{loss}: {name} less by a tenth", constant(stack_loss, "rival_loss", other), "rivals", rf"^{loss}\b")


def scaled_logits(loss: str) -> Plant:
    """A rival without hyperparameters, its logits a tenth larger."""
    original = rivals.rival_loss

    def other(rival: Rival, h: Any, logits: Any, targets: Any) -> Any:
        return original(rival, h, logits * 1.1 if rival.name == loss else logits, targets)

    return Plant(f"{loss}: logits scaled", constant(stack_loss, "rival_loss", other), "rivals", rf"^{loss}\b")


def way_back(loss: str) -> Plant:
    """The way back from a rival's logits, a hundredth off."""
    back = changed(arm_loss, "rival_recovered", lambda found, rival, _: 1.01 * found if rival.name == loss else found)
    return Plant(f"{loss}: way back to probabilities", back, "rivals", rf"^{loss}\b")


def knob(name: str, dataset: str) -> Plant:
    """A family drawn with another knob."""

    def less(found: Any, *_: Any) -> Any:
        return replace(found, **{name: 0.9 * getattr(found, name)}) if hasattr(found, name) else found

    other = changed(synthetic, "knobs", less)
    return Plant(f"mixture: knob {name}", other, "families", rf"^(bce|gamma=2)$|{dataset}")


def metric(module: Any, name: str) -> Plant:
    """A measure, a hundredth off."""
    return Plant(f"measure {name}", changed(module, name, lambda found, *_: _scaled(found)))


def calibrated(name: str) -> Plant:
    """One number of a run's calibration, a hundredth off."""
    factor = torch.tensor([1.01 if each == name else 1.0 for each in calibration.SUMMARY], dtype=torch.float64)
    return Plant(f"measure {name}", changed(calibration, "summary", lambda found, *_: factor * found))


def _scaled(found: Any) -> Any:
    return tuple(1.01 * value for value in found) if isinstance(found, tuple) else 1.01 * found


def last_epoch(selection: Any, *rest: Any) -> None:
    """Selection without a memory: the last epoch is the best."""
    selection.metric[:] = -np.inf
    _see(selection, *rest)


def never_diverged(selection: Any, *rest: Any) -> None:
    _see(selection, *rest)
    selection.diverged[:] = False


_see = training.Selection.see
_outcome_of = measuring.outcome_of


def zeros(_: Any, *rest: Any) -> Any:
    """A diverged run measured at 0, not at its best constant."""
    return (0.0,)


def unweighted_test(prediction: Any, splits: Any, *rest: Any) -> Any:
    return _outcome_of(prediction, replace(splits, test=replace(splits.test, weights=None)), *rest)


def budgets(quarter: Callable[[int], int], half: Callable[[int], int]) -> Patches:
    def other(epochs: int) -> tuple[int, int, int]:
        return quarter(epochs), half(epochs), epochs

    return all_of(constant(training, "epoch_budgets", other), constant(stack, "epoch_budgets", other))


def sampled(name: str, patches: Patches, folder: str = "headline") -> Plant:
    return Plant(f"sampler: {name}", patches, folder)


LOSSES = (
    Plant(
        "LDAM: deferral switched off",
        changed(losses, "deferred_weights", lambda *_: Weights(1.0, 1.0)),
        "rivals",
        "ldam",
    ),
    Plant(
        "LDAM: weights from the first epoch",
        changed(losses, "deferred_weights", lambda _, *asked: asked[2]),
        "rivals",
        "ldam",
    ),
    Plant(
        "class-balanced weights left out",
        changed(arm_loss, "class_balanced_weights", lambda *_: Weights(1.0, 1.0)),
        "rivals",
        "class_balanced",
    ),
    Plant(
        "gamma more by a fiftieth",
        changed(stack, "run_loss", lambda loss, *_: loss._replace(gamma=1.02 * loss.gamma)),
        arms="^gamma=2$",
    ),
    Plant(
        "alpha to the wrong class",
        changed(stack, "run_loss", lambda loss, *_: loss._replace(positive=loss.negative, negative=loss.positive)),
        arms="alpha",
    ),
    Plant("pos_weight left out", changed(arm_loss, "class_weights", lambda *_: (1.0, 1.0)), arms="pos_weight"),
    Plant(
        "softmax: gamma left out",
        changed(stack, "run_loss", lambda loss, *_: loss._replace(gamma=0.0)),
        "classes",
        "softmax|gamma",
    ),
    Plant(
        "softmax: class weights left out",
        changed(arm_loss, "softmax_weights", lambda found, *_: (1.0,) * len(found)),
        "classes",
        "weighted_ce|balanced",
    ),
    Plant(
        "softmax: validation ranked by logits",
        changed(training, "ranking_scores", lambda _, _losses, logits: logits),
        "classes",
        "^ce",
    ),
    Plant("softmax: test ranked by logits", constant(caller, "leads", lambda logits: logits), "classes", "^ce"),
    scaled_logits("hinge"),
    *(
        hyperparameter(loss, parameter)
        for loss, names in {
            "focal_star": ("gamma", "beta"),
            "label_smoothed": ("smoothing",),
            "poly1": ("epsilon",),
            "logit_adjusted": ("tau",),
            "asymmetric": ("gamma_negative", "margin"),
            "ldam": ("max_margin", "scale"),
            "ohem": ("ratio",),
            "topk": ("share",),
            "dice": ("smooth",),
            "tversky": ("alpha", "beta", "smooth"),
            "focal_tversky": ("alpha", "beta", "gamma", "smooth"),
            "smooth_ap": ("tau",),
        }.items()
        for parameter in names
    ),
)
STARTS = (
    Plant(
        "start: the prior for every loss",
        changed(
            stack, "start_biases", lambda _, arm, counts: arm_loss.start_biases(replace(arm, init="prior"), counts)
        ),
        arms="^gamma=2$",
    ),
    Plant(
        "start: zero for every loss",
        changed(stack, "start_biases", lambda found, *_: (0.0,) * len(found)),
        arms="^bce$",
    ),
    Plant(
        "start: a rival's constant is zero",
        changed(arm_loss, "rival_constant", lambda *_: 0.0),
        "rivals",
        "poly1|hinge",
    ),
    Plant(
        "start: a softmax's constants are zero",
        changed(arm_loss, "softmax_best_constants", lambda found, *_: 0 * found),
        "classes",
        "^ce$",
    ),
    Plant("start: the prior's log odds", changed(arm_loss, "log_odds", lambda found, _: 0.9 * found), arms="prior"),
)
BACK = (
    Plant(
        "way back: focal loss", changed(arm_loss, "recovered_logits", lambda found, *_: 1.01 * found), arms="^gamma=2$"
    ),
    Plant(
        "way back: softmax",
        changed(arm_loss, "softmax_recovered_logits", lambda found, *_: 1.01 * found),
        "classes",
        "gamma=2",
    ),
    # label smoothing's leads to no probability for scores beyond its ends: no run of results/rivals has one
    *map(way_back, ("focal_star", "poly1", "logit_adjusted")),
    Plant("way back: the rate that a sampler moved", constant(caller, "log_odds", lambda _: 0.0)),
)
TRAINING = (
    Plant("diverged: measured at 0", changed(caller, "start_biases", zeros)),
    Plant("diverged: called ok", constant(training.Selection, "see", never_diverged)),
    Plant("budget: a quarter rounded down", budgets(lambda n: max(1, n // 4), lambda n: -(-n // 2))),
    Plant("budget: a half rounded down", budgets(lambda n: -(-n // 4), lambda n: max(1, n // 2))),
    Plant("the last epoch, not the best", constant(training.Selection, "see", last_epoch), "rivals", "."),
    Plant(
        "restarts draw the same weights",
        changed(
            stack,
            "generator",
            lambda _, seed, purpose, key: generator(seed, re.sub(r"\d+$", "0", purpose), key),
        ),
        "rivals",
        ".",
    ),
    Plant("Adam: beta 2", constant(optimizers, "BETA2", 0.99)),
    Plant("Adam: epsilon", constant(optimizers, "EPSILON", 1e-4)),
    Plant(
        "learning rate more by a hundredth",
        changed(stack, "_member", lambda found, *_: replace(found, lr=1.01 * found.lr)),
    ),
)
DATA = (
    knob("scale", "scale"),
    knob("tails", "tails"),
    knob("hard", "hard=0.2"),
    knob("hard_distance", "x"),
    knob("distance", "x"),
    Plant(
        "another seed",
        changed(synthetic, "generator", lambda _, seed, purpose, key: generator(seed + 1, purpose, key)),
        "families",
    ),
    Plant(
        "another seed: dense",
        changed(dense, "generator", lambda _, seed, purpose, key: generator(seed + 1, purpose, key)),
        "dense",
    ),
    Plant(
        "another seed: thinning",
        changed(build, "allot", lambda found, *_: tuple(rows[::-1] for rows in found)),
        "flights",
        FEW,
    ),
    Plant("label noise: none", changed(build, "with_label_noise", lambda _, dataset, *_rest: dataset)),
    Plant(
        "validation and test exchanged",
        changed(stack, "build_parts", lambda found, *_: [replace(each, validation=each.test) for each in found]),
        arms=FEW,
    ),
    Plant(
        "groups dealt to any split",
        changed(
            build,
            "assign_groups",
            lambda _, groups, *_rest: tuple(
                np.array_split(np.arange(len(groups)), [len(groups) * 6 // 10, len(groups) * 8 // 10])
            ),
        ),
        "flights",
    ),
    Plant(
        "time: rows dealt at random",
        constant(build, "assign_groups", lambda *a, **_k: assign_groups(*a, ordered=False)),
        "flights",
    ),
    Plant(
        "test not weighted to the rate",
        changed(build, "weighted_to_rate", lambda _, dataset, _rate: dataset),
        "flights",
    ),
    Plant(
        "row weights: not in training",
        changed(stack, "_rows", lambda found, *_: replace(found, weights=None)),
        "flights",
    ),
    Plant(
        "row weights: not in what training drew",
        changed(stack, "_drawn_of", lambda _, targets, _weights, drawn: stack_drawn(targets, drawn)),
        "flights",
    ),
    Plant("row weights: not in the test", constant(stack, "outcome_of", unweighted_test), "flights"),
    Plant(
        "row weights: not in the references",
        changed(references, "_row_weights", lambda *_: None),
        "flights",
        "logistic|boosting",
    ),
    Plant(
        "features scaled by all rows",
        changed(build, "preprocess", lambda found, *_: tuple(1.01 * part for part in found)),
        "flights",
    ),
)
SAMPLERS = (
    sampled("groups in one order", changed(samplers, "_whole_groups", lambda found, *_: np.sort(found)), "dense"),
    sampled("random order the same each epoch", changed(stack, "orders", lambda found, *_: [found[0]] * len(found))),
    sampled(
        "stratified is random",
        changed(samplers, "stratified", lambda _, targets, rng: rng.permutation(len(targets))),
    ),
    sampled("one positive more in a batch", changed(samplers, "_quota", lambda found, *_: found + 1)),
    sampled("another share of hard negatives", constant(samplers, "HARD_SHARE", 0.2)),
)
MEASURES = (
    metric(ranking, "average_precision"),
    metric(ranking, "roc_auc"),
    metric(threshold, "r_precision"),
    metric(threshold, "recall_at_fpr"),
    *map(calibrated, calibration.SUMMARY),
    Plant(
        "measure: validation average precision", changed(training, "average_precision", lambda found, *_: 1.01 * found)
    ),
    Plant("the Bayes ceiling", changed(measuring, "_ceilings", lambda found, *_: [1.01 * value for value in found])),
    Plant(
        "positives in a batch",
        changed(stack, "batch_counts", lambda found, *_: replace(found, positives=1.0)),
    ),
    Plant(
        "chance, of several labels",
        changed(stack, "facts_of", lambda found, *_: replace(found, test_prevalence=0.5)),
        "labels",
    ),
    Plant(
        "several labels: the first instead of the mean",
        changed(measuring, "macro", lambda _, measured: measured[0]),
        "labels",
    ),
    Plant(
        "several labels: one validates",
        changed(
            training,
            "macro_average_precision",
            lambda _, scores, rows, _measured: ranking.average_precision(scores[:, 0], rows.targets[:, 0]),
        ),
        "labels",
    ),
    Plant(
        "classes: told under other names",
        changed(measuring, "_classes", lambda found, *_: tuple(replace(each, name=f"x{each.name}") for each in found)),
        "classes",
        "^ce$",
    ),
)
REFERENCES = (
    Plant("reference: another penalty", constant(references, "PENALTIES", (0.02, 2.0)), arms="logistic"),
    Plant("reference: other trees", constant(references, "TREES", ({"l2_regularization": 1.0},)), arms="boosting"),
    Plant(
        "reference: the worst candidate",
        changed(caller, "value_on", lambda found, *_: 1 - found),
        arms="logistic|boosting",
    ),
)
TABLES = (
    Plant(
        "table: a seed's first run, not its best",
        changed(selection, "choose", lambda _, candidates, *_column: candidates[0]),
    ),
    Plant(
        "table: intervals", changed(evidence, "mean_interval", lambda found, *_: replace(found, low=found.low - 0.01))
    ),
    Plant("table: classes", changed(per_class, "_mean", lambda found, *_: None if found is None else 1.01 * found)),
)
PLANTS = (*LOSSES, *STARTS, *BACK, *TRAINING, *DATA, *SAMPLERS, *MEASURES, *REFERENCES)


def stack_drawn(targets: Any, drawn: Sequence[Any]) -> Any:
    """What training drew, every row counted as one."""
    positives, rows = (sum(map(count, drawn)) / len(drawn) for count in (lambda order: int(targets[order].sum()), len))
    return rivals.ClassCounts(positives, rows - positives)


@cache
def befores(folder: str) -> list[Before]:
    """The short runs of a folder, and what check.csv says of them."""
    path, checks = ROOT / "results" / folder / "check.csv", load(ROOT / "experiments" / f"{folder}.toml")[1]
    known = {row.settings.run_id: row for row in read_rows(path, RunRow)}
    return [Before(run, known[run.run_id], SHORT) for check in checks for run in make_plan(check).runs]


def found(plant: Plant) -> list[Comparison]:
    """The short runs that a plant moves, by its folder's check.csv. Nothing where it is not seen."""
    chosen = [
        each for each in befores(plant.folder) if re.search(plant.arms, row_name(each.run)) and is_small(each.run)
    ]
    forget()
    with planted(plant):
        [compared] = compare_runs([chosen], train([before.run for before in chosen]), train)
    forget()
    return moved(compared)


def is_small(run: Run) -> bool:
    """Leaves out what takes seconds to read, where others would see the same."""
    return run.recipe.dataset not in ("census-income", "flights-late")


def found_in_files(plant: Plant) -> list[str]:
    """What is wrong with results/labels by the code with a plant in it, which makes the table again."""
    with planted(plant):
        return verify_files(ROOT / "results" / "labels", ROOT / "experiments" / "labels.toml")


def train(runs: Sequence[Run]) -> dict[str, RunRow]:
    return {row.settings.run_id: row for row in fresh_rows(runs, Backend())}


@contextmanager
def planted(plant: Plant) -> Any:
    patches = plant.patches()
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in reversed(patches):
            each.stop()


def forget() -> None:
    """Forget what was made with other code."""
    stack._latest.clear()
    rivals.rival_constant.cache_clear()
    synthetic.mixture.cache_clear()


def main() -> None:
    """Plant each, and print what was found; ends at the first that is not."""
    print("| planted | found by | for example |\n|---|---|---|")
    for plant in PLANTS:
        _tell(plant, f"{plant.folder}, short runs", list(map(str, found(plant))))
    for plant in TABLES:
        _tell(plant, "labels, files", found_in_files(plant))


def _tell(plant: Plant, where: str, lines: Sequence[str]) -> None:
    example = re.sub(r"\d+\.\d{5,}", lambda number: f"{float(number[0]):.5g}", lines[0].replace(f"{ROOT}/", ""))
    print(f"| {plant.name} | {len(lines)} of {where} | {example} |", flush=True)


if __name__ == "__main__":
    main()
