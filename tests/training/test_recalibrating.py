"""Probabilities by Platt and by isotonic regression on validation: scikit-learn's, and what is kept of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from focalbench.datasets.build import build_splits
from focalbench.metrics.calibration import platt_line
from focalbench.runs.arm import Arm
from focalbench.runs.metric import LOG_LOSS
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.evaluation import calibration_of
from focalbench.training.recalibrating import recalibrated
from focalbench.training.stack import predict_stack, run_stack

RECIPE, TRAINING = Recipe("mixture", 3000, 0.03), Training(hidden=(8,), epochs=2, recalibrate=True)


def scored(seed: int, rows: int = 400, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = (np.arange(rows) < rows // 8).astype(np.int8)
    return rng.standard_normal(rows) + shift * targets, targets


@pytest.mark.filterwarnings("ignore:Since FrozenEstimator does not appear")  # it is not fitted
@given(st.integers(0, 1000), st.floats(0.1, 1e3), st.booleans())
def test_platts_line_is_scikit_learns(seed: int, scale: float, weighted: bool) -> None:
    scores, targets = scored(seed)
    scores = scale * scores
    weights = np.random.default_rng(seed + 1).uniform(0.5, 2, len(targets)) if weighted else np.ones(len(targets))
    weights /= weights.mean()
    slope, intercept = platt_line(torch.from_numpy(scores)[None], torch.from_numpy(targets), torch.from_numpy(weights))
    model = FrozenEstimator(LogisticRegression().fit(scores[:, None], targets))
    model.estimator.coef_, model.estimator.intercept_ = np.array([[1.0]]), np.array([0.0])
    theirs = CalibratedClassifierCV(model, method="sigmoid").fit(scores[:, None], targets, sample_weight=weights)
    (line,) = theirs.calibrated_classifiers_[0].calibrators
    assert float(slope) == pytest.approx(-line.a_, rel=2e-3, abs=1e-5)
    assert float(intercept) == pytest.approx(-line.b_, rel=2e-3, abs=2e-3)


def test_classes_that_scores_part_have_a_line_and_constant_scores_none() -> None:
    scores, targets = scored(0, shift=100)
    slope, _ = platt_line(torch.from_numpy(scores)[None], torch.from_numpy(targets))
    assert 0 < float(slope) < 1
    slope, intercept = platt_line(torch.zeros(1, len(targets)), torch.from_numpy(targets))
    assert torch.isnan(slope).all()
    assert torch.isnan(intercept).all()


def test_isotonic_is_scikit_learns_and_so_is_its_log_loss() -> None:
    (scores, targets), (others, truth) = scored(1), scored(2)
    found = recalibrated(torch.from_numpy(scores), torch.from_numpy(targets), None, torch.from_numpy(others))
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, targets).predict(others)
    assert (theirs == 0).any()
    assert torch.from_numpy(found.isotonic).sigmoid().numpy() == pytest.approx(theirs, abs=1e-12)
    measured = calibration_of(torch.from_numpy(found.isotonic)[None], torch.from_numpy(truth), None)
    assert measured.log_loss == pytest.approx(log_loss(truth, theirs), rel=1e-6)


def test_a_run_keeps_what_these_make_of_its_own_scores() -> None:
    run = Run(RECIPE, TRAINING, Arm("pos_weight"), 0.01, 0)
    (result,), (predictions, splits) = run_stack((run,)), predict_stack((run,))
    again = predictions[0].said.recalibrated
    assert again is not None
    assert again.platt is not None
    platt = result.outcome.platt
    assert platt is not None
    probabilities = torch.from_numpy(again.platt).sigmoid().numpy()
    assert platt.log_loss == pytest.approx(
        log_loss(splits.test.targets, probabilities, sample_weight=splits.test.weights)
    )
    raw = result.outcome.scores.raw.log_loss
    assert raw is not None
    assert platt.log_loss is not None
    assert platt.log_loss < raw  # pos_weight's own probabilities are far too high


def test_nothing_else_of_a_run_changes() -> None:
    run = Run(RECIPE, TRAINING, Arm("focal", gamma=2.0), 0.01, 0)
    (asked,), (plain,) = run_stack((run,)), run_stack((replace(run, training=replace(TRAINING, recalibrate=False)),))
    assert plain.outcome.platt is plain.outcome.isotonic is None
    assert replace(asked.outcome, platt=None, isotonic=None) == plain.outcome
    assert "recalibrate" not in replace(run, training=replace(TRAINING, recalibrate=False)).identity


def test_a_table_keeps_what_rows_do_to_each_log_loss() -> None:
    training = replace(TRAINING, metric=LOG_LOSS)
    recipe = Recipe("census-income", 1000, None)
    (result,) = run_stack((Run(recipe, training, Arm("pos_weight"), 0.01, 0),))
    (plain,) = run_stack((Run(recipe, replace(training, recalibrate=False), Arm("pos_weight"), 0.01, 0),))
    precision, metric, raw, inverse, platt, isotonic = result.influences
    assert (precision, metric) == plain.influences
    assert inverse == metric  # which is of the recovered probabilities
    assert len({raw, inverse, platt, isotonic}) == 4
    assert build_splits(recipe, 0).resampling is not None
