"""A results folder: what is ours in it and what is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from focalbench.datasets import Columns, build, read_table
from focalbench.datasets.tables.table import Table
from focalbench.errors import MachineError
from focalbench.jobs.sweep import run_experiment
from focalbench.jobs.trainer import Execution
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.report import folder as module
from focalbench.report.figures import draw_results
from focalbench.report.folder import reported
from focalbench.runs.arm import Arm
from focalbench.runs.catalogue import Task
from tests.support.attempts import typed

SMALL = Experiment(
    datasets=("gaussians",),
    positive_rates=(0.02,),
    rows=1500,
    arms=(Arm("bce"), Arm("focal", gamma=2.0)),
    lrs=(0.01,),
    seeds=1,
    epochs=1,
    hidden=(4,),
    references=False,
)
OTHERS = (
    "figures/epochs_of_earth.png",
    "figures/classes_2024.pdf",
    "figures/gamma_x.png",
    "deep/.2024.notes.md",
    "a.csv",
)


def sweep(folder: Path, seeds: int = 1) -> None:
    experiment = replace(SMALL, seeds=seeds)
    run_experiment(experiment, make_plan(experiment), folder, Execution())


def pictures(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "figures").glob("*_gaussians_0.02.png"))


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    sweep(tmp_path)
    draw_results(tmp_path)
    return tmp_path


def test_what_others_have_there_stays_and_is_not_reported(tmp_path: Path) -> None:
    for name in OTHERS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    sweep(tmp_path)
    draw_results(tmp_path)
    sweep(tmp_path, 2)
    assert [(tmp_path / name).read_text() for name in OTHERS] == ["mine"] * len(OTHERS)
    assert not set(json.loads((tmp_path / "manifest.json").read_text())["files"]) & set(OTHERS)


def test_pictures_of_another_table_go_and_those_of_the_same_stay(drawn: Path) -> None:
    before = pictures(drawn)
    assert before
    assert set(reported(drawn)) > {f"figures/{name}" for name in before}
    sweep(drawn)
    assert pictures(drawn) == before
    sweep(drawn, 2)
    assert pictures(drawn) == []


def test_pictures_stay_where_the_new_table_cannot_be_written(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path, texts: dict[str, str]) -> Callable[[], None]:
        raise MachineError("no room")

    before = pictures(drawn)
    monkeypatch.setattr(module, "write_texts", fail)
    with pytest.raises(MachineError, match="no room"):
        sweep(drawn, 2)
    assert pictures(drawn) == before


@pytest.mark.parametrize("name", ["table.csv", "curves.csv"])
@pytest.mark.parametrize("command", ["table", "plot"])
def test_what_was_changed_is_not_shown(drawn: Path, command: str, name: str) -> None:
    text = (drawn / name).read_text()
    (drawn / name).write_text(text.replace("0.02", "0.03", 1))
    said = typed([command, str(drawn)], drawn)
    if (command, name) == ("table", "curves.csv"):  # which it does not show
        assert said.code == 0
    else:
        assert (said.code, said.stdout) == (2, "")
        assert f"{name} is not the file that manifest.json names; run the experiment again" in said.stderr


def test_tables_are_read_one_after_the_other_not_once_a_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def watch(path: str, columns: Columns, task: Task) -> Table:
        read.append(path)
        return read_table(path, columns, task)

    for i in range(2):
        rows = (f"{j % 97},{j * i % 89},{int(j % 5 == 0)}" for j in range(500))
        (tmp_path / f"{i}.csv").write_text("\n".join(["a,b,y", *rows, ""]))
    build._table.cache_clear()
    monkeypatch.setattr(build, "read_table", watch)
    paths = tuple(str(tmp_path / f"{i}.csv") for i in range(2))
    tables = replace(SMALL, datasets=paths, positive_rates=(None,), rows=200, columns=Columns(target="y"), seeds=4)
    run_experiment(tables, make_plan(tables), tmp_path / "o", Execution())
    assert len(read) <= 6  # to plan, to group and to train
