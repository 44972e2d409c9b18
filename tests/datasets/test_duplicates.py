"""Equal rows: kept, told, and never in two splits; and what has none is split as it always was."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalbench.datasets.build import _split_rows, build_splits, load_table, resolve, split_counts
from focalbench.datasets.columns.frame import make_table
from focalbench.datasets.dataset import Counts, SplitCounts
from focalbench.datasets.files.file import read_table
from focalbench.datasets.prevalence import pool_counts, set_parts, table_counts
from focalbench.datasets.splits import assign_equal_rows, thin
from focalbench.datasets.tables.table import Table, distinct_rows, row_numbers
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.columns import COLUMN_KEYS, Columns
from focalbench.runs.run import Recipe, Run, Training

# ---- what must not move: recorded from version 0.1.0, run id and the rows of the splits of seeds 0 and 3

LEFT = ("g", "t", "w", "kind", "p", "q")
GOLDEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": ({"target": "y", "drop": LEFT}, ["8252f73693f9b669", "d8300dc083dacb30", "186e2a8ffc2dcbc0"]),
    "rate": (
        {"target": "y", "drop": LEFT, "positive_rate": 0.08},
        ["d19bedae356e2c2e", "0bde34eee60d92a2", "a37ab68dd3e4e31d"],
    ),
    "raised": (
        {"target": "y", "drop": LEFT, "positive_rate": 0.3},
        ["04a5e86c65bee8cb", "37940ea001d74b00", "6095b42233d65c90"],
    ),
    "rows": ({"target": "y", "drop": LEFT, "rows": 600}, ["c3ab62dbf586a5ac", "ad05a2e39449cd65", "5dc5972d476752bc"]),
    "positive": (
        {"target": "kind", "positive": "k", "drop": ("g", "t", "w", "y", "p", "q")},
        ["85e80ecb482ae131", "fdae3754920a8764", "f0b863aa13cd3582"],
    ),
    "group": (
        {"target": "y", "group": "g", "drop": ("t", "w", "kind", "p", "q")},
        ["e9ea26c43244b219", "c787cb3347531207", "29a981a351126836"],
    ),
    "time": (
        {"target": "y", "time": "t", "drop": ("g", "w", "kind", "p", "q")},
        ["d6b9ccba33356e71", "5b386059871b3dd0", "5b386059871b3dd0"],
    ),
    "weight": (
        {"target": "y", "weight": "w", "drop": ("g", "t", "kind", "p", "q")},
        ["2bfb7807d72adfda", "d8300dc083dacb30", "186e2a8ffc2dcbc0"],
    ),
    "weighted test": (
        {"target": "y", "drop": LEFT, "positive_rate": 0.08, "test_prevalence": "weight"},
        ["0304427f0d28ebaf", "43ff858245261551", "8d8098e399bd9677"],
    ),
    "multiclass": (
        {"target": "kind", "task": "multiclass", "drop": ("g", "t", "w", "y", "p", "q")},
        ["913a8c99e72b51ac", "67040c7fe9832a8f", "64ecdaba7bf0c76a"],
    ),
    "multilabel": (
        {"labels": ("p", "q"), "task": "multilabel", "drop": ("g", "t", "w", "y", "kind")},
        ["1dad05faa5749a37", "4654ba88d0dda5ac", "a66ed2852ac150f1"],
    ),
}


@pytest.fixture(scope="module")
def distinct(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file in which no two rows are equal."""
    pairs = np.random.default_rng(7).integers(0, 10**6, (1500, 2)).tolist()
    lines = ["a,b,c,g,t,w,y,kind,p,q"]
    for i, (a, b) in enumerate(pairs):
        kind = "klm"[(i % 6 > 0) + (i % 6 > 2)]
        others = f"{a % 40},{2000 + i % 25},{1 + b % 3},{int(i % 6 == 0)},{kind},{int(b % 5 == 0)},{int(a % 4 == 0)}"
        lines.append(f"{a}.5,{b},{'uvw'[b % 3]},{others}")
    path = tmp_path_factory.mktemp("golden") / "d.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("name", GOLDEN)
def test_tables_without_equal_rows_keep_their_runs_and_splits(distinct: str, name: str) -> None:
    options, expected = GOLDEN[name]
    columns = Columns(**{key: value for key, value in options.items() if key in COLUMN_KEYS})
    others = {key: value for key, value in options.items() if key not in COLUMN_KEYS}
    recipe = resolve(Recipe(distinct, **{"rows": 5000} | others, columns=columns))
    run_id = Run(recipe, Training(), Arm("bce"), 0.001, 3).run_id
    assert [run_id, *(rows_hash(recipe, seed) for seed in (0, 3))] == expected
    assert recipe.reading == ""


def rows_hash(recipe: Recipe, seed: int) -> str:
    parts = _split_rows(load_table(recipe), recipe, seed)
    return hashlib.sha256(b"".join(part.astype(np.int64).tobytes() + b"|" for part in parts)).hexdigest()[:16]


# ---- which rows are equal, and what is told


def table_of(columns: str, *rows: str, **options: Any) -> Table:
    frame = pd.DataFrame([row.split() for row in rows], columns=columns.split())
    frame = frame.apply(pd.to_numeric, errors="coerce")
    task = options.pop("task", "binary")
    said = options if "labels" in options else {"target": "y"} | options
    return make_table("d.csv", frame, Columns(**said), "0" * 64, task=task)


PATIENTS = ("1 5 2 0", "2 5 2 0", "3 5 2 1", "4 7 2 0", "4 7 2 0", "5 8 3 1")  # id, x, z, y


def test_different_patients_with_equal_features_are_no_repeats() -> None:
    kept = table_of("id x z y", *PATIENTS, drop=("id",))
    assert kept.rows == 6
    assert kept.equal is not None
    assert kept.equal.tolist() == [0, 0, 0, 3, 3, 5]
    assert kept.notes[-1] == (
        "3 rows of 6 have the features of an earlier one; 1 of them are equal to it in all columns; 1 sets of such "
        "rows hold different targets; all are kept, and equal rows are never in two splits; `drop_duplicates` removes "
        "the 1: positive rate 33.3333% to 40.0000%"
    )
    removed = table_of("id x z y", *PATIENTS, drop=("id",), drop_duplicates=True)
    assert removed.rows == 5
    assert removed.notes[-1] == "removed 1 duplicate rows of 6"
    assert removed.equal is not None
    assert removed.equal.tolist() == [0, 0, 0, 3, 5]


def test_a_reading_says_whether_a_table_is_what_it_was() -> None:
    """Version 0.1.0 removed the rows that repeat an earlier one in features and target."""
    readings = {
        "as it was": table_of("x z y", "1 2 0", "1 3 0", "4 5 1", "4 5 1", drop_duplicates=True).reading,
        "kept": table_of("x z y", "1 2 0", "1 3 0", "4 5 1", "4 5 1").reading,
        "patients kept": table_of("id x z y", *PATIENTS, drop=("id",)).reading,
        "patients removed": table_of("id x z y", *PATIENTS, drop=("id",), drop_duplicates=True).reading,
        "two targets": table_of("x z y", "1 2 0", "1 2 1", "4 5 1").reading,
    }
    assert readings.pop("as it was") == ""
    assert "" not in readings.values()
    assert readings["kept"] != readings["two targets"]
    assert readings["patients kept"] != readings["patients removed"]
    others = [f"{g} {g} 5 {g % 2}" for g in range(3, 9)]
    by_group = table_of("g x z y", "1 1 2 0", "2 1 2 1", *others, group="g")  # nothing was removed, or is dealt anew
    assert (by_group.reading, by_group.equal) == ("", None)
    assert "by group or time, so that 1 sets, which have rows of several, may be in two splits" in by_group.notes[-1]
    assert table_of("g x z y", "1 1 2 0", "2 1 2 0", *others, group="g").reading
    assert table_of("g x z y", *others[:5], group="g").reading  # few groups: a seed tests on one
    assert not table_of("g x z y", *others, group="g").reading


def test_missing_cells_are_equal_whatever_their_bits() -> None:
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64).view(np.float64)
    frame = pd.DataFrame({"x": [*odd, 1.0, -0.0, 0.0], "z": [1, 1, 2, 3, 3], "y": [0, 1, 1, 0, 1]})
    table = make_table("d.csv", frame, Columns("y"), "0" * 64)
    assert table.equal is not None
    assert table.equal.tolist() == [0, 0, 2, 3, 3]


# ---- splits


Array = np.ndarray[Any, Any]


def drawn_sets(rows: int, kinds: int, *, alike: bool) -> tuple[Array, Array]:
    """Targets and sets of a table in which about half of the rows have an equal one; sets differ in rate, and in size
    by far unless alike.
    """
    rng = np.random.default_rng(0)
    sets = np.where(
        rng.random(rows) < 0.5,
        rng.integers(0, kinds, rows) if alike else rng.zipf(1.6, rows) % kinds,
        kinds + np.arange(rows),
    )
    shares = rng.beta(0.3, 3.0, 2 * kinds + rows)
    return (rng.random(rows) < shares[sets]).astype(np.int8), sets.astype(np.int64)


TARGETS, SETS = drawn_sets(12_000, 900, alike=False)
TABLES = ((TARGETS, SETS), drawn_sets(12_000, 200, alike=True))
SIZES = np.unique(SETS, return_counts=True)[1]


def dealt(
    recipe: Recipe, seed: int, targets: Any = TARGETS, sets: Any = SETS
) -> tuple[SplitCounts, list[Any], tuple[Any, ...]]:
    positives, largest = int(targets.sum()), int(np.unique(sets, return_counts=True)[1].max())
    wanted = set_parts(recipe, len(targets), positives, largest)
    pools = assign_equal_rows(targets, sets, wanted, seed, recipe.key)
    train, validation, test = (Counts(len(pool), int(targets[pool].sum())) for pool in pools)
    counts = pool_counts(recipe, SplitCounts(train, validation, test))
    return counts, list(pools), thin(targets, counts, pools, seed, recipe.key)


@settings(max_examples=40)
@given(st.none() | st.floats(0.02, 0.4), st.sampled_from([1500, 3000, 10**6]), st.integers(0, 9))
def test_equal_rows_are_never_in_two_splits_and_the_rate_is_exact(rate: float | None, asked: int, seed: int) -> None:
    counts, pools, rows = dealt(Recipe("file", asked, rate), seed)
    sets = [set(SETS[part].tolist()) for part in pools]
    assert not sets[0] & sets[1] | sets[1] & sets[2] | sets[0] & sets[2]
    assert sorted(np.concatenate(pools)) == list(range(len(TARGETS)))
    for part, pool, count in zip(rows, pools, counts.each, strict=True):
        assert set(part) <= set(pool)
        assert (len(part), TARGETS[part].sum()) == (count.rows, count.positives)
        assert count.positives == round((rate or TARGETS.mean()) * count.rows)
    assert counts.validation.rows <= counts.train.rows <= asked


@settings(max_examples=40)
@given(st.floats(0.25, 1), st.floats(0.25, 1), st.sampled_from([2000, 10**6]), st.sampled_from(TABLES))
def test_positives_of_sets_nest_over_rates(one: float, other: float, asked: int, table: tuple[Array, Array]) -> None:
    """Up to the table's own rate."""
    targets, sets = table
    rates = [float(share * targets.mean()) for share in sorted((one, other))]
    low, high = (dealt(Recipe("file", asked, rate), 3, targets, sets)[2] for rate in rates)
    for few, many in zip(low, high, strict=True):
        assert set(few[targets[few] == 1]) <= set(many[targets[many] == 1])


def test_a_few_equal_rows_cost_no_row() -> None:
    """A million rows may hold one pair; the splits then are as large as without it."""
    pairs = np.where(np.arange(12_000) % 40 == 0, np.arange(12_000) + 1, np.arange(12_000))
    for rate in (None, 0.03):
        for asked in (2000, 10**6):
            recipe = Recipe("file", asked, rate)
            expected = table_counts(recipe, len(TARGETS), int(TARGETS.sum()))
            for seed in range(3):
                assert dealt(recipe, seed, TARGETS, pairs)[0] == expected


def test_a_set_is_in_a_split_about_as_often_as_a_row() -> None:
    """Were the largest always trained on, the test would never hold the most common case."""
    largest = [int(np.flatnonzero(name == SETS)[0]) for name in np.unique(SETS)[np.argsort(-SIZES)[:20]]]
    place = [[next(i for i in range(3) if row in pools[i]) for row in largest] for pools in many_pools()]
    shares = np.bincount(np.ravel(place), minlength=3) / np.size(place)
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.06)


def many_pools() -> list[list[set[int]]]:
    recipe = Recipe("file", 10**6)
    return [[set(pool.tolist()) for pool in dealt(recipe, seed)[1]] for seed in range(60)]


def test_a_giant_set_does_not_fill_a_split() -> None:
    giant = np.where(np.arange(12_000) < 3000, 0, np.arange(12_000))
    targets = (np.random.default_rng(0).random(12_000) < 0.1).astype(np.int8)
    for seed in range(5):
        _, _, rows = dealt(Recipe("file", 1000), seed, targets, giant)
        share = [np.mean(giant[part] == 0) for part in rows]
        assert max(share[:2]) < 0.65  # 3000 of 7200 rows, or of the 3000 and few more that a fifth is


def test_classes_are_spread_evenly_beside_sets() -> None:
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.repeat([0, 1, 2], [10_000, 30, 1970]))
    labels = (kind[:, None] == np.arange(3)).astype(np.int8)
    pairs = np.arange(12_000) // 2 * 2 * (np.arange(12_000) < 600) + np.arange(12_000) * (np.arange(12_000) >= 600)
    recipe = Recipe("file", 10**6, task="multiclass")
    wanted = set_parts(recipe, 12_000, 1970, 2)
    for seed in range(10):
        pools = assign_equal_rows(labels[:, 2], pairs, wanted, seed, recipe.key, labels)
        held = [int(labels[pool, 1].sum()) for pool in pools]
        assert held == pytest.approx([18, 6, 6], abs=3)


# ---- as a user has it


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Binary attributes, most of whose rows repeat."""
    rng = np.random.default_rng(0)
    x = (rng.random((12_000, 12)) < rng.beta(0.5, 1.5, 12)).astype(int)
    score = x[:, :4].sum(axis=1) + rng.standard_normal(12_000)
    frame = pd.DataFrame(x, columns=[f"a{i}" for i in range(12)]).assign(
        y=(score > np.quantile(score, 0.95)).astype(int)
    )
    path = tmp_path_factory.mktemp("faces") / "faces.csv"
    frame.to_csv(path, index=False)
    return str(path)


def test_the_natural_rate_stays_and_nothing_leaks(faces: str) -> None:
    recipe = resolve(Recipe(faces, 5000, columns=Columns(target="y")))
    table = load_table(recipe)
    assert (table.rows, table.positives) == (12_000, 600)
    frame = pd.read_csv(faces).drop(columns="y")
    seen: list[set[bytes]] = []
    for rows, part in zip(_split_rows(table, recipe, 0), each(recipe), strict=True):
        assert part.rows == len(rows) > 1000
        assert part.positives == round(0.05 * part.rows)
        seen.append({row.tobytes() for row in frame.to_numpy()[rows]})
    assert not seen[0] & seen[1] | seen[1] & seen[2] | seen[0] & seen[2]


def each(recipe: Recipe) -> tuple[Any, ...]:
    splits = build_splits(recipe, 0)
    return splits.train, splits.validation, splits.test


def test_counts_of_every_seed_are_looked_at_when_planned(faces: str) -> None:
    recipe = resolve(Recipe(faces, 5000, columns=Columns(target="y")))
    rare = replace(recipe, positive_rate=0.02)
    held = [Counts(part.rows, part.positives) for part in each(rare)]
    assert tuple(held) == split_counts(rare, 0).each
    plan = make_plan(Experiment(datasets=(faces,), positive_rates=(None,), columns=Columns(target="y"), seeds=3))
    assert any("`drop_duplicates` removes" in note for note in plan.notes)


def test_a_rate_that_the_sets_cannot_give_is_refused_with_one_that_they_can(tmp_path: Path) -> None:
    x = np.repeat([0, 1, 2, *range(10, 1000)], [40, 40, 40, *[1] * 990])
    frame = pd.DataFrame({"x": x, "z": x % 7, "y": (x < 3).astype(int)})  # all positives in three sets
    frame.to_csv(tmp_path / "d.csv", index=False)
    recipe = resolve(Recipe(str(tmp_path / "d.csv"), 5000, 0.02, columns=Columns(target="y")))
    with pytest.raises(InputError, match=r"choose a rate from 0\.0"):
        split_counts(recipe, 0)
    assert min(part.positives for part in split_counts(replace(recipe, positive_rate=None), 0).each) >= 20


# ---- identifiers beyond what a float tells apart, and rows that share a hash


LONG = {
    "integers": "{}",
    "floats": "{}.0",
    "texts": "K{}",
    "integers beyond 64 bits": "1000000000{}",
}


@pytest.mark.parametrize("form", LONG)
def test_transactions_of_long_numbers_are_no_repeats(tmp_path: Path, form: str) -> None:
    lines = [f"{LONG[form].format(2**60 + i - i % 50 // 49)},{i % 7},{i % 2}" for i in range(600)]
    (tmp_path / "d.csv").write_text("\n".join(["id,x,y", *lines, ""]))
    table = read_table(str(tmp_path / "d.csv"), Columns("y", drop=("id",), drop_duplicates=True))
    distinct = pd.read_csv(tmp_path / "d.csv", dtype="str").drop_duplicates()
    assert table.rows == len(distinct) == 600
    repeated = [*lines, *lines[:9]]
    (tmp_path / "d.csv").write_text("\n".join(["id,x,y", *repeated, ""]))
    assert read_table(str(tmp_path / "d.csv"), Columns("y", drop=("id",), drop_duplicates=True)).rows == 600


def test_rows_that_share_a_hash_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.choice([0.0, -0.0, 1.5, np.nan], 200),
            "b": rng.integers(2**60, 2**60 + 3, 200),
            "c": pd.Categorical(rng.choice(np.array(["u", "v", None], dtype=object), 200), categories=["u", "v"]),
            "d": pd.Series(rng.choice(np.array(["s", "t", None], dtype=object), 200), dtype="str"),
        }
    )
    targets = rng.integers(0, 2, 200).astype(np.int8)
    expected = row_numbers(frame, targets)
    assert len(set(expected)) == len(frame.assign(y=targets).drop_duplicates()) < 200
    monkeypatch.setattr("focalbench.datasets.tables.table._hashes", lambda *_: np.zeros(200, dtype=np.uint64))
    np.testing.assert_array_equal(row_numbers(frame, targets), expected)
    assert distinct_rows(frame, targets)[0].sum() == len(set(expected))
