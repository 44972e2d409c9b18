"""One stack from recipe to results: the accounting, the start, and the same numbers in any company."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from focalbench.datasets.build import build_splits, resolve
from focalbench.errors import InputError
from focalbench.losses.inverse import best_constant
from focalbench.plan.experiment import Experiment
from focalbench.plan.stacks import make_stacks
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.reference import USUAL
from focalbench.runs.result import Result
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training import stack as stack_module
from focalbench.training.arm_loss import recovered
from focalbench.training.evaluation import BatchCounts, batch_counts, measure
from focalbench.training.loop import Member, Rows, Schedule, Trained, train
from focalbench.training.models import Architecture, draw_weights, rounded_otherwise
from focalbench.training.rivals import ClassCounts
from focalbench.training.stack import Setup, run_stack

RECIPE = Recipe("gaussians", rows=1500, positive_rate=0.02)
TRAINING = Training(hidden=(8,), epochs=4, batch_size=128)
ARMS = (Arm("bce"), Arm("pos_weight"), Arm("focal", gamma=2.0), Arm("bce", init="zero"), Arm("focal", "balanced", 1.0))


def runs(seeds: int = 2, recipe: Recipe = RECIPE) -> list[Run]:
    return [Run(recipe, TRAINING, arm, lr, seed) for arm in ARMS for lr in (0.003, 0.03) for seed in range(seeds)]


def by_id(results: list[Result]) -> dict[str, tuple[object, object]]:
    return {result.run_id: (result.outcome, result.curves) for result in results}


def test_a_run_has_the_same_result_alone_in_a_stack_and_in_any_order() -> None:
    expected = {key: value for run in runs() for key, value in by_id(run_stack((run,))).items()}
    rng = np.random.default_rng(0)
    for _ in range(3):
        shuffled = [runs()[i] for i in rng.permutation(len(runs()))]
        found = {key: value for part in make_stacks(shuffled) for key, value in by_id(run_stack(part)).items()}
        assert found == expected


def test_every_split_holds_exactly_the_positives_asked_for_label_noise_included() -> None:
    noisy = replace(RECIPE, label_noise=0.3)
    for result in run_stack(tuple(runs(1, noisy))):
        sizes = result.outcome.sizes
        assert sizes.train_positives == round(0.02 * sizes.train_rows)
        assert sizes.val_positives == round(0.02 * sizes.val_rows)
        assert sizes.test_positives == round(0.02 * sizes.test_rows)
        assert result.outcome.scores.noisy_test_average_precision not in (None, result.outcome.test_average_precision)


def set_up(run: Run) -> Setup:
    splits = build_splits(run.recipe, run.seed)
    return stack_module._set_up(run, splits, splits.test.rows)


def test_arms_of_a_seed_share_data_weights_and_batches() -> None:
    members = [stack_module._member(run, set_up(run)) for run in runs(1)]
    for member in members[1:]:
        for (weight, bias), (same, same_bias) in zip(members[0].layers[:-1], member.layers[:-1], strict=True):
            assert np.array_equal(weight, same)
            assert np.array_equal(bias, same_bias)
        assert np.array_equal(members[0].layers[-1][0], member.layers[-1][0])


def test_the_last_bias_starts_at_the_arms_own_constant() -> None:
    own, zero = (Run(RECIPE, TRAINING, arm, 0.01, 0) for arm in (Arm("focal", gamma=2.0), Arm("bce", init="zero")))
    member = stack_module._member(own, set_up(own))
    assert member.layers[-1][1] == pytest.approx([best_constant(0.02, None, 2.0)])
    assert stack_module._member(zero, set_up(zero)).layers[-1][1].tolist() == [0.0]


def test_balanced_alpha_without_gamma_would_be_pos_weight_bit_for_bit() -> None:
    # the command line names this one arm pos_weight; were it two, they would be the same runs
    twin = run_stack(
        (Run(RECIPE, TRAINING, Arm("pos_weight"), 0.01, 0), Run(RECIPE, TRAINING, Arm("alpha", "balanced"), 0.01, 0))
    )
    assert twin[0].outcome == twin[1].outcome


@pytest.mark.parametrize("loss", [Arm("pos_weight"), Arm("focal", "balanced", 2.0)])
def test_a_start_by_two_names_is_trained_once_for_the_bits_of_each(loss: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    own, zero = (Run(RECIPE, TRAINING, replace(loss, init=init), 0.01, 0) for init in ("own", "zero"))
    others = [Run(RECIPE, TRAINING, arm, 0.01, 0) for arm in ARMS if arm.loss == "bce"]  # whose two starts are two
    company = (others[0], zero, own, replace(own, lr=0.02), replace(own, restart=1), others[1])
    alone = {run.run_id: by_id(run_stack((run,)))[run.run_id] for run in company}
    trained = []

    def counting(
        architecture: Architecture, rows: Rows, validation: Rows, members: Sequence[Member], schedule: Schedule
    ) -> Trained:
        trained.append(len(members))
        return train(architecture, rows, validation, members, schedule)

    monkeypatch.setattr(stack_module, "train", counting)
    results = run_stack(company)
    assert [result.run_id for result in results] == [run.run_id for run in company]
    assert by_id(results) == alone
    assert alone[own.run_id] == alone[zero.run_id]
    assert len({str(value) for value in alone.values()}) == len(company) - 1
    assert trained == [len(company) - 1]


def test_another_restart_draws_other_weights_on_the_same_data() -> None:
    first, second = run_stack((runs(1)[0], replace(runs(1)[0], restart=1)))
    assert first.outcome.data_sha256 == second.outcome.data_sha256
    assert first.curves.validation != second.curves.validation


def test_weights_rounded_otherwise_are_another_run_from_next_to_the_same_place() -> None:
    plain = runs(seeds=1)[0]
    moved = [replace(plain, rounding=place) for place in (1, 2)]
    assert '"rounding"' not in plain.identity
    assert len({run.run_id for run in (plain, *moved)}) == 3
    found = by_id(run_stack((plain, *moved)))
    assert len({str(found[run.run_id]) for run in (plain, *moved)}) == 3  # none is taken for another
    layers = draw_weights(Architecture(8, (32,)), np.random.default_rng(0))
    other = rounded_otherwise(layers, np.random.default_rng(1))
    before, after = (np.concatenate([part.ravel() for layer in each for part in layer]) for each in (layers, other))
    last_digits = (after.astype(np.float64) - before) / np.spacing(np.abs(before))
    assert after.dtype == np.float32
    assert set(np.unique(np.sign(last_digits))) == {-1, 0, 1}
    assert np.abs(last_digits).max() <= 1
    assert np.mean(last_digits == 0) == pytest.approx(1 / 3, abs=0.1)


def test_measures_are_scikit_learns() -> None:
    splits = build_splits(RECIPE, 0)
    logits = torch.randn(splits.test.rows, generator=torch.Generator().manual_seed(0)) - 3
    targets = torch.from_numpy(splits.test.targets)
    found = measure(logits, recovered(Arm("bce"), ClassCounts(1, 49), logits), targets)
    truth, probability = splits.test.targets, torch.sigmoid(logits.double()).numpy()
    assert found.average_precision == pytest.approx(average_precision_score(truth, logits))
    assert found.scores.roc_auc == pytest.approx(roc_auc_score(truth, logits))
    assert found.scores.raw.brier == pytest.approx(brier_score_loss(truth, probability))
    assert found.scores.raw.log_loss == pytest.approx(log_loss(truth, probability))
    assert found.scores.recovered.brier == pytest.approx(found.scores.raw.brier)  # BCE needs no way back
    fit = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, None], truth)
    assert found.scores.raw.calibration_slope == pytest.approx(fit.coef_[0, 0], rel=1e-3, abs=1e-4)
    assert len(found.curves.precision) == 200


def test_the_inverse_recovers_what_reweighting_moved() -> None:
    targets = torch.from_numpy(build_splits(RECIPE, 0).test.targets)
    counts = ClassCounts(int(targets.sum()), int((targets == 0).sum()))
    logits = torch.zeros(len(targets), dtype=torch.float64)  # pos_weight's best constant: probability one half
    scores = measure(logits, recovered(Arm("pos_weight"), counts, logits), targets).scores
    assert scores.raw.expected_observed == pytest.approx(0.5 / float(targets.double().mean()))
    assert scores.recovered.expected_observed == pytest.approx(1.0)


def test_batches_are_accounted_for() -> None:
    targets = np.array([1, 0, 0, 0, 1, 0], dtype=np.int8)
    counts = batch_counts(targets, [np.array([0, 4, 1, 2, 3, 5]), np.array([0, 1, 2, 4, 5, 3])], 3)
    assert counts == BatchCounts(positives=1.0, without=0.25)


def test_references_are_fitted_one_by_one() -> None:
    for model, arm in ((each.model, arm) for each in USUAL for arm in each.arms):
        run = Run(RECIPE, Training(model=model, hidden=(), epochs=0), arm, 0.0, 0)
        (result,) = run_stack((run,))
        assert isinstance(result.outcome.test_average_precision, float)
        assert result.outcome.test_average_precision > 0.05


def test_a_run_that_never_is_finite_counts_at_chance_and_keeps_its_row() -> None:
    wild, calm = Run(RECIPE, TRAINING, Arm("bce"), 1e38, 0), Run(RECIPE, TRAINING, Arm("bce"), 0.01, 0)
    lost, other = run_stack((wild, calm))
    assert (lost.outcome.status, lost.outcome.epoch, lost.outcome.val_average_precision) == ("diverged", 0, None)
    assert lost.outcome.test_average_precision == pytest.approx(0.02, abs=1e-3)
    assert lost.outcome.scores.roc_auc == 0.5
    assert lost.outcome.scores.raw.log_loss_skill == pytest.approx(0.0, abs=1e-4)
    assert by_id([other]) == by_id(run_stack((calm,)))


def test_a_stack_leaves_the_process_as_it_was() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    run_stack(tuple(runs(1)[:1]))
    assert torch.get_num_threads() == 2
    assert float(np.float64(1e-310) * np.float64(0.5)) > 0  # denormals live
    torch.set_num_threads(threads)


# ---- weights


def weighted_file(folder: Path, rows: int = 3000) -> Path:
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((rows, 2)), rng.integers(1, 4, rows)
    y = (x[:, 0] + rng.standard_normal(rows) > 2.2).astype(int)
    lines = [f"{a},{b},{w},{t}" for (a, b), w, t in zip(x, weight, y, strict=True)]
    (folder / "w.csv").write_text("a,b,w,y\n" + "\n".join(lines) + "\n")
    return folder / "w.csv"


def test_a_test_that_is_weighted_to_the_rate_keeps_all_its_positives(tmp_path: Path) -> None:
    path, training = str(weighted_file(tmp_path)), Training(hidden=(8,), epochs=4, batch_size=64)
    thin = resolve(Recipe(path, 1200, 0.04, columns=Columns(target="y", drop=("w",))))
    weight = replace(thin, test_prevalence="weight")
    (a,), (b,) = (run_stack((Run(recipe, training, Arm("bce"), 0.01, 0),)) for recipe in (thin, weight))
    assert a.outcome.sizes.train_positives == b.outcome.sizes.train_positives == 48
    assert a.outcome.val_average_precision == b.outcome.val_average_precision  # training sees no difference
    assert b.outcome.sizes.test_positives > 1.5 * a.outcome.sizes.test_positives
    assert b.outcome.test_prevalence == pytest.approx(0.04)
    assert a.outcome.test_prevalence is None
    assert None not in (
        b.outcome.scores.r_precision,
        b.outcome.scores.recall_at_fpr,
        b.outcome.scores.mcc_at_prevalence,
    )
    assert b.outcome.k is None
    assert b.outcome.test_average_precision > 0.1


def test_weights_of_rows_reach_training_the_start_and_the_metrics(tmp_path: Path) -> None:
    path, training = str(weighted_file(tmp_path)), Training(hidden=(8,), epochs=4, batch_size=64)
    plain = resolve(Recipe(path, 1200, columns=Columns(target="y", drop=("w",))))
    weighted = resolve(Recipe(path, 1200, columns=Columns(target="y", weight="w")))
    splits = build_splits(weighted, 0)
    assert splits.train.weights is not None
    assert splits.train.features.shape[1] == 2
    (counts,) = stack_module.drawn_counts(splits.train, [np.arange(1200)])
    assert counts.positives + counts.negatives == pytest.approx(1200)
    assert counts.prevalence == pytest.approx(np.average(splits.train.targets, weights=splits.train.weights))
    arms = (Arm("bce"), Arm("pos_weight"), Arm("poly1"), Arm("focal", gamma=2.0))
    results = run_stack(tuple(Run(weighted, training, arm, 0.01, 0) for arm in arms))
    (other,) = run_stack((Run(plain, training, Arm("bce"), 0.01, 0),))
    assert results[0].outcome.test_average_precision != other.outcome.test_average_precision
    expected = [float(result.outcome.scores.recovered.expected_observed or 0) for result in results]
    assert expected == pytest.approx([1] * 4, abs=0.25)
    for model, arm in ((each.model, arm) for each in USUAL for arm in each.arms):
        (reference,) = run_stack((Run(weighted, Training(model=model, hidden=(), epochs=0), arm, 0.0, 0),))
        assert reference.outcome.test_average_precision > 0.1


def test_losses_of_whole_batches_take_no_weights_of_rows() -> None:
    for arm in (Arm("ohem"), Arm("a:b", source="0")):
        with pytest.raises(InputError, match="takes no row weights"):
            Experiment(datasets=("d.csv",), columns=Columns(target="y", weight="w"), arms=(Arm("bce"), arm))
