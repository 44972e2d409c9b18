"""Several classes or labels: exact counts, exact Bayes scores, splits that spread every class, tables of both kinds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import multivariate_normal
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from focalbench.datasets.build import build_splits, load_table, measured, names_of, resolve, split_counts
from focalbench.datasets.dataset import Counts
from focalbench.datasets.splits import evenly
from focalbench.datasets.synthetic.classes import draw_classes, draw_labels, output_counts, output_names
from focalbench.datasets.synthetic.families import ClassKnobs, knobs_as, task_of
from focalbench.datasets.tables.targets import measured_outputs
from focalbench.errors import InputError
from focalbench.runs.columns import Columns
from focalbench.runs.run import Recipe

CLASSES = ("rare-class", "long-tail", "long-tail:classes=9", "rare-class:classes=3,dimension=3,distance=2")


def recipe_of(dataset: str, rows: int = 2000, rate: float | None = 0.02) -> Recipe:
    return Recipe(dataset, rows, rate, task=task_of(dataset))


@settings(max_examples=25)
@given(st.sampled_from((*CLASSES, "labels", "labels:labels=3,most=0.3")), st.floats(0.01, 0.1), st.integers(2000, 4000))
def test_every_split_holds_the_counts_of_its_classes_and_the_exact_rate_of_the_rare_one(
    dataset: str, rate: float, rows: int
) -> None:
    recipe = recipe_of(dataset, rows, rate)
    splits, counts = build_splits(recipe, 0), split_counts(recipe, 0)
    assert splits.names == output_names(dataset)
    assert splits.measured == tuple(range(len(splits.names)))
    for part, count in zip((splits.train, splits.validation, splits.test), counts.each, strict=True):
        assert part.labels is not None
        assert part.positives == part.labels[:, -1].sum() == round(rate * part.rows)
        assert part.labels.sum(axis=0).tolist() == output_counts(dataset, count)
        assert np.array_equal(part.targets, part.labels[:, -1])
        if task_of(dataset) == "multiclass":
            assert (part.labels.sum(axis=1) == 1).all()
        assert part.bayes_logits is not None
        assert part.bayes_logits.shape == part.labels.shape


def test_a_tail_falls_by_one_factor_and_one_rare_class_leaves_the_others_alike() -> None:
    tail = np.array(output_counts("long-tail:classes=6", Counts(1_000_000, 1500)))
    assert tail.sum() == 1_000_000
    assert np.diff(np.log(tail)) == pytest.approx([np.log(1500 / tail[0]) / 5] * 5, rel=1e-2)
    rare = output_counts("rare-class:classes=4", Counts(1001, 20))
    assert sum(rare) == 1001
    assert max(rare[:-1]) - min(rare[:-1]) <= 1
    labels = np.array(output_counts("labels:most=0.2", Counts(100_000, 150)))
    assert labels[0] == 20_000
    assert np.diff(np.log(labels)) == pytest.approx([np.log(150 / 20_000) / 4] * 4, rel=1e-2)


@pytest.mark.parametrize("dataset", CLASSES)
def test_the_bayes_score_of_a_class_is_that_of_scipys_densities(dataset: str) -> None:
    part = draw_classes(dataset, Counts(4000, 80), "test", 0, "k")
    knob, points = knobs_as(dataset, ClassKnobs), part.features.astype(np.float64)
    dimension = knob.dimension
    joint = []
    for axis, size in enumerate(output_counts(dataset, Counts(4000, 80))):
        centre = np.eye(dimension)[axis] * knob.distance
        sides = (multivariate_normal(side * centre, knob.scale**2 * np.eye(dimension)) for side in (1, -1))
        joint.append(size * sum(side.pdf(points) for side in sides))
    posterior = np.stack(joint, axis=1) / np.sum(joint, axis=0)[:, None]
    assert part.bayes_logits is not None
    assert expit(part.bayes_logits) == pytest.approx(posterior, abs=1e-9)


@pytest.mark.parametrize("dataset", ["rare-class:distance=1.5", "long-tail:distance=2", "labels:most=0.5"])
def test_bayes_probabilities_are_calibrated(dataset: str) -> None:
    draw = draw_labels if task_of(dataset) == "multilabel" else draw_classes
    part = draw(dataset, Counts(60_000, 6000), "test", 1, "k")
    assert part.labels is not None
    assert part.bayes_logits is not None
    for k in range(part.labels.shape[1]):
        probabilities = expit(part.bayes_logits[:, k])
        for members in np.array_split(np.argsort(probabilities), 12):
            expected = probabilities[members].mean()
            spread = np.sqrt(expected * (1 - expected) / len(members)) + 1e-4
            assert abs(part.labels[members, k].mean() - expected) < 4.5 * spread


def test_a_label_hangs_on_its_own_features_only() -> None:
    part = draw_labels("labels:labels=2,most=0.3", Counts(30_000, 6000), "train", 0, "k")
    assert part.labels is not None
    first, second = part.labels.T
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    own, other = np.abs(part.features[:, :3]).sum(axis=1), np.abs(part.features[:, 3:]).sum(axis=1)
    assert average_precision_score(first, own) > 0.6
    assert average_precision_score(first, other) == pytest.approx(0.3, abs=0.02)


def test_a_linear_model_cannot_find_a_class() -> None:
    part = draw_classes("rare-class", Counts(8000, 800), "train", 0, "k")
    linear = LogisticRegression().fit(part.features, part.targets).decision_function(part.features)
    assert part.bayes_logits is not None
    assert average_precision_score(part.targets, linear) < 0.25
    assert average_precision_score(part.targets, part.bayes_logits[:, -1]) > 0.8


def test_rows_of_all_classes_are_mixed() -> None:
    part = draw_classes("rare-class", Counts(5000, 1000), "train", 0, "k")
    assert part.labels is not None
    first, second = part.labels[:2500].sum(axis=0), part.labels[2500:].sum(axis=0)
    assert first == pytest.approx(second, abs=110)


def test_the_rare_class_at_a_low_rate_is_among_that_at_a_higher_one() -> None:
    few, many = (build_splits(recipe_of("rare-class", 3000, rate), 0).train for rate in (0.01, 0.05))
    rows = {row.tobytes() for row in many.features[many.targets == 1]}
    assert all(row.tobytes() in rows for row in few.features[few.targets == 1])


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("rare-class:classes=2", "must lie as a whole number in"),
        ("long-tail:classes=11", "needs a dimension for every class"),
        ("labels:labels=2.5", "must lie as a whole number in"),
        ("labels:hard=2", "must lie in"),
    ],
)
def test_impossible_knobs_are_refused(dataset: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_counts(recipe_of(dataset), 0)


@pytest.mark.parametrize(("dataset", "top"), [("rare-class:classes=4", "0.25"), ("labels:most=0.03", "0.03")])
def test_a_rare_class_can_be_no_more_frequent_than_the_others(dataset: str, top: str) -> None:
    with pytest.raises(InputError, match=f"to {top}"):
        split_counts(recipe_of(dataset, rate=0.4), 0)


def test_the_task_must_be_the_datas() -> None:
    with pytest.raises(InputError, match="use `task=multiclass`"):
        resolve(Recipe("rare-class", 2000, 0.02))
    with pytest.raises(InputError, match="mixture is a binary data set"):
        resolve(Recipe("mixture", 2000, 0.02, task="multilabel"))


# ---- splits


@given(st.lists(st.integers(1, 200), min_size=2, max_size=6), st.integers(0, 3), st.data())
def test_any_stretch_holds_each_kinds_share(sizes: list[int], seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    order = evenly(np.eye(len(sizes), dtype=np.int8)[kinds], rng)
    assert sorted(order) == list(range(len(kinds)))
    start = data.draw(st.integers(0, len(kinds) - 1))
    stretch = order[start : data.draw(st.integers(start, len(kinds)))]
    for kind, size in enumerate(sizes):
        expected = size * len(stretch) / len(kinds)
        assert abs(np.count_nonzero(kinds[stretch] == kind) - expected) <= len(sizes) + 1


# ---- tables


def write_classes(folder: Path, sizes: dict[str, int], seed: int = 0) -> str:
    """A file whose target has so many rows of each value."""
    rng = np.random.default_rng(seed)
    target = rng.permutation(np.repeat(list(sizes), list(sizes.values())))
    pd.DataFrame({"x": rng.standard_normal(len(target)), "z": rng.standard_normal(len(target)), "y": target}).to_csv(
        folder / "c.csv", index=False
    )
    return str(folder / "c.csv")


def outputs(recipe: Recipe, seed: int = 0) -> list[NDArray[np.int64]]:
    splits = build_splits(recipe, seed)
    return [part.outputs.sum(axis=0, dtype=np.int64) for part in (splits.train, splits.validation, splits.test)]


def table_recipe(path: str, rate: float | None = None, positive: str | None = None) -> Recipe:
    return resolve(Recipe(path, 40_000, rate, columns=Columns(target="y", positive=positive), task="multiclass"))


def test_a_files_classes_are_ordered_with_the_rare_one_last_and_spread_over_the_splits(tmp_path: Path) -> None:
    recipe = table_recipe(write_classes(tmp_path, {"cat": 1500, "dog": 300, "eel": 150}))
    assert names_of(recipe) == ("cat", "dog", "eel")
    for seed in range(3):
        for found, share in zip(outputs(recipe, seed), (0.6, 0.2, 0.2), strict=True):
            assert found == pytest.approx(np.array([1500, 300, 150]) * share, abs=2.5)


def test_positive_names_the_rare_class_which_is_thinned_while_the_others_keep_their_shares(tmp_path: Path) -> None:
    path = write_classes(tmp_path, {"0": 1500, "1": 900, "2": 600})
    recipe = table_recipe(path, rate=0.05, positive="1")
    assert names_of(recipe) == ("0", "2", "1")
    for found in outputs(recipe):
        assert found[2] == round(0.05 * found.sum())
        assert found[0] / found[1] == pytest.approx(2.5, rel=0.05)


def test_classes_with_too_few_rows_are_trained_on_and_not_measured(tmp_path: Path) -> None:
    recipe = table_recipe(write_classes(tmp_path, {"a": 2000, "b": 500, "c": 120, "d": 12}))
    assert names_of(recipe) == ("a", "b", "d", "c")  # the rarest that can be measured comes last
    assert measured(recipe, 0) == (0, 1, 3)
    assert all((found >= 1).all() for found in outputs(recipe))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"a": 500, "b": 300, "c": 9}, r"fewer than 10 rows, duplicates apart: c \(9 rows\); merge or remove"),
        ({"a": 500, "b": 300}, "holds 2 different values; `task=multiclass` is for 3 to 100"),
        ({str(i): 12 for i in range(101)}, "holds 101 different values"),
        ({"a": 90, "b": 80, "c": 70}, "no class or label has 100 rows"),
    ],
)
def test_targets_that_are_no_classes_are_refused(tmp_path: Path, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_table(table_recipe(write_classes(tmp_path, sizes)))


def test_a_class_without_training_rows_is_refused(tmp_path: Path) -> None:
    recipe = replace(table_recipe(write_classes(tmp_path, {"a": 9000, "b": 2000, "c": 10})), rows=500)
    with pytest.raises(InputError, match="a split has too few rows of c"):
        measured(recipe, 0)


def test_the_rare_class_is_chosen_after_duplicates_are_gone(tmp_path: Path) -> None:
    path = write_classes(tmp_path, {"a": 900, "b": 120, "c": 300})
    frame = pd.read_csv(path)
    copies = frame[frame["y"] == "b"]
    pd.concat([frame, copies, copies]).to_csv(path, index=False)  # 360 rows of b, of which 120 differ
    assert names_of(table_recipe(path)) == ("a", "b", "c")
    assert names_of(replace(table_recipe(path), columns=Columns(target="y", drop_duplicates=True), reading="")) == (
        "a",
        "c",
        "b",
    )


@pytest.mark.parametrize("option", ["time", "weight"])
def test_classes_are_counted_in_the_splits_they_lie_in(tmp_path: Path, option: str) -> None:
    path = write_classes(tmp_path, {"a": 2000, "b": 500, "c": 700})
    frame, row = pd.read_csv(path), np.arange(3200)
    early = np.where(frame["y"] == "c", row % 1500, row)  # none of c among the latest rows
    few = np.where((frame["y"] == "c") & (row % 20 > 0), 0, 1)  # most of c weigh nothing
    frame.assign(o=early if option == "time" else few).to_csv(path, index=False)
    columns = Columns(target="y", time="o") if option == "time" else Columns(target="y", weight="o")
    recipe = resolve(Recipe(path, 2000, columns=columns, task="multiclass"))
    splits = build_splits(recipe, 0)
    assert splits.names == ("a", "c", "b")
    assert splits.measured == (0, 2)


def test_a_class_whose_rows_all_weigh_nothing_is_refused(tmp_path: Path) -> None:
    path = write_classes(tmp_path, {"a": 900, "b": 300, "c": 300})
    frame = pd.read_csv(path)
    frame.assign(w=(frame["y"] != "b").astype(int)).to_csv(path, index=False)
    with pytest.raises(InputError, match="leaves one class of y without any weight"):
        load_table(resolve(Recipe(path, 2000, columns=Columns(target="y", weight="w"), task="multiclass")))


def test_a_blank_class_is_missing_and_names_fit_one_line(tmp_path: Path) -> None:
    path = str(tmp_path / "c.parquet")
    frame = pd.DataFrame({"x": np.arange(900) % 431 / 7, "y": ["one\ntwo", "1_0", "10"] * 300})
    frame.to_parquet(path)
    assert sorted(names_of(table_recipe(path))) == ["10", "1_0", "one two"]
    blank = str(tmp_path / "blank.parquet")
    frame.assign(y=["", "b", "c"] * 300).to_parquet(blank)
    with pytest.raises(InputError, match="missing or infinite in 300 rows"):
        load_table(table_recipe(blank))


def labels_file(folder: Path, rates: dict[str, float], rows: int = 2000) -> str:
    rng = np.random.default_rng(0)
    columns = {name: (rng.random(rows) < rate).astype(int) for name, rate in rates.items()}
    pd.DataFrame({"x": rng.standard_normal(rows), **columns}).to_csv(folder / "l.csv", index=False)
    return str(folder / "l.csv")


def test_labels_are_columns_with_the_rarest_last(tmp_path: Path) -> None:
    path = labels_file(tmp_path, {"p": 0.08, "q": 0.3, "r": 0.5})
    recipe = resolve(Recipe(path, 40_000, task="multilabel", columns=Columns(labels=("p", "q", "r"))))
    table = load_table(recipe)
    assert table.names == ("q", "r", "p")
    frame = pd.read_csv(path)
    assert table.labels is not None
    assert np.array_equal(table.labels, frame[["q", "r", "p"]])
    assert list(table.frame.columns) == ["x"]
    whole = np.array([frame[name].sum() for name in table.names])
    for found, share in zip(outputs(recipe), (0.6, 0.2, 0.2), strict=True):
        assert found == pytest.approx(whole * share, abs=20)


def test_a_label_that_is_too_rare_is_refused(tmp_path: Path) -> None:
    recipe = resolve(
        Recipe(labels_file(tmp_path, {"p": 0.1, "q": 0.3}), 150, task="multilabel", columns=Columns(labels=("p", "q")))
    )
    with pytest.raises(InputError, match="is not reachable"):
        measured(recipe, 0)


def test_rows_that_differ_in_a_label_only_are_no_duplicates(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": np.repeat(rng.standard_normal(500), 4), "p": [0, 0, 1, 1] * 500, "q": [0, 1, 0, 0] * 500}
    )
    frame.to_csv(tmp_path / "d.csv", index=False)
    recipe = Recipe(
        str(tmp_path / "d.csv"), 400, task="multilabel", columns=Columns(labels=("p", "q"), drop_duplicates=True)
    )
    table = load_table(resolve(recipe))
    assert table.rows == 1500
    assert "removed 500 duplicate rows" in json.dumps(table.notes)


def test_scikit_learns_digits_have_ten_classes() -> None:
    recipe = resolve(Recipe("sklearn:digits", 40_000, task="multiclass"))
    assert sorted(names_of(recipe)) == [str(digit) for digit in range(10)]
    splits = build_splits(recipe, 0)
    assert splits.measured == tuple(range(10))
    assert splits.train.outputs.sum() == splits.train.rows


def test_a_class_needs_rows_in_validation_and_in_test() -> None:
    counts = [np.array([500, 50, 60]), np.array([90, 20, 30]), np.array([90, 40, 19])]
    assert measured_outputs(("a", "b", "c"), counts, multilabel=False) == (0, 1)
    assert measured_outputs(("a", "b", "c"), [counts[0], counts[2], counts[1]], multilabel=False) == (0, 1)
    with pytest.raises(InputError, match="too few rows of c"):
        measured_outputs(("a", "b", "c"), counts, multilabel=True)
