"""Resampled training rows: which rows make them up, what SMOTE makes, and how probabilities come back."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray

from focalbench.datasets.build import build_splits
from focalbench.datasets.dataset import Dataset
from focalbench.errors import InputError
from focalbench.losses.inverse import log_odds
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.stacks import make_stacks
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.resampling import Method, Resampling
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training import resampling as module
from focalbench.training.resampling import epochs_of, resample
from focalbench.training.stack import predict_stack, run_stack, trained_rows

RATIOS = st.floats(0.02, 1)
RECIPE, TRAINING = Recipe("mixture", 1500, 0.03), Training(hidden=(8,), epochs=2)


def rows_with(positives: int, negatives: int, levels: tuple[tuple[int, int], ...] = ()) -> Dataset:
    """Two numbers, then one-hot features."""
    rng = np.random.default_rng(positives)
    targets = rng.permutation(np.arange(positives + negatives) < positives).astype(np.int8)
    features = [rng.standard_normal((len(targets), 2))]
    for first, last in levels:
        codes = rng.integers(0, max(2, last - first), len(targets))
        features.append(np.eye(2)[codes][:, 1:] if last - first == 1 else np.eye(last - first)[codes])
    return Dataset(np.column_stack(features).astype(np.float32), targets, levels=levels)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@given(st.integers(2, 40), st.integers(40, 300), RATIOS)
def test_undersampling_leaves_out_as_many_negatives_as_imbalanced_learn(pos: int, neg: int, ratio: float) -> None:
    train = rows_with(pos, neg)
    found = resample(train, Resampling(Method.UNDERSAMPLE, ratio), rng())
    assert found.train is train
    assert len(set(found.rows)) == len(found.rows)
    assert train.targets[found.rows].sum() == pos
    if int(ratio * neg) > pos:
        theirs = RandomUnderSampler(sampling_strategy=ratio).fit_resample(train.features, train.targets)[1]
        assert len(found.rows) == len(theirs)
    else:
        assert len(found.rows) == train.rows


@given(st.integers(2, 40), st.integers(40, 300), RATIOS)
def test_oversampling_repeats_as_many_positives_as_imbalanced_learn(pos: int, neg: int, ratio: float) -> None:
    train = rows_with(pos, neg)
    found = resample(train, Resampling(Method.OVERSAMPLE, ratio), rng())
    assert np.array_equal(found.rows[: train.rows], np.arange(train.rows))
    assert train.targets[found.rows[train.rows :]].all()
    if int(ratio * neg) > pos:
        theirs = RandomOverSampler(sampling_strategy=ratio).fit_resample(train.features, train.targets)[1]
        assert len(found.rows) == len(theirs)
    else:
        assert len(found.rows) == train.rows


def between_neighbours(made: NDArray[np.float64], positives: NDArray[np.float64]) -> bool:
    """Whether a row lies on the way from one positive to another."""
    starts, ends = positives[:, None], positives[None]
    way = ends - starts
    share = ((made - starts) * way).sum(-1) / np.maximum((way**2).sum(-1), 1e-30)
    nearest = starts + share.clip(0, 1)[..., None] * way
    return bool((np.abs(nearest - made).max(-1) < 1e-4).any())


@pytest.mark.parametrize("positives", [2, 3, 30])
def test_smote_makes_positives_between_neighbouring_ones(positives: int) -> None:
    train = rows_with(positives, 300)
    found = resample(train, Resampling(Method.SMOTE, 0.5), rng())
    assert np.array_equal(found.train.features[: train.rows], train.features)
    assert found.train.targets[train.rows :].all()
    assert found.train.rows == len(found.rows) == 300 + 150
    known = train.features[train.targets == 1].astype(np.float64)
    assert all(between_neighbours(row, known) for row in found.train.features[train.rows :].astype(np.float64))


def test_smote_is_imbalanced_learns() -> None:
    train = rows_with(30, 300)
    found = resample(train, Resampling(Method.SMOTE), rng())
    theirs = SMOTE(random_state=int(rng().integers(2**31))).fit_resample(
        train.features.astype(np.float64), train.targets
    )
    assert np.array_equal(found.train.features, theirs[0].astype(np.float32))


@pytest.mark.parametrize("levels", [((2, 5),), ((2, 3), (3, 7))])
def test_categories_of_made_rows_are_levels_that_positives_have(levels: tuple[tuple[int, int], ...]) -> None:
    train = rows_with(25, 300, levels)
    made = resample(train, Resampling(Method.SMOTE), rng()).train.features[train.rows :]
    for first, last in levels:
        part, known = made[:, first:last], train.features[train.targets == 1][:, first:last]
        assert set(map(tuple, part)) <= set(map(tuple, known))
    assert len(np.unique(made[:, 0])) > 200  # numbers are between


def test_rows_of_categories_alone_are_made_too() -> None:
    with_numbers = rows_with(25, 300, ((2, 5), (5, 8)))
    train = Dataset(with_numbers.features[:, 2:], with_numbers.targets, levels=((0, 3), (3, 6)))
    made = resample(train, Resampling(Method.SMOTE), rng()).train.features[train.rows :]
    assert set(map(tuple, made)) <= set(map(tuple, train.features))
    assert len(made) == 275


@given(st.integers(1, 50), st.integers(1, 70), st.integers(1, 5))
def test_epochs_are_as_long_as_asked_and_draw_every_row_before_one_comes_again(
    rows: int, size: int, epochs: int
) -> None:
    drawn = np.concatenate(epochs_of(np.arange(rows) + 7, size, epochs, rng()))
    assert len(drawn) == size * epochs
    for start in range(0, len(drawn) - rows + 1, rows):
        assert sorted(drawn[start : start + rows]) == list(range(7, 7 + rows))


# ---- in the engine


def run_of(how: str, loss: str = "bce", seed: int = 0) -> Run:
    return Run(RECIPE, TRAINING, Arm(loss, resampling=Resampling.parse(how)), 0.01, seed)


@pytest.mark.parametrize("how", ["undersample", "oversample:0.3", "smote"])
def test_every_run_takes_as_many_steps_as_without(how: str) -> None:
    train = build_splits(RECIPE, 0).train
    _, drawn = trained_rows(run_of(how), train)
    _, plain = trained_rows(Run(RECIPE, TRAINING, Arm("bce"), 0.01, 0), train)
    assert [len(order) for order in drawn] == [len(order) for order in plain]


@pytest.mark.parametrize("how", ["undersample", "oversample:0.25", "smote"])
def test_probabilities_are_moved_back_by_the_odds_that_resampling_moved(how: str) -> None:
    ratio = Resampling.parse(how).ratio
    predictions, splits = predict_stack((run_of(how),))
    back, raw = predictions[0].said.recovered[0], predictions[0].said.scores[0].double().numpy()
    assert back is not None
    drawn = log_odds(ratio / (1 + ratio))
    assert back - raw == pytest.approx(np.full(len(raw), log_odds(splits.train.prevalence) - drawn), abs=0.15)
    assert (back - raw).std() < 1e-9


def test_validation_and_test_are_as_they_were_and_others_are_not_touched() -> None:
    plain = Run(RECIPE, TRAINING, Arm("bce"), 0.01, 0)
    (alone,) = run_stack((plain,))
    (under,) = run_stack((run_of("undersample"),))
    assert under.outcome.data_sha256 == alone.outcome.data_sha256
    assert under.outcome.sizes == alone.outcome.sizes
    assert under.outcome.val_average_precision != alone.outcome.val_average_precision
    (again,) = run_stack((plain,))
    assert again.outcome == alone.outcome


def test_the_draw_hangs_on_the_seed_and_the_method() -> None:
    def drawn(run: Run) -> Sequence[object]:
        rows, orders = trained_rows(run, build_splits(RECIPE, run.seed).train)
        return rows.features.sum(), orders[0][:50].tolist()

    assert drawn(run_of("smote")) == drawn(run_of("smote", "pos_weight"))  # the same rows for every loss
    assert drawn(run_of("smote")) != drawn(run_of("smote:0.5"))
    assert drawn(run_of("oversample")) != drawn(run_of("oversample", seed=1))


def test_the_runs_of_a_resampling_are_a_stack_of_their_own() -> None:
    arms = (
        Arm("bce"),
        Arm("pos_weight"),
        *(Arm("bce", resampling=Resampling.parse(how)) for how in ("smote", "undersample")),
    )
    plan = make_plan(Experiment(positive_rates=(0.03,), rows=1500, arms=arms, seeds=2, references=False))
    stacks = make_stacks(plan.runs)
    assert sorted(len({run.arm.resampling for run in stack}) for stack in stacks) == [1] * 6
    assert sum(map(len, stacks)) == len(plan.runs)


def test_an_arm_that_is_not_resampled_keeps_its_name() -> None:
    assert "resampling" not in Run(RECIPE, TRAINING, Arm("bce"), 0.01, 0).identity
    assert '"resampling":"smote:0.5"' in run_of("smote:0.5").identity


# ---- bad input


@pytest.mark.parametrize("text", ["smoke", "smote:", "smote:0", "smote:1.5", "smote:nan", "undersample:x", ""])
def test_what_is_no_resampling_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"`resampling"):
        Resampling.parse(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "balanced"}, "both decide which rows are drawn"),
        ({"model": "resnet", "hidden": (128, 128), "lr_schedule": "cosine"}, "not the bins that `model=resnet` sees"),
        ({"columns": Columns(weight="w")}, "smote makes rows, which have no `weight`"),
    ],
)
def test_what_does_not_go_with_it_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Experiment(arms=(Arm("bce"), Arm("bce", resampling=Resampling(Method.SMOTE))), **settings)  # type: ignore[arg-type]


def test_other_starts_and_tasks_are_refused() -> None:
    learned = tuple(Arm("bce", init="learned", resampling=how) for how in (None, Resampling(Method.SMOTE)))
    with pytest.raises(InputError, match="the start learned is of all rows"):
        Experiment(arms=learned)
    with pytest.raises(InputError, match="`resampling` is for `task=binary`"):
        Experiment(
            task="multiclass", datasets=("long-tail",), arms=(Arm("ce"), Arm("ce", resampling=Resampling(Method.SMOTE)))
        )


def test_a_library_that_is_missing_is_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    arms = (Arm("bce"), Arm("bce", resampling=Resampling(Method.SMOTE)))
    with pytest.raises(InputError, match=r"pip install 'focalbench\[resampling\]'"):
        make_plan(Experiment(arms=arms))
