"""The rows of runs.csv: what was asked of a run, then what came out."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from focalbench.base.rows import As
from focalbench.datasets.synthetic.families import is_synthetic
from focalbench.runs.arm import Arm
from focalbench.runs.catalogue import SIGMOID, SOFTMAX
from focalbench.runs.metric import Metric, ThresholdAt
from focalbench.runs.resampling import Resampling
from focalbench.runs.result import Outcome, Status
from focalbench.runs.run import OPTIMIZERS, Cell, Run, Training
from focalbench.training.references import is_reference, row_name


class Source(StrEnum):
    """Where rows come from."""

    SYNTHETIC = "synthetic"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked of a run. arm: its label, or a reference's name; family: arms that are tuned together, or
    "reference"; params: all that makes up an arm's loss beside its name, as JSON; hidden: units per layer, as 64-64.

    metric: what validation chooses by, None for average precision; threshold_at: where a threshold is put, None for
    none; optimizer: with its schedule, None for Adam at a constant learning rate; resampling: of the training rows,
    None for none. init, lr, batch_size and epochs: None of a reference. alpha, gamma: None of a loss that takes none.
    """

    run_id: str
    dataset: str
    source: Source
    positive_rate: float | None
    label_noise: float
    arm: str
    family: str
    loss: str
    alpha: str | None
    gamma: float | None
    init: str | None
    params: str
    lr: float | None
    seed: int
    restart: int
    model: str
    hidden: str
    sampler: str
    batch_size: int | None
    epochs: int | None
    metric: Annotated[Metric | None, As(write=str, read=Metric.parse, added=True)]
    threshold_at: Annotated[ThresholdAt | None, As(write=str, read=ThresholdAt.parse, added=True)]
    optimizer: Annotated[str | None, As(added=True)]
    resampling: Annotated[Resampling | None, As(write=str, read=Resampling.parse, added=True)]

    @property
    def cell(self) -> Cell:
        """Which table it stands in."""
        return Cell(self.dataset, self.positive_rate, self.label_noise)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A row of runs.csv. outcome: None of a run that failed."""

    settings: Settings
    outcome: Annotated[Outcome | None, As(absent=(("status", Status.FAILED.value),))]


def run_row(run: Run, outcome: Outcome | None) -> RunRow:
    """The row of a run and of what came out; None where it failed."""
    return RunRow(_settings(run), outcome)


def _settings(run: Run) -> Settings:
    reference, recipe, training = is_reference(run), run.recipe, run.training
    return Settings(
        run_id=run.run_id,
        dataset=recipe.dataset,
        source=Source.SYNTHETIC if is_synthetic(recipe.dataset) else Source.TABLE,
        positive_rate=recipe.positive_rate,
        label_noise=recipe.label_noise,
        arm=row_name(run),
        family="reference" if reference else run.arm.family,
        loss=run.arm.loss,
        alpha=None if run.arm.alpha is None else str(run.arm.alpha),
        gamma=run.arm.gamma if run.arm.loss in (*SIGMOID, *SOFTMAX) else None,
        init=None if reference else run.arm.init,
        params=_params(run.arm, training.source),
        lr=None if reference else run.lr,
        seed=run.seed,
        restart=run.restart,
        model=training.model,
        hidden="-".join(map(str, training.hidden)),
        sampler=training.sampler,
        batch_size=training.batch_size or None,
        epochs=training.epochs or None,
        metric=None if training.metric.is_usual else training.metric,
        threshold_at=training.threshold_at,
        optimizer=_updates(training),
        resampling=run.arm.resampling,
    )


def _updates(training: Training) -> str | None:
    """The optimiser and its schedule, where these are not the usual ones, or a reference's."""
    schedule = "" if training.lr_schedule == "constant" else f" {training.lr_schedule}"
    named = f"{training.optimizer}{schedule}"
    return None if named == "adam" or training.optimizer not in OPTIMIZERS else named


def _params(arm: Arm, source: str) -> str:
    """source: of a model of somebody's own."""
    if source:
        return json.dumps({"source": source})
    if arm.loss in (*SIGMOID, *SOFTMAX):
        return json.dumps({"alpha": arm.alpha, "gamma": arm.gamma})
    return json.dumps(dict(arm.params) | ({"source": arm.source} if arm.source else {}))
