"""What is advised follows from the numbers, and the code that is printed runs as it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import t as student
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score

import focalbench
from focalbench.analysis.recommendation import recommend
from focalbench.analysis.rows import Verdict
from focalbench.analysis.run_rows import RunRow
from focalbench.base.rows import read_rows
from focalbench.losses import best_constant, focal_to_probability
from focalbench.report.advice import advise
from focalbench.report.influences import read_influences
from focalbench.report.reading import advice_of, table_of
from focalbench.report.snippets import CLASSIFIERS, Trained, reference_snippet, snippets
from focalbench.runs.arm import Arm
from focalbench.runs.arm_choice import OWN_ARMS
from focalbench.runs.resampling import Resampling

RESULTS = Path(focalbench.__file__).parents[1] / "results"
X, Y = make_classification(4000, n_features=8, n_informative=6, weights=[0.9], class_sep=1.5, random_state=0)
TRAIN, NEW = slice(0, 3000), slice(3000, 4000)


def trained(arm: Arm) -> Trained:
    return Trained(arm, (8, 4), 0.01, 6, 128)


def run(code: str, seed: int = 0) -> dict[str, Any]:
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, as scikit-learn draws where no random_state is given
    names: dict[str, Any] = {"X_train": X[TRAIN], "y_train": Y[TRAIN], "X_new": X[NEW]}
    exec(compile(code, "snippet", "exec"), names)
    return names


@pytest.mark.parametrize("arm", OWN_ARMS, ids=lambda arm: arm.name)
@pytest.mark.parametrize("library", ["pytorch", "scikit-learn", "lightgbm", "xgboost"])
def test_code_runs_as_printed_and_ranks(arm: Arm, library: str) -> None:
    if library in ("lightgbm", "xgboost"):
        pytest.importorskip(library)
    made = run(snippets(trained(arm))[library])
    probability = np.asarray(made["probability"])
    assert probability.shape == (1000,)
    assert (probability >= 0).all()
    assert (probability <= 1).all()
    assert average_precision_score(Y[NEW], probability) > 4 * Y[NEW].mean()
    if library != "xgboost" or arm.loss != "pos_weight":
        assert 0.02 < probability.mean() < 0.3  # of 0.1: probabilities, whatever the loss weighs


@pytest.mark.parametrize("how", ["undersample", "oversample:0.5", "smote"])
def test_code_of_resampled_rows_runs_and_undoes_what_that_did_to_the_rate(how: str) -> None:
    found = snippets(trained(Arm("bce", resampling=Resampling.parse(how))))
    assert list(found) == ["scikit-learn"]
    every = [run(found["scikit-learn"], seed) for seed in range(5)]
    share = Resampling.parse(how).ratio / (1 + Resampling.parse(how).ratio)
    assert [made["y"].mean() for made in every] == pytest.approx([share] * 5, abs=0.01)
    assert np.median([average_precision_score(Y[NEW], made["probability"]) for made in every]) > 4 * Y[NEW].mean()
    means = [made["probability"].mean() for made in every]
    assert 0.08 < np.median(means) < 0.13  # of 0.1; a network of 8-4 units that stays behind says half of it


@pytest.mark.parametrize("arm", OWN_ARMS, ids=lambda arm: arm.name)
def test_pytorch_begins_where_the_comparison_did(arm: Arm) -> None:
    """No passes: the first output is near the constant whose probability is the prevalence."""
    made = run(snippets(replace(trained(arm), epochs=0))["pytorch"])
    alpha = 1 - made["rate"] if arm.balanced else arm.alpha
    assert not isinstance(alpha, str)
    start = best_constant(made["rate"], alpha, arm.gamma)
    assert made["network"][-1].bias.item() == pytest.approx(start, abs=1e-6)
    assert float(focal_to_probability(start, alpha, arm.gamma)) == pytest.approx(Y[TRAIN].mean(), abs=1e-6)
    widths = [(8, 8), (8, 4), (4, 1)]
    layers = [layer for layer in made["network"] if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == widths


@pytest.mark.parametrize("weighted", ["", ", class-weighted"])
@pytest.mark.parametrize("model", ["logistic", "boosting", "lightgbm", "xgboost", "catboost"])
def test_code_of_other_models_runs_too(model: str, weighted: str) -> None:
    if model in CLASSIFIERS:
        pytest.importorskip(model)
    code = reference_snippet(model + weighted)
    assert ("balanced" in code.lower() or "scale_pos_weight" in code) == bool(weighted)
    assert average_precision_score(Y[NEW], run(code)["probability"]) > 4 * Y[NEW].mean()


def test_the_code_of_ones_own_is_ones_own() -> None:
    assert reference_snippet("mine:MODEL") == ""


def test_losses_without_a_closed_form_have_the_estimator() -> None:
    arm = Arm("tversky", params=(("beta", 0.9),))
    found = snippets(trained(arm))
    assert list(found) == ["scikit-learn"]
    made = run(found["scikit-learn"])
    assert (made["network"].loss, made["network"].loss_params["beta"]) == ("tversky", 0.9)


def recommended(name: str) -> list[Any]:
    folder = RESULTS / name
    runs = read_rows(folder / "runs.csv", RunRow)
    return recommend(table_of(folder), runs, read_influences(folder / "influences.csv"))


def test_the_lead_of_another_model_is_a_paired_interval() -> None:
    """Of fresh draws, where no rows are shared: Student's, by hand."""
    found = recommended("headline")[0]
    assert found.reference is not None
    assert found.lead is not None
    runs = [row for row in read_rows(RESULTS / "headline" / "runs.csv", RunRow) if row.settings.dataset == "mixture"]
    other = {r.settings.seed: r.outcome for r in runs if r.outcome and r.settings.arm == found.reference.arm}
    mine: dict[int, Any] = {}
    for row in runs:
        if row.settings.arm == found.network.arm and row.outcome is not None:
            best = mine.get(row.settings.seed)
            if best is None or row.outcome.val_average_precision > best.val_average_precision:
                mine[row.settings.seed] = row.outcome
    gains = np.array([other[seed].test_average_precision - mine[seed].test_average_precision for seed in sorted(mine)])
    half = student.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains))
    lead = found.lead.delta
    assert lead.mean == pytest.approx(gains.mean(), abs=1e-9)
    assert (lead.low, lead.high) == pytest.approx(
        (gains.mean() - half, gains.mean() + half), rel=0.05
    )  # by flipped signs


@pytest.mark.parametrize("name", ["headline", "census", "flights", "families"])
def test_another_model_comes_first_where_it_is_better_and_only_there(name: str) -> None:
    advice = advice_of(RESULTS / name)
    for found, said in zip(recommended(name), advice, strict=True):
        better = found.lead is not None and found.lead.verdict is Verdict.BETTER
        assert said.sentences[0].startswith("Take ") == better
        assert said.model is (found.reference if better else found.network) or said.model.arm == (
            found.reference.arm if better else found.network.arm
        )
        assert said.code[0][0] == (found.reference.arm if better else "scikit-learn")


def test_somewhere_another_model_is_better_and_somewhere_not() -> None:
    firsts = [advice.sentences[0][:4] for name in ("headline", "census") for advice in advice_of(RESULTS / name)]
    assert set(firsts) == {"Take", "Stay"}


def test_a_page_holds_all_of_it() -> None:
    found = recommended("census")[0]
    said = advise(found, trained(Arm("focal", gamma=2.0)))
    page = said.markdown()
    assert all(code.rstrip() in page for _, code in said.code)
    assert page.count("```python") == len(said.code) == 5
    assert "1% of the rows flagged: boosting flags" in page
