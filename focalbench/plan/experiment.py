"""An experiment: everything a person decides, as a frozen dataclass. As a file: toml.py."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import inf
from pathlib import Path
from typing import Any, get_args

from focalbench.datasets.synthetic.families import canonical, is_synthetic
from focalbench.errors import InputError
from focalbench.runs.arm import Arm, is_custom
from focalbench.runs.arm_choice import (
    baseline_of,
    core_losses,
    in_order,
    own_arms,
    plain_arm,
    with_zero_starts,
)
from focalbench.runs.catalogue import CATALOGUE, SOFTMAX, TASKS, Task, sees_batches
from focalbench.runs.columns import COLUMN_KEYS, NO_COLUMNS, Columns
from focalbench.runs.metric import AVERAGE_PRECISION, Metric, ThresholdAt
from focalbench.runs.reference import USUAL, Reference, as_said
from focalbench.runs.resampling import Method
from focalbench.runs.run import OPTIMIZERS, RESNET, STRONG, LrSchedule, TestPrevalence
from focalbench.training.samplers import check_sampler, keeps_rate, weighs_rows

MOST = {"rows": 10_000_000, "seeds": 10_000, "steps": 10_000_000, "batch_size": 100_000}  # beyond: a slip of the hand
MOST_EPOCHS, LEAST_EPOCHS = 10_000, 20  # the least where a budget of steps decides
MOST_UNITS = 16_384
NETWORKS = ("logistic", "mlp", RESNET)
USUAL_RATE = 0.0015  # of synthetic data, which has no natural one
MANIFEST = "manifest.json"  # of a results folder, beside its experiment.toml
SAMPLERS_OF_CLASSES = ("random", "stratified", "groups")  # those that leave the rates alone


@dataclass(frozen=True)
class Experiment:
    """datasets x positive_rates (None: natural; (): the usual ones) x arms x lrs x seeds, on equal terms.

    own_rates: of data sets that have other rates than positive_rates says, by name. task: binary, multiclass (the rate
    is that of the rare class) or multilabel. columns: what is said of those of a file. arms: () are those of the
    default sweep of the task. rows: training rows; label_noise: share of positives swapped, in [0, 0.5); steps: the
    budget of every run in optimiser steps (at least 20 epochs); epochs: passes over the rows instead; optimizer and
    lr_schedule: as Training has them; tuned: whether families of several arms get a row of their best, all with as many
    candidates; metric: what validation chooses by and verdicts rest on; threshold_at: where a threshold is put on
    validation, None for none; recalibrate: whether probabilities by Platt and by isotonic regression on validation are
    measured beside those of the loss's inverse; margin: the difference in the metric that matters, None for the usual
    one (verdicts.py); references: what models stand under the table, true for scikit-learn's two; smoke_test: whether a
    table is too small to support anything, and says so. places: where the files that `datasets` names lie, by name,
    unless they lie where a process starts; no part of what an experiment is.
    """

    task: Task = "binary"
    datasets: tuple[str, ...] = ("mixture",)
    positive_rates: tuple[float | None, ...] = ()
    own_rates: tuple[tuple[str, tuple[float | None, ...]], ...] = ()
    columns: Columns = NO_COLUMNS
    test_prevalence: TestPrevalence = "weight"
    label_noise: float = 0.0
    rows: int = 40_000
    arms: tuple[Arm, ...] = ()
    lrs: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    first_seed: int = 0
    seeds: int = 10
    steps: int = 1560
    epochs: int | None = None
    batch_size: int = 512
    sampler: str = "random"
    optimizer: str = "adam"
    lr_schedule: LrSchedule = "constant"
    model: str = "mlp"
    hidden: tuple[int, ...] = (32, 32)
    device: str = "cpu"
    references: bool | tuple[Reference, ...] = True
    tuned: bool = False
    metric: Metric = AVERAGE_PRECISION
    threshold_at: ThresholdAt | None = None
    recalibrate: bool = False
    margin: float | None = None
    smoke_test: bool = False
    places: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError(f"unknown task {self.task!r}; choose one of {', '.join(TASKS)}")
        if not self.arms:
            object.__setattr__(self, "arms", with_zero_starts(own_arms(self.task)))
        if not self.positive_rates:
            object.__setattr__(self, "positive_rates", _usual_rates(self.datasets))
        object.__setattr__(self, "arms", in_order(self.arms))  # so that runs.csv is the same however they are typed
        object.__setattr__(self, "lrs", tuple(sorted(self.lrs)))
        object.__setattr__(self, "references", as_said(self.references))
        if self.model == RESNET:  # so that a manifest says what was trained
            object.__setattr__(self, "hidden", STRONG.hidden)
            object.__setattr__(self, "lr_schedule", STRONG.lr_schedule)
        self._check_numbers()
        object.__setattr__(self, "sampler", check_sampler(self.sampler, self.batch_size))
        self._check_choices()
        self._check_repeats()
        self._check_arms()
        self._check_task()
        self._check_names()

    def _check_numbers(self) -> None:
        """Ranges."""
        for name, most in MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise InputError(f"{name} must lie between 1 and {most:,}, got {getattr(self, name):,}")
        if self.epochs is not None and not 1 <= self.epochs <= MOST_EPOCHS:
            raise InputError(f"epochs must lie between 1 and {MOST_EPOCHS:,}, got {self.epochs:,}")
        if self.margin is not None and not 0 < self.margin < (1 if self.metric.is_share else inf):
            below = " and below 1" if self.metric.is_share else ""
            what = str(self.metric.name).replace("_", " ")
            raise InputError(f"margin is a difference in {what}, above 0{below}; got {self.margin}")
        if self.first_seed < 0:
            raise InputError(f"first_seed must be at least 0, got {self.first_seed}")
        if not self.lrs or not all(0 < lr < float("inf") for lr in self.lrs):
            raise InputError(f"learning rates must be finite numbers above 0, got {list(self.lrs)}")
        if self.model == "mlp" and not (self.hidden and 1 <= min(self.hidden) <= max(self.hidden) <= MOST_UNITS):
            raise InputError(f"hidden must name layers of 1 to {MOST_UNITS:,} units, got {list(self.hidden)}")
        if not 0 <= self.label_noise < 0.5:
            raise InputError(f"label noise must lie in [0, 0.5), got {self.label_noise}")
        for rate in (*self.positive_rates, *(rate for _, rates in self.own_rates for rate in rates)):
            if rate is not None and not 0 < rate < 1:
                raise InputError(f"the positive rate must lie between 0 and 1, got {rate}")

    def _check_choices(self) -> None:
        """Names."""
        if self.model not in NETWORKS:
            raise InputError(f"unknown model {self.model!r}; choose one of {', '.join(NETWORKS)}")
        if self.device not in ("cpu", "cuda"):
            raise InputError(f"unknown device {self.device!r}; choose cpu or cuda")
        for name, value, known in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("lr_schedule", self.lr_schedule, get_args(LrSchedule)),
        ):
            if value not in known:
                raise InputError(f"unknown {name} {value!r}; choose {' or '.join(known)}")
        if self.test_prevalence not in ("thin", "weight"):
            raise InputError(f"unknown `test_prevalence` {self.test_prevalence!r}; choose thin or weight")
        if self.columns.group and self.columns.time:
            raise InputError("`group` and `time` are two ways to split; give one")

    def _check_repeats(self) -> None:
        """Lists that name something twice."""
        names = [canonical(name) if is_synthetic(name) else Path(name).name for name in self.datasets]
        repeatable: dict[str, Sequence[object]] = {"positive_rates": self.positive_rates, "lrs": self.lrs}
        repeatable |= {"arms": self.arms, "file names": names, "references": self.models}
        repeatable["labels"] = self.columns.labels
        repeatable["own_rates"] = tuple(name for name, _ in self.own_rates)
        for name, values in repeatable.items():
            if len(set(values)) < len(values):
                raise InputError(f"{name} holds an entry twice; name each once")

        if strangers := {name for name, _ in self.own_rates} - set(self.datasets):
            raise InputError(f"own_rates names {min(strangers)!r}, which is none of the datasets")

    def only(self, datasets: Sequence[str]) -> "Experiment":
        """The experiment of some of its data sets."""
        own_rates = tuple(own for own in self.own_rates if own[0] in datasets)
        places = tuple(place for place in self.places if place[0] in datasets)
        return replace(self, datasets=tuple(datasets), own_rates=own_rates, places=places)

    @property
    def models(self) -> tuple[Reference, ...]:
        """The references, each by itself."""
        if isinstance(self.references, bool):
            return USUAL if self.references else ()
        return self.references

    @property
    def cells(self) -> list[tuple[str, float | None]]:
        """The data sets, each at its rates."""
        own = dict(self.own_rates)
        return [(dataset, rate) for dataset in self.datasets for rate in own.get(dataset, self.positive_rates)]

    def _check_arms(self) -> None:
        """What goes together among the arms, and with the columns."""
        for arm in self.arms:
            if (plain := plain_arm(arm)) != arm:
                raise InputError(f"{arm.name} is {plain.name} up to a factor; name the loss {plain.loss}")
            weighing = "`weight`" if self.columns.weight else f"`sampler={self.sampler}`"
            weighs = bool(self.columns.weight) or weighs_rows(self.sampler)
            if weighs and (sees_batches(arm.loss) or is_custom(arm.loss)):
                raise InputError(f"{arm.loss} sees whole batches and takes no row weights; leave it or {weighing} out")
        if any(arm.resampling for arm in self.arms):
            self._check_resampling()
        if not keeps_rate(self.sampler) and any(arm.init == "learned" for arm in self.arms):
            raise InputError(
                f"the start learned is of all rows, and `sampler={self.sampler}` draws others; leave one out"
            )
        baseline = baseline_of(self.task)
        for init in {arm.init for arm in self.arms}:
            if replace(baseline, init=init) not in self.arms:
                raise InputError(f"arms started at {init!r} need {baseline.loss} at the same start to be compared with")

    def _check_resampling(self) -> None:
        """What goes together with arms of resampled rows."""
        if self.task != "binary":
            raise InputError("`resampling` is for `task=binary`; leave it out")
        if self.sampler != "random":
            raise InputError(f"`resampling` and `sampler={self.sampler}` both decide which rows are drawn; give one")
        resampled = [arm for arm in self.arms if arm.resampling]
        if any(arm.init == "learned" for arm in resampled):
            raise InputError("the start learned is of all rows, and `resampling` leaves others; leave one out")
        if not any(arm.resampling.method is Method.SMOTE for arm in resampled if arm.resampling):
            return
        if self.columns.weight:
            raise InputError("smote makes rows, which have no `weight`; undersample, oversample, or leave one out")
        if self.model == RESNET:
            raise InputError(f"smote makes numbers, not the bins that `model={RESNET}` sees; leave one out")

    def _check_task(self) -> None:
        """What goes with one task only."""
        for arm in self.arms:
            if arm.loss in SOFTMAX and self.task != "multiclass":
                raise InputError(f"{arm.loss} is a softmax over classes: use it with `task=multiclass`")
            if self.task not in (CATALOGUE[arm.loss].tasks if arm.loss in CATALOGUE else ("binary",)):
                raise InputError(
                    f"{arm.loss} is for `task=binary`; {self.task} has {', '.join(core_losses(self.task))}"
                )
        if len(self.columns.labels) == 1:
            raise InputError("`task=multilabel` predicts several columns: give two or more `labels`, or use `target`")
        if self.columns.labels and (self.task != "multilabel" or self.columns.target):
            raise InputError("`labels` names what `task=multilabel` predicts, instead of `target`")
        if self.task == "binary":
            return
        if not self.metric.is_usual or self.threshold_at is not None or self.recalibrate:
            raise InputError("`metric`, `threshold_at` and `recalibrate` are for `task=binary`; leave them out")
        if self.label_noise:
            raise InputError("`label_noise` is for `task=binary`; leave it out")
        if self.sampler not in SAMPLERS_OF_CLASSES:
            names = ", ".join(SAMPLERS_OF_CLASSES)
            raise InputError(f"`sampler={self.sampler}` draws two classes only; with `task={self.task}` choose {names}")
        tables = [name for name in self.datasets if not is_synthetic(name)]
        if self.task == "multilabel" and tables and set(self.positive_rates) != {None}:
            raise InputError(
                "the labels of a table share its rows, so no label has a rate of its own: leave `positive_rates` "
                'out (in a file: positive_rates = ["natural"])'
            )
        if self.task == "multilabel" and tables and not self.columns.labels:
            raise InputError("`task=multilabel` needs `labels` for each column to predict, two or more of them")

    def _check_names(self) -> None:
        """What the files of results, which are UTF-8, could not hold: a file's name may be any bytes."""
        values = (setting_of(self, key) for key in KEYS)
        texts = (text for value in values for text in (value if isinstance(value, tuple) else (value,)))
        for text in texts:
            if isinstance(text, str) and any("\ud800" <= sign <= "\udfff" for sign in text):
                raise InputError(f"{text!r} is not UTF-8, as files of results are; rename it")


def _usual_rates(datasets: Sequence[str]) -> tuple[float | None, ...]:
    """What is measured where no rate is asked for. Raises InputError where data sets of two kinds have none in common.

    >>> _usual_rates(["mixture", "xor"]), _usual_rates(["fraud.csv"])
    ((0.0015,), (None,))
    """
    kinds = {is_synthetic(name) for name in datasets}
    if len(kinds) > 1:
        raise InputError(f"synthetic data sets and tables have no usual rate in common; give one, such as {USUAL_RATE}")
    return (USUAL_RATE,) if True in kinds else (None,)


_OWN = [each.name for each in fields(Experiment) if each.name != "places"]
KEYS = tuple(key for name in _OWN for key in (COLUMN_KEYS if name == "columns" else (name,)))


def setting_of(experiment: Experiment, key: str) -> object:
    """The value of one of KEYS, a metric or threshold as its text, references as true, false or their names."""
    value = getattr(experiment.columns if key in COLUMN_KEYS else experiment, key)
    if key == "references" and not isinstance(value, bool):
        return tuple(reference.name for reference in value)
    return str(value) if isinstance(value, Metric | ThresholdAt) else value


def with_new_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a file or manifest of before, as they are called now.

    >>> with_new_names({"seeds": 3, "claims": True})
    {'seeds': 3, 'smoke_test': False}
    """
    found = {key: value for key, value in content.items() if key != "claims"}
    return found | ({"smoke_test": not content["claims"]} if isinstance(content.get("claims"), bool) else {})


def as_mapping(experiment: Experiment) -> dict[str, Any]:
    """All that an experiment is, for a manifest."""
    content = asdict(experiment)
    content |= content.pop("columns")
    content["arms"] = [_arm_mapping(arm) for arm in experiment.arms]
    return {name: content[name] if name == "arms" else setting_of(experiment, name) for name in KEYS}


def _arm_mapping(arm: Arm) -> dict[str, Any]:
    """An arm's fields, its resampling as text and only where there is one, as manifests of before have none."""
    said = {"resampling": str(arm.resampling)} if arm.resampling else {}
    return {name: value for name, value in asdict(arm).items() if name != "resampling"} | said
