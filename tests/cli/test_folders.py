"""Results are named after their data, are not written over by other data's, and repeat themselves."""

import os
import shutil
from pathlib import Path

import pytest

from focalbench.cli.folders import folder_of, latest, repeat_of
from focalbench.errors import InputError
from tests.cli.test_sweep_process import files, here, table

NAMES = {
    "fraud.csv": "fraud",
    "down/fraud.csv.gz": "fraud",
    "/some/where/Fraud 2024.PARQUET": "Fraud-2024",
    "fraud.v2.csv": "fraud.v2",
    "../données.tsv": "données",
    "-.csv": "data",
    ".csv": "csv",
    "a/../b.zip": "b",
    "x\n[31m.csv": "x-31m",
    "mixture": "mixture",
    "mixture:scale=0.7": "mixture",  # its default
    "mixture:tails=5,hard=0.10": "mixture-hard=0.1-tails=5",
    "census-income": "census-income",
    "openml:1597": "openml-1597",
    "sklearn:breast_cancer": "sklearn-breast_cancer",
}
ROWS = "".join(f"{i % 397},{'ab'[i % 2]},{int(i % 7 == 0)}\n" for i in range(900))
SHORT = "--epochs 1 --seeds 1 --hidden 4 --lr 0.01 --loss bce --no-references -j 1 --device cpu -q"
ON_FILE = f"--target y --rows 400 {SHORT}"


@pytest.mark.parametrize("dataset", NAMES)
def test_a_folder_is_named_after_the_data(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_of(dataset) == Path("results", NAMES[dataset])


def write(path: Path, rows: str = ROWS) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("x,c,y\n" + rows)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fraud.csv and its results; tests work on copies."""
    folder = tmp_path_factory.mktemp("home")
    write(folder / "fraud.csv")
    said = here(f"sweep fraud.csv {ON_FILE}", folder)
    assert said.stdout.endswith(
        "Files: results/fraud\nPictures: focalbench plot results/fraud; as a page: focalbench report results/fraud\n"
    )
    assert all(line.startswith("warning: ") for line in said.stderr.splitlines())  # -q leaves nothing else
    return folder


@pytest.fixture
def place(home: Path, tmp_path: Path) -> Path:
    shutil.copytree(home, tmp_path / "here")
    return tmp_path / "here"


def test_the_file_may_be_an_argument_or_an_option(place: Path) -> None:
    before = files(place / "results" / "fraud")
    for data in ("--dataset fraud.csv", "fraud.csv --dataset fraud.csv"):
        said = here(f"sweep {data} {ON_FILE}", place)
        assert "0 runs trained, 2 taken from the store. Files: results/fraud" in said.stdout
        assert files(place / "results" / "fraud") == before


def test_other_data_of_the_same_name_are_refused(place: Path) -> None:
    before = files(place / "results" / "fraud")
    write(place / "b" / "fraud.csv", ROWS.replace("a", "z"))
    said = here(f"sweep b/fraud.csv {ON_FILE}", place, 2).stderr
    assert said == (
        "focalbench: results/fraud holds results of fraud.csv, not of b/fraud.csv; choose another folder with --out\n"
    )
    assert files(place / "results" / "fraud") == before
    here(f"sweep b/fraud.csv -o other {ON_FILE}", place)
    here(f"sweep {place}/fraud.csv {ON_FILE} --first-seed 1", place)  # the same data, named otherwise


def test_results_of_an_experiment_file_are_refused(place: Path) -> None:
    (place / "fraud.toml").write_bytes((place / "results" / "fraud" / "experiment.toml").read_bytes())
    here("run fraud.toml -j 1 -q", place)
    said = here(f"sweep fraud.csv {ON_FILE}", place, 2).stderr
    assert "results/fraud holds results of fraud.toml, not of fraud.csv" in said


def test_a_results_folder_repeats_itself(place: Path) -> None:
    assert "2 runs trained, 0 taken" in here("run results/fraud/experiment.toml -j 1 -q", place).stdout
    assert files(place / "results" / "fraud-again") == files(place / "results" / "fraud")


def test_it_repeats_itself_with_the_very_data_only(place: Path) -> None:
    write(place / "fraud.csv", ROWS.replace("a", "z"))
    said = here("run results/fraud/experiment.toml -j 1", place, 2).stderr
    assert said == (
        "focalbench: results/fraud/experiment.toml was made from fraud.csv, which is not here as it was then; say "
        "where it is: --data fraud.csv\n"
    )
    write(place / "kept" / "fraud.csv")
    here("run results/fraud/experiment.toml -j 1 -q --data kept/fraud.csv", place)
    assert files(place / "results" / "fraud-again") == files(place / "results" / "fraud")
    shutil.move(place / "kept" / "fraud.csv", place / "results" / "fraud" / "fraud.csv")  # it travels with its data
    here("run fraud/experiment.toml -j 1 -q", place / "results")
    assert files(place / "results" / "results" / "fraud-again") == files(place / "results" / "fraud")


def test_a_manifest_opens_no_file_whose_content_it_does_not_know(place: Path) -> None:
    folder = place / "results" / "fraud"
    write(place / "secret.csv", ROWS.replace("a", "z"))
    for name in ("experiment.toml", "manifest.json"):
        (folder / name).write_text((folder / name).read_text().replace("fraud.csv", str(place / "secret.csv")))
    said = here("run results/fraud/experiment.toml -j 1", place, 2).stderr
    assert "which is not here as it was then" in said


def test_the_latest_results_are_meant_where_none_are_named(place: Path) -> None:
    here(f"sweep xor --pos-rate 2% --rows 1500 {SHORT}", place)
    tables = [place / "results" / name / "table.csv" for name in ("xor", "fraud")]
    for i, each in enumerate(tables):
        os.utime(each, (i, i))
    said = here("table --format csv", place)
    assert said.stdout == (place / "results" / "fraud" / "table.csv").read_text()
    assert said.stderr == "results/fraud: the latest of 2 in results\n"
    os.utime(tables[0], (2, 2))
    drawn = here("plot", place)
    assert drawn.stderr == "results/xor: the latest of 2 in results\n"
    assert all(line.startswith("results/xor/figures/") for line in drawn.stdout.splitlines())


def test_a_percentage_is_the_same_experiment(place: Path) -> None:
    for rate in ("2%", "0.02", "0,02", "2/100"):
        said = here(f"sweep xor --pos-rate {rate} --rows 1500 {SHORT}", place).stdout
    assert "0 runs trained, 2 taken from the store" in said
    assert {row["positive_rate"] for row in table(place / "results" / "xor")} == {"0.02"}


def test_where_there_are_no_results_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no results folder in results; name one"):
        latest()


def test_an_experiment_file_names_its_results(tmp_path: Path) -> None:
    assert repeat_of(Path("experiments/mine.toml")) == Path("results/mine")
    assert repeat_of(tmp_path / "experiment.toml") == Path("results/experiment")
    (tmp_path / "manifest.json").touch()
    assert repeat_of(tmp_path / "experiment.toml") == Path("results", f"{tmp_path.name}-again")
