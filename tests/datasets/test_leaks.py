import numpy as np
import pandas as pd

from focalbench.datasets.leaks import leaking_columns
from focalbench.datasets.table import Table


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
