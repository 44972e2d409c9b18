"""The model that is taken home: it reads new rows as the comparison read its own, and says of them what it should."""

import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from focalbench.datasets import Columns, load_table
from focalbench.datasets.build import split_rows
from focalbench.datasets.files.file import read_as_written, read_exact
from focalbench.datasets.preprocessing import preprocess
from focalbench.errors import InputError
from focalbench.estimators import TRUSTED, TableReader
from focalbench.jobs.keeping import check_keeping, keep_model, kept_model, rows_for, score
from focalbench.jobs.refit import Refitted, refit
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.report.snippets import Trained
from focalbench.runs.arm import Arm
from focalbench.runs.metric import ThresholdAt
from focalbench.runs.resampling import Resampling
from focalbench.runs.run import Recipe
from tests.datasets.test_ten_tables import CASES, Case, genes

pytestmark = pytest.mark.processes

RNG = np.random.default_rng(3)
ROWS = 3000
X = RNG.normal(size=ROWS)
POSITIVE = X + RNG.normal(size=ROWS) > 1.5
TABLE = pd.DataFrame(
    {
        "amount": [f"{value:,.2f}" for value in np.exp(X + 8)],
        "age": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.integers(18, 90, ROWS)),
        "when": pd.to_datetime("2023-01-01") + pd.to_timedelta(RNG.integers(0, 500, ROWS), unit="D"),
        "shop": RNG.choice(["one", "two", "three"], ROWS),
        "zip": [f"{place:05d}" for place in RNG.integers(0, 20, ROWS)],
        "weight": RNG.integers(1, 4, ROWS),
        "y": np.where(POSITIVE, "yes", "no"),
    }
).assign(when=lambda frame: frame["when"].dt.strftime("%m/%d/%Y"))
COLUMNS = Columns(target="y", category=("zip",), weight="weight")
TRAINED = Trained(Arm("focal", gamma=2.0), (8,), 0.01, 5, 256)


def recipe_of(folder: Path, columns: Columns = COLUMNS) -> Recipe:
    TABLE.to_csv(folder / "d.csv", index=False)
    return make_plan(Experiment(datasets=(str(folder / "d.csv"),), columns=columns, seeds=1)).runs[0].recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refit")


@pytest.fixture(scope="module")
def found(folder: Path) -> Refitted:
    return refit(recipe_of(folder), 0, "gamma=2", TRAINED, ThresholdAt.parse("capacity=5%"))


# ---- reading


@pytest.mark.parametrize("make", [make for make in CASES if make is not genes], ids=lambda make: make.__name__)
def test_a_few_new_rows_are_read_as_all_were(tmp_path: Path, make: Callable[[], Case]) -> None:
    """Read alone, 03/04/23, 1.234 or a column of blanks does not say how it is written."""
    case = make()
    path = tmp_path / "d.csv"
    path.write_bytes(case.content)
    columns = Columns(**case.options)
    experiment = Experiment(datasets=(str(path),), columns=columns, seeds=1)
    recipe = make_plan(experiment).runs[0].recipe
    reader: TableReader = refit(recipe, 0, "bce", Trained(Arm("bce"), (), 0.01, 1, 64), None).model["read"]
    table, _ = read_exact(str(path), columns)
    written = read_as_written(str(path), [name for name, _, _ in reader.columns]).frame
    for part in (slice(None), slice(0, 7), *(slice(row, row + 1) for row in range(7, 11))):
        read = reader.transform(written.iloc[part])
        assert set(read.columns) == set(table.frame.columns)
        for name in table.frame.columns:
            expected = table.frame[name].iloc[part]
            if name in table.categorical:
                expected = expected.astype(object)
            pd.testing.assert_series_equal(read[name], expected, check_dtype=False, check_names=False)


def test_marks_of_the_missing_are_missing_in_any_company(tmp_path: Path) -> None:
    """Two marks among a few numbers would else make a column no numbers at all."""
    values = [f"{value:.1f}".replace(".", ",") for value in RNG.lognormal(2, 1, 600)]
    crp = ["-" if k % 7 == 0 else "n.b." if k % 11 == 0 else value for k, value in enumerate(values)]
    days = [f"{k % 28 + 1:02d}-{k % 12 + 1:02d}-2023" if k % 9 else "onbekend" for k in range(600)]
    frame = pd.DataFrame({"crp": crp, "day": days, "y": [int(k % 4 == 0) for k in range(600)]})
    frame.to_csv(tmp_path / "d.csv", sep=";", index=False)
    recipe = make_plan(Experiment(datasets=(str(tmp_path / "d.csv"),), columns=Columns("y"), seeds=1)).runs[0].recipe
    reader = refit(recipe, 0, "bce", Trained(Arm("bce"), (), 0.01, 1, 64), None).model["read"]
    whole = reader.transform(frame)
    assert whole["crp"].isna().tolist() == [text in ("-", "n.b.") for text in crp]
    assert whole["day_month"].isna().tolist() == [text == "onbekend" for text in days]
    for rows in ([0], [1], [0, 11], [0, 11, 1], [9], [9, 10], [5, 6]):
        pd.testing.assert_frame_equal(reader.transform(frame.iloc[rows]), whole.iloc[rows])


def test_the_features_are_those_of_a_sweep(folder: Path, found: Refitted) -> None:
    recipe = recipe_of(folder)
    train, validation, test = split_rows(recipe, 0)
    both = np.concatenate([train, validation])
    expected = preprocess(load_table(recipe), (both, validation, test))[2]
    rows = rows_for(found.model, str(folder / "d.csv")).frame.iloc[test]
    made = found.model["prepare"].transform(found.model["read"].transform(rows))
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, atol=2e-4)  # a sweep's are of numbers in float32


def test_frames_are_read_as_files_are(folder: Path, found: Refitted) -> None:
    of_file = found.model.predict_proba(rows_for(found.model, str(folder / "d.csv")).frame)
    np.testing.assert_array_equal(found.model.predict_proba(TABLE), of_file)
    read = pd.read_csv(folder / "d.csv", dtype={"zip": str}, parse_dates=["when"])
    np.testing.assert_allclose(found.model.predict_proba(read), of_file)


def test_what_is_no_longer_what_it_was_is_refused_or_warned_of(found: Refitted) -> None:
    with pytest.raises(InputError, match="no column 'age', which the model was trained on"):
        found.model.predict_proba(TABLE.drop(columns="age"))
    with pytest.raises(InputError, match="'amount' was read as numbers, and most cells are none now, such as 'much'"):
        found.model.predict_proba(TABLE.assign(amount="much"))
    with pytest.raises(InputError, match="'when' was read as dates"):
        found.model.predict_proba(TABLE.assign(when="soon"))
    with pytest.raises(InputError, match="the rows are a ndarray"):
        found.model.predict_proba(TABLE.to_numpy())
    with pytest.warns(UserWarning, match="'zip': 3,000 of 3,000 cells hold unknown categories, such as"):
        found.model.predict_proba(TABLE.assign(zip=TABLE["zip"].str[-1]))
    missing = found.model.predict_proba(TABLE.assign(age=np.nan, amount=None, when=None, shop=None))
    assert np.isfinite(missing).all()


def test_it_is_told_how_new_rows_were_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "kosten": [f"{value:.2f}".replace(".", ",") for value in RNG.lognormal(2, 1, 600)],
            "tag": [f"{k % 26 + 3:02d}.{k % 12 + 1:02d}.2023" for k in range(600)],
            "ort": ["Köln" if k % 3 else "Rom" for k in range(600)],
            "y": [int(k % 4 == 0) for k in range(600)],
        }
    )
    (tmp_path / "d.csv").write_bytes(frame.to_csv(sep=";", index=False).encode("cp1252"))
    recipe = make_plan(Experiment(datasets=(str(tmp_path / "d.csv"),), columns=Columns("y"), seeds=1)).runs[0].recipe
    model = refit(recipe, 0, "bce", Trained(Arm("bce"), (), 0.01, 1, 64), None).model

    def told(new: pd.DataFrame, separator: str, encoding: str) -> Any:
        (tmp_path / "new.csv").write_bytes(new.to_csv(sep=separator, index=False).encode(encoding))
        return score(model, str(tmp_path / "new.csv"))

    few = frame.head(40).assign(kosten=["n.b.", "", *frame["kosten"][2:40]])
    found = told(few, ";", "cp1252")
    assert found.told == (
        "read as Windows-1252, cells separated by semicolons",
        "numbers (1): kosten (decimal comma; 'n.b.' as missing; 2 missing)",
        "dates (1): tag (the first 03 January 2023)",
        "categories (1): ort",
    )
    assert found.warnings == ()
    np.testing.assert_array_equal(found.probabilities, model.predict_proba(few.replace("", np.nan))[:, 1])
    points = frame.head(40).assign(kosten=frame["kosten"].str.replace(",", "."))
    found = told(points, "\t", "utf-16")
    assert found.told[0] == "read as UTF-16, cells separated by tabs"
    assert found.warnings == (
        "column 'kosten': its numbers have decimal points, and had decimal commas before; write them alike",
    )
    lost = frame.head(40).assign(tag=["bald"] * 5 + frame["tag"][5:40].tolist())
    assert told(lost, ";", "utf-8").warnings == (
        "column 'tag': 5 of 40 cells are no dates, such as 'bald', and read as missing; correct them, or leave these "
        "cells empty",
    )
    with pytest.warns(UserWarning, match="column 'tag': 5 of 40 cells are no dates"):
        model.predict_proba(lost)


# ---- fitting


def test_what_is_said_of_the_test_is_true(folder: Path, found: Refitted) -> None:
    _, _, test = split_rows(recipe_of(folder), 0)
    rows = TABLE.iloc[test]
    probabilities, truth = found.model.predict_proba(rows)[:, 1], POSITIVE[test]
    assert (found.test_rows, found.positives) == (len(test), truth.sum())
    expected = average_precision_score(truth, probabilities, sample_weight=rows["weight"])
    assert found.average_precision == pytest.approx(expected, rel=1e-9)
    flagged = probabilities >= found.threshold
    np.testing.assert_array_equal(found.model.predict(rows), flagged.astype(int))
    weights = rows["weight"].to_numpy()
    assert found.flagged == flagged.sum()
    assert found.recall == pytest.approx(weights[flagged & truth].sum() / weights[truth].sum())
    assert found.precision == pytest.approx(weights[flagged & truth].sum() / weights[flagged].sum())


def test_training_and_validation_rows_are_fitted_and_no_other(folder: Path, found: Refitted) -> None:
    train, validation, _ = split_rows(recipe_of(folder), 0)
    network = found.model["model"].estimator_.estimator
    both = np.concatenate([train, validation])
    weights = TABLE["weight"].to_numpy()[both]
    assert network.class_count_[1] / network.class_count_.sum() == pytest.approx(
        weights[POSITIVE[both]].sum() / weights.sum()
    )
    assert (network.loss, network.gamma, network.n_iter_) == ("focal", 2.0, 5)


@pytest.mark.parametrize("aim", ["capacity=2%", "recall=0.8", "cost=1:10"])
def test_the_threshold_does_on_new_rows_about_what_was_asked(tmp_path: Path, aim: str) -> None:
    made = refit(recipe_of(tmp_path), 0, "gamma=2", TRAINED, ThresholdAt.parse(aim))
    share = made.flagged / made.test_rows
    assert {"capacity=2%": share < 0.06, "recall=0.8": made.recall > 0.6, "cost=1:10": share > 0.2}[aim]


@pytest.mark.parametrize("name", ["boosting", "logistic, class-weighted"])
def test_models_of_scikit_learn_are_kept_as_well(tmp_path: Path, name: str) -> None:
    made = refit(recipe_of(tmp_path), 0, name, TRAINED, None)
    assert made.threshold == 0.5
    assert made.average_precision > 2 * POSITIVE.mean()


def test_class_weights_are_of_what_rows_weigh(tmp_path: Path) -> None:
    """Each class has half of the mass, and the mean weight is 1."""
    heavy = TABLE.assign(weight=np.where(POSITIVE, 7, TABLE["weight"]))
    heavy.to_csv(tmp_path / "d.csv", index=False)
    recipe = make_plan(Experiment(datasets=(str(tmp_path / "d.csv"),), columns=COLUMNS, seeds=1)).runs[0].recipe
    made = refit(recipe, 0, "logistic, class-weighted", TRAINED, None).model
    kept = made["model"].estimator_.estimator
    rows = np.concatenate(split_rows(recipe, 0)[:2])
    mass, positive = heavy["weight"].to_numpy(float)[rows], POSITIVE[rows]
    for members in (positive, ~positive):
        mass[members] *= len(rows) / 2 / mass[members].sum()
    prepared = made["prepare"].transform(made["read"].transform(heavy.iloc[rows]))
    expected = LogisticRegression(C=kept.C, max_iter=1000).fit(prepared, positive, sample_weight=mass)
    np.testing.assert_allclose(kept.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(kept.intercept_, expected.intercept_, rtol=1e-6)


def test_data_without_a_file_or_at_another_rate_are_refused(folder: Path) -> None:
    for experiment, said in (
        (Experiment(), "a model is kept of a file"),
        (
            Experiment(datasets=(str(folder / "d.csv"),), columns=COLUMNS, positive_rates=(0.05,)),
            "leave `positive_rates` out",
        ),
    ):
        recipe_of(folder)
        with pytest.raises(InputError, match=said):
            refit(make_plan(experiment).runs[0].recipe, 0, "bce", TRAINED, None)


def test_a_loss_on_resampled_rows_is_not_kept(folder: Path) -> None:
    arm = Arm("bce", resampling=Resampling.parse("smote"))
    with pytest.raises(InputError, match=r"no model of bce \+ smote is kept"):
        refit(recipe_of(folder), 0, arm.name, replace(TRAINED, arm=arm), None)


# ---- keeping


def test_a_kept_model_is_the_same_and_needs_no_more_trust(tmp_path: Path, found: Refitted) -> None:
    path = tmp_path / "m.skops"
    check_keeping(path)
    keep_model(found.model, path)
    assert set(skops.io.get_untrusted_types(file=path)) <= set(TRUSTED)
    again = kept_model(path)
    np.testing.assert_array_equal(again.predict_proba(TABLE), found.model.predict_proba(TABLE))
    np.testing.assert_array_equal(again.predict(TABLE), found.model.predict(TABLE))


def test_other_files_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": 1}))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x", "y")
    (tmp_path / "c.skops").write_bytes(skops.io.dumps([1, 2]))
    (tmp_path / "d.skops").write_bytes(skops.io.dumps(Path))
    for name in ("a.pkl", "b.zip", "c.skops", "d.skops", "e.skops", "."):
        with pytest.raises(InputError):
            kept_model(tmp_path / name)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "m.skops").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        check_keeping(tmp_path / "m.skops")
    with pytest.raises(InputError, match="there is no folder"):
        check_keeping(tmp_path / "none" / "m.skops")


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame: Any = TABLE.assign(
        amount=np.exp(X + 8), when=pd.to_datetime(TABLE["when"]), shop=TABLE["shop"].astype("category")
    )
    frame.to_parquet(tmp_path / "d.parquet")
    experiment = Experiment(datasets=(str(tmp_path / "d.parquet"),), columns=COLUMNS, seeds=1)
    made = refit(make_plan(experiment).runs[0].recipe, 0, "bce", Trained(Arm("bce"), (), 0.01, 1, 64), None)
    of_file = made.model.predict_proba(rows_for(made.model, str(tmp_path / "d.parquet")).frame)
    np.testing.assert_allclose(made.model.predict_proba(frame), of_file)
