from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from focalbench.datasets.build import load_table, resolve
from focalbench.datasets.tables.leaks import leaking_columns
from focalbench.datasets.tables.table import Table
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.columns import Columns
from focalbench.runs.run import Recipe


def table(**columns: object) -> Table:
    frame = pd.DataFrame(columns)
    targets = np.asarray(frame.pop("y")).astype(np.int8)
    categorical = [name for name in frame.columns if frame[name].dtype == object or frame[name].dtype == "str"]
    return Table(frame.astype(dict.fromkeys(categorical, "category")), targets, tuple(categorical), "0" * 64)


def test_columns_that_tell_the_target_are_named_and_no_others() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(5000) < 0.03
    noise = rng.normal(size=5000)
    found = leaking_columns(
        table(
            y=y,
            after=np.where(y, 1e6 + noise, noise),
            twosided=np.where(y, 9 * np.sign(noise), noise),
            gap=np.where(y, np.nan, noise),
            text=np.where(y, "refund", np.where(noise > 0, "a", "b")),
            identifier=np.arange(5000),
            each=np.array([f"n{i}" for i in range(5000)]),
            honest=noise + y,
        )
    )
    assert {name for name, _ in found} == {"after", "twosided", "gap", "text"}
    assert all(0.9 <= precision <= 1 for _, precision in found)


def test_a_large_table_is_looked_at_in_part() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(300_000) < 0.01
    assert [name for name, _ in leaking_columns(table(y=y, leak=y * 1.0, x=rng.normal(size=300_000)))] == ["leak"]


def test_a_date_that_leaks_is_named_once_as_in_the_file_and_can_be_dropped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.random(3000) < 0.2
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(np.where(y, 900, 0) + rng.integers(0, 300, 3000), "D")
    usual = pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 3000), "D")
    columns = {"paid": days.strftime("%Y-%m-%d"), "paid_on": usual.strftime("%Y-%m-%d"), "x": rng.random(3000)}
    pd.DataFrame({**columns, "y": y.astype(int)}).to_csv(tmp_path / "d.csv", index=False)
    path = str(tmp_path / "d.csv")
    experiment = Experiment(datasets=(path,), positive_rates=(None,), columns=Columns(target="y"), seeds=1)
    leaks = [text for text in make_plan(experiment).warnings if "alone reaches" in text]
    assert len(leaks) == 1
    assert "d.csv: the column paid alone reaches an average precision of" in leaks[0]
    found = load_table(resolve(Recipe(path, 1000, columns=Columns(target="y"))))
    owners = dict(found.derived)
    assert {owners[name] for name in owners if name.startswith("paid_on_")} == {"paid_on"}
    assert {name.removeprefix("paid_") for name, owner in owners.items() if owner == "paid"} >= {"year", "month", "day"}
    assert not [
        text
        for text in make_plan(replace(experiment, columns=Columns(target="y", drop=("paid",)))).warnings
        if "alone reaches" in text
    ]
