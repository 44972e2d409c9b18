"""From a table to a model that scores new rows: a process for each command, and what else they say in this one."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.attempts import typed
from tests.support.harness import Ended, run

pytestmark = pytest.mark.processes

RNG = np.random.default_rng(0)
ROWS = 1000
X = RNG.normal(size=(ROWS, 3))
DAYS = (pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS) // 50, unit="D")).strftime("%Y-%m-%d")
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).round(3)
FRAME = FRAME.assign(day=DAYS, id=[f"N{k}" for k in range(ROWS)], y=(X[:, 0] + RNG.normal(size=ROWS) > 1.2).astype(int))
ADVISE = "advise d.csv --target y --drop id --cost 1:10 --budget 5m --seeds 1 --workers 1"


def refused(command: str, folder: Path) -> str:
    found = typed(command.split(), folder)
    assert (found.code, found.stdout) == (2, "")
    return found.stderr


def test_a_table_becomes_advice_code_and_a_model_that_scores_new_rows(tmp_path: Path) -> None:
    """One test of many steps, because the first takes long."""
    FRAME.to_csv(tmp_path / "d.csv", index=False)
    FRAME.drop(columns="y").head(100).to_csv(tmp_path / "new.csv", index=False)
    says_what_to_do(tmp_path, run(f"{ADVISE} --save m.skops", tmp_path))
    says_whose_threshold_it_is(tmp_path)
    scores_new_rows(tmp_path)
    refuses_mistakes(tmp_path)


def says_what_to_do(folder: Path, advised: Ended) -> None:
    lines = advised.out.splitlines()
    assert lines[0].startswith("d.csv at natural rate")
    assert any(line.startswith(("- Stay with BCE", "- Use ", "- Take ", "- No verdict")) for line in lines[:3])
    assert "at a cost of" in advised.out
    assert "- Flagging nobody costs " in advised.out
    assert "Each seed chose a threshold" not in advised.out
    assert "probability = " in advised.out
    assert re.search(r"m\.skops: on \d+ rows that it was not fitted on", advised.out)
    assert (folder / "m.skops").is_file()
    page = (folder / "results" / "d" / "advice.md").read_text()
    assert page.count("```python") >= 4
    assert typed(["check", "results/d", "--workers", "1"], folder).code == 0


def says_whose_threshold_it_is(folder: Path) -> None:
    """The same again, from the store, without a model."""
    again = typed(ADVISE.split(), folder)
    assert again.code == 0
    told = " ".join(again.stdout.split())
    assert "- Each seed chose a threshold of its own, on its validation rows" in told
    assert "--save FILE keeps one model with one threshold" in told
    assert "0 runs trained" in told


def scores_new_rows(folder: Path) -> None:
    ended = run("predict m.skops new.csv --keep id --keep day", folder)
    rows = list(csv.DictReader(ended.out.splitlines()))
    assert [row["row"] for row in rows] == [str(k) for k in range(1, 101)]
    assert [row["id"] for row in rows] == FRAME["id"].head(100).tolist()
    assert rows[0]["day"] == "2024-01-01"
    found = np.array([float(row["probability"]) for row in rows])
    assert np.corrcoef(found, X[:100, 0])[0, 1] > 0.5
    assert "100 rows, " in ended.err
    assert "new.csv: read as UTF-8, cells separated by commas\nnew.csv: numbers (3): a, b, c\n" in ended.err
    assert "new.csv: dates (1): day (the first 01 January 2024)\n" in ended.err
    assert typed(["predict", "m.skops", "new.csv", "--out", "s.csv"], folder).code == 0
    again = pd.read_csv(folder / "s.csv")
    assert again["probability"].tolist() == found.tolist()
    assert again["flagged"].tolist() == [int(row["flagged"]) for row in rows]


def refuses_mistakes(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    assert "m.skops is there already" in refused("advise d.csv --target y --save m.skops", folder)
    assert "keeps a model of a file, and mixture is none" in refused("advise mixture --save n.skops", folder)
    assert "give one" in refused("advise d.csv --target y --cost 1:2 --capacity 1%", folder)
    assert "--capacity 50/day needs --time, a column of dates" in refused(
        "advise d.csv --target y --capacity 50/day --out q", folder
    )
    assert "no column 'z'" in refused("advise d.csv --target z --out q", folder)
    assert "--budget takes a time above 0" in refused("advise d.csv --target y --budget soon --out q", folder)
    assert "no file n.skops" in refused("predict n.skops new.csv", folder)
    assert "is no model" in refused("predict new.csv new.csv", folder)
    (folder / "less.csv").write_text("a,b\n1,2\n")
    assert "no column 'c'; the model was trained on a, b, c" in refused("predict m.skops less.csv", folder)
    assert "no column 'zz'" in refused("predict m.skops new.csv --keep zz", folder)
    assert sorted(path.name for path in folder.iterdir() if path.name not in ("less.csv", "q")) == before
