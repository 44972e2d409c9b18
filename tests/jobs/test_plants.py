"""Every fault of plants.py is found by the short runs of a results folder, by the numbers that lie there."""

import re
import shutil
from pathlib import Path

import pytest

from focalbench.execution.pools import Backend
from focalbench.jobs.agreement import moved
from focalbench.jobs.check import Target, check_all, open_case
from tests.jobs.test_check import forge
from tests.support.plants import FEW, PLANTS, ROOT, TABLES, Plant, found, found_in_files

BY_NAME = {plant.name: plant for plant in PLANTS}


def test_ldam_without_its_deferral_is_found() -> None:
    lines = found(BY_NAME["LDAM: deferral switched off"])
    assert lines
    assert all(re.search("ldam", line.label) for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_a_plant_is_found(name: str) -> None:
    assert found(BY_NAME[name])


@pytest.mark.slow
@pytest.mark.parametrize("plant", TABLES, ids=lambda plant: plant.name)
def test_a_plant_in_the_making_of_the_table_is_found_in_the_files(plant: Plant) -> None:
    assert any("table.csv" in problem or "classes.csv" in problem for problem in found_in_files(plant))


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["headline", "rivals", "flights", "families", "dense", "classes", "labels"])
def test_nothing_is_found_where_nothing_was_planted(folder: str) -> None:
    assert found(Plant("nothing", list, folder, "." if folder in ("rivals", "labels") else FEW)) == []


@pytest.mark.slow
def test_gamma_2_raised_in_a_committed_folder_is_found_and_nothing_else_is(tmp_path: Path) -> None:
    folder = tmp_path / "dense"
    shutil.copytree(ROOT / "results" / "dense", folder)
    forge(folder, 0.08)
    case = open_case(Target(folder, ROOT / "experiments" / "dense.toml"))
    [report] = check_all([case], Backend())
    assert not [*case.problems, *case.outdated, *moved(report.short)]
    assert ["gamma=2 " in line.label for line in moved(report.sampled)] == [True]
