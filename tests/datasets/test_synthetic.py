import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import multivariate_normal, multivariate_t
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from focalbench.datasets import FAMILIES, Dataset, build_splits, split_counts
from focalbench.datasets.build import resolve
from focalbench.datasets.card import card
from focalbench.datasets.dataset import Counts
from focalbench.datasets.synthetic.dense import draw_dense
from focalbench.datasets.synthetic.families import canonical, knobs, task_of
from focalbench.datasets.synthetic.mixtures import Cluster, draw, mixture
from focalbench.errors import InputError
from focalbench.runs.columns import Columns
from focalbench.runs.run import Recipe
from focalbench.training.samplers import orders

MIXTURES = ("mixture", "gaussians", "xor")
TURNED = (
    "mixture:clusters=1,dimension=1",
    "mixture:hard=0,distance=2,scale=1.5",
    "mixture:clusters=5,hard=0.4,hard_distance=4,hard_scale=0.5,dimension=30",
    "mixture:tails=3",
)
families = pytest.mark.parametrize("family", [*MIXTURES, *TURNED])


@settings(max_examples=20)
@given(
    st.sampled_from((*MIXTURES, *TURNED, "dense:anchors=500,hard=1")),
    st.floats(0.02, 0.4),
    st.integers(1000, 3000),
    st.sampled_from([0.0, 0.013, 0.3]),
)
def test_the_rate_asked_for_is_the_rate_got(family: str, rate: float, rows: int, noise: float) -> None:
    recipe = Recipe(family, rows, rate, noise)
    splits, counts = build_splits(recipe, 0), split_counts(recipe, 0)
    for part, count in zip((splits.train, splits.validation, splits.test), counts.each, strict=True):
        assert (part.rows, part.positives) == (count.rows, count.positives)
        assert part.positives == round(rate * part.rows)
        assert part.features.shape == (part.rows, knobs(family).numbers)
        assert part.features.dtype == np.float32
        assert part.targets.dtype == np.int8
    assert (splits.noisy_test_targets is None) == (noise == 0)
    if splits.noisy_test_targets is not None:
        assert splits.noisy_test_targets.sum() == splits.test.positives
        flipped = np.count_nonzero(splits.noisy_test_targets != splits.test.targets)
        assert flipped == 2 * round(noise * splits.test.positives)


def test_noise_moves_labels_only() -> None:
    clean, noisy = build_splits(Recipe("mixture", 2000, 0.05), 3), build_splits(Recipe("mixture", 2000, 0.05, 0.2), 3)
    np.testing.assert_array_equal(clean.train.features, noisy.train.features)
    np.testing.assert_array_equal(clean.test.targets, noisy.test.targets)
    assert np.count_nonzero(clean.train.targets != noisy.train.targets) == 2 * 20
    assert np.count_nonzero(clean.validation.targets != noisy.validation.targets) == 2 * 20


def positives(part: Dataset) -> set[bytes]:
    return {row.tobytes() for row in part.features[part.targets == 1]}


@families
def test_positives_nest_over_rates(family: str) -> None:
    low, high = (build_splits(Recipe(family, 2000, rate), 1) for rate in (0.02, 0.05))
    assert len(positives(low.train)) == 40
    assert positives(low.train) < positives(high.train)
    assert positives(low.validation) < positives(high.validation)
    assert positives(low.test) <= positives(high.test)


def test_seeds_and_splits_share_no_row() -> None:
    a, b = (build_splits(Recipe("mixture", 1000, 0.05), seed) for seed in (0, 1))
    parts = [a.train, a.validation, a.test, b.train, b.validation, b.test]
    rows = [row.tobytes() for part in parts for row in part.features]
    assert len(set(rows)) == len(rows)


def test_the_same_seed_gives_the_same_bytes() -> None:
    recipe = Recipe("xor", 1000, 0.05, 0.1)
    assert build_splits(recipe, 5).sha256 == build_splits(recipe, 5).sha256 != build_splits(recipe, 6).sha256


def test_rows_are_mixed() -> None:
    part = build_splits(Recipe("mixture", 2000, 0.3), 0).train
    assert 220 < part.targets[:1000].sum() < 380


def log_density(family: str, clusters: tuple[Cluster, ...], points: np.ndarray) -> np.ndarray:
    dimension, tails = mixture(family).dimension, mixture(family).tails
    total = np.zeros(len(points))
    for cluster in clusters:
        centre = np.zeros(dimension)
        centre[: len(cluster.mean)] = cluster.mean
        shape = np.eye(dimension) * cluster.scale**2
        each = multivariate_normal(centre, shape) if np.isinf(tails) else multivariate_t(centre, shape, tails)
        total += cluster.weight * each.pdf(points)
    return np.log(total)


@families
def test_bayes_logits_match_scipy_densities(family: str) -> None:
    part = draw(family, Counts(500, 50), "train", 0, "k")
    points = part.features.astype(np.float64)
    classes = (mixture(family).positive, mixture(family).negative)
    positive, negative = (log_density(family, clusters, points) for clusters in classes)
    assert part.bayes_logits is not None
    np.testing.assert_allclose(part.bayes_logits, positive - negative + np.log(50 / 450), rtol=1e-8, atol=1e-8)
    for clusters in classes:
        assert sum(cluster.weight for cluster in clusters) == pytest.approx(1)


@pytest.mark.parametrize("family", [*MIXTURES, *TURNED, "dense:anchors=2000", "dense:hard=0"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_bayes_probabilities_are_calibrated(family: str, noise: float) -> None:
    part = build_splits(Recipe(family, 100_000, 0.1, noise), 0).train
    assert part.bayes_logits is not None
    probabilities = expit(part.bayes_logits)
    for members in np.array_split(np.argsort(probabilities), 20):
        expected = probabilities[members].mean()
        spread = np.sqrt(expected * (1 - expected) / len(members)) + 1e-4
        assert abs(part.targets[members].mean() - expected) < 4.5 * spread


@pytest.mark.parametrize(
    ("family", "low", "high"), [("mixture", 0.65, 0.75), ("gaussians", 0.4, 0.48), ("xor", 0.57, 0.67)]
)
def test_bayes_ceiling_at_the_default_rate(family: str, low: float, high: float) -> None:
    part = draw(family, Counts(300_000, 30_000), "train", 0, "k")  # weighted back to the rate: less noise
    weights = np.where(part.targets == 1, 0.0015 / 0.1, 0.9985 / 0.9)
    ceiling = average_precision_score(part.targets, part.bayes_logits, sample_weight=weights)
    assert low < ceiling < high


def test_a_linear_model_can_do_little_on_xor() -> None:
    part = draw("xor", Counts(20_000, 2_000), "train", 0, "k")
    linear = LogisticRegression().fit(part.features, part.targets).decision_function(part.features)
    assert average_precision_score(part.targets, linear) < 0.25
    assert average_precision_score(part.targets, part.bayes_logits) > 0.9


def test_unknown_family_is_refused_and_every_family_described() -> None:
    for family in FAMILIES:
        headings = dict(card(family))
        assert headings["about"] == FAMILIES[family].about
        train = build_splits(Recipe(family, 1500, 0.05, task=task_of(family)), 0).train
        assert f"{train.features.shape[1]} numbers" in headings["size"]
    with pytest.raises(InputError, match="did you mean mixture"):
        split_counts(Recipe("mixtures", 1000, 0.05), 0)


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        ("mixture:hards=1", "mixture has no knob 'hards'; it has clusters"),
        ("gaussians:tails=3", "gaussians has no knob 'tails'; it has none"),
        ("mixture:hard=1", r"the knob hard of mixture must lie in \[0, 1\), got 1"),
        ("mixture:clusters=2.5", "must lie as a whole number in"),
        ("mixture:clusters=20", "needs a dimension for every cluster"),
        ("mixture:tails", "write knobs as name=number"),
        ("dense:correlation=1", "correlation of dense"),
        ("dense:hard=6.5", "as a whole number in"),
        ("mixture:clusters=inf", "as a whole number in"),
        ("mixture:clusters=nan", "as a whole number in"),
        ("mixture:tails=0.1", "the knob tails"),
        ("mixture:hard=0.1,hard=0.2", "names hard twice"),
    ],
)
def test_senseless_knobs_are_refused(dataset: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        resolve(Recipe(dataset, 1000, 0.05))


def test_column_options_are_refused_where_there_are_no_columns() -> None:
    for columns in (Columns("y"), Columns(group="g"), Columns(category=("c",))):
        with pytest.raises(InputError, match="belong to a file"):
            resolve(Recipe("mixture", 1000, 0.05, columns=columns))


def test_one_data_set_has_one_name() -> None:
    names = ("mixture:tails=5,hard=0.1", "mixture:hard=0.10,tails=5.0,scale=0.7")
    assert {canonical(name) for name in names} == {"mixture:hard=0.1,tails=5"}
    assert resolve(Recipe("mixture:scale=0.7", 10)) == Recipe("mixture", 10)


# ---- dense detection


def test_dense_images_have_their_objects_and_their_hard_negatives() -> None:
    part = draw_dense("dense:anchors=1000,hard=4,distance=50,hard_distance=20", Counts(5_500, 50), "train", 0, "k")
    assert part.groups is not None
    assert np.bincount(part.groups).tolist() == [1000] * 5 + [500]
    first = part.features[:, 0]
    assert np.count_nonzero(first > 35) == 50 == part.positives
    assert np.count_nonzero((first > 10) & (first < 35)) == 200
    for at in np.flatnonzero(part.targets):
        assert np.all(first[[at - 2, at - 1, at + 1, at + 2]] > 10)


def test_dense_neighbours_are_correlated_and_images_are_not() -> None:
    part = draw_dense("dense:anchors=500,correlation=0.8,distance=0,hard_distance=0", Counts(50_000, 50), "a", 0, "k")
    noise = part.features.reshape(100, 500, 10)
    assert np.var(noise) == pytest.approx(1, abs=0.03)
    assert np.mean(noise[:, 1:] * noise[:, :-1]) == pytest.approx(0.8, abs=0.03)
    assert np.mean(noise[1:, 0] * noise[:-1, -1]) == pytest.approx(0, abs=0.1)


def test_dense_objects_nest_over_rates_and_too_many_are_refused() -> None:
    low, high = (draw_dense("dense:anchors=500", Counts(5_000, count), "train", 0, "k") for count in (20, 60))
    assert positives(low) < positives(high)
    with pytest.raises(InputError, match="do not fit into 5000 anchors"):
        draw_dense("dense", Counts(5_000, 900), "train", 0, "k")


def test_the_groups_sampler_keeps_images_whole() -> None:
    train = draw_dense("dense:anchors=100", Counts(1_000, 20), "train", 0, "k")
    assert train.groups is not None
    one, two = orders("groups", train, 200, 2, 0, "k")
    for order in (one, two):
        images = train.groups[order].reshape(5, 200)
        assert all(len(set(batch)) == 2 for batch in images)
        assert sorted(order) == list(range(1_000))
    assert not np.array_equal(one, two)
    with pytest.raises(InputError, match="needs rows that come in groups"):
        orders("groups", draw("mixture", Counts(100, 20), "train", 0, "k"), 10, 1, 0, "k")


def test_synthetic_data_need_numpy_only() -> None:
    script = (
        "import sys; from focalbench.runs.run import Recipe; from focalbench.datasets import build_splits;"
        "build_splits(Recipe('mixture', 1000, 0.05, 0.1), 0);"
        "print([name for name in ('pandas', 'sklearn', 'scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
