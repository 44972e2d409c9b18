"""Scores kept on request are those that the table rests on, to the bit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from sklearn.metrics import average_precision_score

from focalbench.analysis.rows import ArmRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.rows import read_rows
from focalbench.errors import InputError
from focalbench.execution.pools import Backend
from focalbench.jobs.scores import check_scores, chosen, save_scores
from focalbench.jobs.sweep import run_experiment
from focalbench.jobs.trainer import Execution
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.report.manifest import read_manifest
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.metric import ThresholdAt
from tests.support.attempts import Said, typed


def made(folder: Path, **settings: object) -> tuple[Experiment, Path]:
    usual: dict[str, object] = {
        "datasets": ("gaussians",), "positive_rates": (0.05,), "rows": 600, "epochs": 3, "hidden": (8,), "seeds": 2,
        "lrs": (0.003, 0.01), "arms": (Arm("bce"), Arm("hinge")), "threshold_at": ThresholdAt.parse("recall=0.5"),
    }  # fmt: skip
    experiment = Experiment(**(usual | settings))  # type: ignore[arg-type]
    run_experiment(experiment, make_plan(experiment), folder / "out", Execution())
    return experiment, folder / "out"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_scores_are_those_of_the_table(tmp_path: Path, workers: int) -> None:
    experiment, folder = made(tmp_path)
    names = save_scores(folder, make_plan(experiment).runs, Backend("loky", workers))
    rows = {row.settings.run_id: row for row in read_rows(folder / "runs.csv", RunRow)}
    assert len(names) == len(list(chosen(list(rows.values())))) == 2 * (2 + 4)
    assert set(names) <= set(read_manifest(folder).files)
    for name in names:
        said = parquet.read_schema(folder / name).metadata
        run, frame = rows[said[b"run_id"].decode()], pd.read_parquet(folder / name)
        assert run.outcome is not None
        assert frame.columns.tolist() == ["row", "seed", "target", "weight", "score", "probability", "flagged"]
        found = average_precision_score(frame["target"], frame["score"], sample_weight=frame["weight"])
        assert found == pytest.approx(run.outcome.test_average_precision, rel=1e-9)
        assert (frame["seed"] == run.settings.seed).all()
        assert frame["probability"].isna().all() == (run.settings.loss == "hinge")
        positive = frame["target"] == 1
        assert run.outcome.operating is not None
        assert frame["flagged"][positive].mean() == pytest.approx(run.outcome.operating.recall)


def test_rows_are_those_of_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(2000) % 10 == 0).astype(int)
    frame = pd.DataFrame({"x": np.arange(2000), "z": rng.normal(size=2000) + y, "y": y})
    frame.to_csv(tmp_path / "d.csv", index=False)
    asked = {
        "datasets": (str(tmp_path / "d.csv"),),
        "positive_rates": (None,),
        "columns": Columns("y"),
        "references": False,
    }
    experiment, folder = made(tmp_path, **asked)
    (name, *_) = save_scores(folder, make_plan(experiment).runs, Backend())
    found = pd.read_parquet(folder / name)
    assert found["row"].is_unique
    assert frame["y"].to_numpy()[found["row"]].tolist() == found["target"].tolist()
    run_experiment(experiment, make_plan(experiment), folder, Execution())
    assert not (folder / name).exists()  # of another table, for all we know


def test_what_has_no_column_of_scores_is_refused(tmp_path: Path) -> None:
    runs = make_plan(Experiment(task="multilabel", datasets=("labels",), positive_rates=(0.05,), rows=2000)).runs
    with pytest.raises(InputError, match="`save_scores` is for `task=binary`"):
        check_scores(runs, Backend())
    with pytest.raises(InputError, match="trains on this machine"):
        check_scores((), Backend("dask"))


def test_the_command_keeps_them_and_refuses_somebody_elses_files(tmp_path: Path) -> None:
    line = "sweep gaussians --pos-rate 0.05 --rows 600 --epochs 2 --hidden 8 --seeds 1 --lr 0.01 --loss bce"
    line += " --no-references -j 1 -q --save-scores -o r"
    (tmp_path / "r" / "scores").mkdir(parents=True)
    mine = tmp_path / "r" / "scores" / "gaussians_0.05_bce_seed0.parquet"
    mine.write_text("mine")
    refused = typed(line.split(), tmp_path)
    assert (refused.code, mine.read_text()) == (2, "mine")
    assert "is not this tool's" in refused.stderr
    mine.unlink()
    said: Said = typed(line.split(), tmp_path)
    assert (said.code, said.stderr) == (0, "")
    assert len(pd.read_parquet(mine)) > 0
    assert read_rows(tmp_path / "r" / "table.csv", ArmRow)
