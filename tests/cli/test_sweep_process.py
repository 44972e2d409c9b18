"""Small sweeps as a person runs them: a process, a folder of files, the same numbers every time."""

import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from focalbench.analysis.rows import ArmRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.rows import columns
from focalbench.report.curves import CurvePoint
from tests.support.attempts import Said, typed
from tests.support.own import forget_modules

pytestmark = pytest.mark.processes

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1"}
DATA = "sweep --dataset gaussians --pos-rate 0.02 --rows 1500 --epochs 2 --hidden 8 --lr 0.01 --device cpu"
FOCAL = DATA + " --loss focal --gamma 2"
SMALL = FOCAL + " --seeds 2 --no-references --workers 1"
RESULTS = {
    "runs.csv",
    "table.csv",
    "table.md",
    "table.tex",
    "curves.csv",
    "timings.csv",
    "experiment.toml",
    "manifest.json",
}
REPEATED = ("runs.csv", "table.csv", "table.md", "table.tex", "curves.csv", "experiment.toml")

Finished = subprocess.CompletedProcess[str]
Rows = dict[str, dict[str, str]]


def focalbench(command: str, folder: Path, expected: int = 0) -> Finished:
    arguments = [sys.executable, "-m", "focalbench", *command.split()]
    finished = subprocess.run(arguments, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert finished.returncode == expected, finished.stderr
    return finished


def here(command: str, folder: Path, expected: int = 0) -> Said:
    """The same in this process, which has loaded what takes seconds."""
    said = typed(command.split(), folder)
    assert said.code == expected, said.stderr
    return said


def rows(folder: Path) -> Rows:
    return {row["run_id"]: row for row in csv.DictReader(io.StringIO((folder / "runs.csv").read_text()))}


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "table.csv").read_text())))


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in REPEATED}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `a` holds a finished small sweep; every test writes beside it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "said").write_text(focalbench(SMALL + " --out a", folder).stdout)
    return folder


def test_every_file_is_there_with_its_columns(home: Path) -> None:
    assert {path.name for path in (home / "a").iterdir()} == RESULTS | {"runs.sqlite"}
    expected = {"runs.csv": columns(RunRow), "table.csv": columns(ArmRow), "curves.csv": columns(CurvePoint)}
    for name, wanted in (expected | {"timings.csv": ("run_id", "seconds")}).items():
        with (home / "a" / name).open() as file:
            assert tuple(next(csv.reader(file))) == wanted
            assert next(csv.reader(file), None) is not None


def test_the_sweep_says_what_it_did(home: Path) -> None:
    said = (home / "said").read_text()
    assert "8 runs trained, 0 taken from the store" in said
    assert "gaussians at rate 0.02, 2 seeds" in said
    assert "No verdict: 2 seeds support not even intervals; a verdict takes at least 6." in said


def test_runs_hold_the_exact_rate_in_every_split(home: Path) -> None:
    for row in rows(home / "a").values():
        for split in ("train", "val"):
            assert int(row[f"{split}_positives"]) == round(0.02 * int(row[f"{split}_rows"]))
        assert (row["test_positives"], row["test_prevalence"]) == ("2000", "0.02")  # weighted to the rate
        assert row["status"] == "ok"
        assert 0 < float(row["test_average_precision"]) <= 1


def test_the_same_command_again_trains_nothing_and_writes_the_same(home: Path) -> None:
    before = files(home / "a")
    said = here(SMALL + " --out a", home).stdout
    assert "0 runs trained, 8 taken from the store" in said
    assert files(home / "a") == before


def test_more_seeds_and_arms_only_add_runs(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "a" / "runs.sqlite", tmp_path)  # so that `a` stays as it is
    command = SMALL.replace("--seeds 2", "--seeds 3") + f" --gamma 1 --out {tmp_path}"
    said = here(command, home).stdout
    before, after = rows(home / "a"), rows(tmp_path)
    assert len(after) == 3 * 5  # arms
    assert "7 runs trained, 8 taken from the store" in said
    assert before == {run_id: after[run_id] for run_id in before}


def test_rivals_and_one_own_loss_stand_in_the_same_table_whatever_the_workers(tmp_path: Path) -> None:
    torch_bce = "from torch.nn.functional import binary_cross_entropy_with_logits as loss"
    (tmp_path / "mine.py").write_text(
        f"{torch_bce}\ndef columns(x, y):\n    assert x.ndim == 2\n    return loss(x[:, 0], y)"
    )
    command = DATA + " --seeds 2 --no-references --loss ohem:ratio=1 --loss dice --loss mine:loss --loss mine:columns"
    here(command + " --workers 1 --out one", tmp_path)
    here(command + " --workers 2 --out two", tmp_path)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    by_arm = {row["arm"]: row for row in table(tmp_path / "one")}
    assert list(by_arm)[:5] == ["bce", "ohem ratio=1", "dice", "mine:columns", "mine:loss"]
    assert float(by_arm["mine:loss"]["delta"]) == pytest.approx(0, abs=5e-3)  # rounds otherwise than ours
    assert by_arm["mine:columns"]["average_precision"] == by_arm["mine:loss"]["average_precision"]
    assert by_arm["mine:loss"]["recovered_log_loss"] == by_arm["dice"]["recovered_log_loss"] == ""
    one = next(row for row in rows(tmp_path / "one").values() if row["arm"] == "mine:loss")
    assert len(json.loads(one["params"])["source"]) == 64
    changed = (tmp_path / "mine.py").read_text() + "\n# another source is another loss\n"
    (tmp_path / "mine.py").write_text(changed)
    forget_modules()
    assert "4 runs trained, 8 taken from the store" in here(command + " --workers 1 --out one", tmp_path).stdout
    said = here("run one/experiment.toml --out three", tmp_path, 2).stderr
    assert "your own loss is named on the command line only, as --loss mine:columns" in said


def test_a_file_can_be_split_by_group_or_time_and_its_test_weighted(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows_of_file = []
    for i in range(4000):
        x = rng.gauss(0, 1)
        rows_of_file.append(f"{x},{i % 40},2020-01-{1 + i % 28:02d},{1 + i % 3},{int(x + rng.gauss(0, 1) > 1.7)}")
    (tmp_path / "d.csv").write_text("x,patient,day,w,y\n" + "\n".join(rows_of_file) + "\n")
    common = "sweep --dataset d.csv --target y --rows 2000 --epochs 1 --hidden 4 --lr 0.01 --seeds 1 --device cpu"
    common += " --loss pos_weight --workers 1 --no-references --init own"
    by_group = here(common + " --group patient --drop day --weight w --out group", tmp_path)
    assert "d.csv: 40 groups, none in two splits" in by_group.stderr
    assert "d.csv: numbers (1): x" in by_group.stderr
    assert "test rows weighted" in by_group.stdout
    by_time = here(common + " --time day --drop w --sampler stratified --out time", tmp_path)
    assert "split by time, the same for every seed" in by_time.stderr
    assert "test rows weighted" not in by_time.stdout
    assert {row["sampler"] for row in rows(tmp_path / "time").values()} == {"stratified"}
    weighted = here(common + " --pos-rate 0.04 --test-prevalence weight --drop w --drop day --out w", tmp_path)
    assert "chance 0.0400, test rows weighted" in weighted.stdout
    (row, *_) = rows(tmp_path / "w").values()
    assert float(row["test_prevalence"]) == pytest.approx(0.04)
    assert int(row["test_positives"]) / int(row["test_rows"]) > 0.08


def test_neither_workers_nor_company_nor_order_change_a_number(home: Path, tmp_path: Path) -> None:
    focalbench(SMALL.replace("--workers 1", "--workers 2") + f" --out {tmp_path}/two", home)
    assert files(tmp_path / "two") == files(home / "a")
    head, *arms = (home / "a" / "experiment.toml").read_text().split("\n[[arms]]\n")
    random.Random(1).shuffle(arms)
    arms.insert(1, 'loss = "focal"\ngamma = 5.0\nalpha = 0.3\n')
    (tmp_path / "shuffled.toml").write_text("\n[[arms]]\n".join([head, *arms]))
    here(f"run shuffled.toml --out {tmp_path}/shuffled --workers 1", tmp_path)
    before, after = rows(home / "a"), rows(tmp_path / "shuffled")
    assert len(after) == len(before) + 2
    assert before == {run_id: after[run_id] for run_id in before}


def test_the_written_experiment_runs_to_the_same_files(home: Path, tmp_path: Path) -> None:
    here(f"run a/experiment.toml --out {tmp_path}/b --workers 1", home)
    assert files(tmp_path / "b") == files(home / "a")
    assert (tmp_path / "b" / "manifest.json").exists()


def test_run_seals_what_check_finds_intact_and_check_names_what_was_changed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    text = (home / "a" / "experiment.toml").read_text() + "\n[[check]]\nepochs = 1\nseeds = 1\n"
    (tmp_path / "experiments" / "e.toml").write_text(text)
    here("run experiments/e.toml --workers 1", tmp_path)
    assert {path.name for path in (tmp_path / "results" / "e").iterdir()} >= {"check.csv", "manifest.json", "figures"}
    assert "4 of 4 short runs the same, 4 of 4" in here("check results/e --workers 1", tmp_path).stdout
    table = tmp_path / "results" / "e" / "table.csv"
    table.write_text(table.read_text().replace("gaussians", "gaussian", 1))
    changed = here("check results/e --workers 1", tmp_path, expected=1)
    assert "stale: results/e/table.csv was changed after it was made" in changed.stdout


@pytest.mark.parametrize(
    ("style", "starts"),
    [
        ("csv", "dataset,"),
        ("markdown", "**gauss"),
        ("latex", "\\begin{table}"),
        ("rich", "gauss"),
        ("summary", "| arm | gauss"),
        ("overview", "| data | ceiling"),
    ],
)
def test_the_table_is_printed_in_every_format(home: Path, style: str, starts: str) -> None:
    text = here(f"table a --format {style}", home).stdout
    assert text.startswith(starts)
    assert ("gamma=2" if style != "overview" else "gaussians at rate 0.02, 2 seeds") in text
    if style == "csv":
        assert text == (home / "a" / "table.csv").read_text()
        assert next(csv.DictReader(io.StringIO(text)))["arm"] == "bce"
    elif style in ("markdown", "latex"):
        assert text == (home / "a" / f"table.{'md' if style == 'markdown' else 'tex'}").read_text()


@pytest.mark.parametrize("command", ["plot a --out {}", "plot --formulas --out {}"])
def test_plot_writes_pictures_that_open(home: Path, tmp_path: Path, command: str) -> None:
    said = here(command.format(tmp_path), home).stdout
    written = sorted(map(Path, said.split()))
    assert {*written, tmp_path / "manifest.json"} == set(tmp_path.iterdir())
    assert {path.suffix for path in written} == {".png", ".svg"}
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
                assert min(image.size) > 100
        else:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_a_csv_file_of_mixed_columns_with_its_references(tmp_path: Path) -> None:
    rng = random.Random(0)
    lines = ["age,city,income,bought"]
    for i in range(1200):
        bought = i % 12 == 0
        age = "" if i % 50 == 7 else f"{rng.gauss(40 + 20 * bought, 10):.3f}"
        city = "" if i % 40 == 3 else rng.choice(["Rome", "Oslo", "Lima"])
        lines.append(f"{age},{city},{rng.random():.6f},{'yes' if bought else 'no'}")
    (tmp_path / "shop.csv").write_text("\n".join([*lines, *lines[1:4]]) + "\n")
    command = "sweep --dataset shop.csv --target bought --positive yes --epochs 2 --hidden 8 --loss focal --gamma 2"
    finished = here(command + " --seeds 1 --lr 0.01 --workers 1 --out o", tmp_path)
    assert "3 rows of 1,203 have the features of an earlier one; 3 of them" in " ".join(finished.stderr.split())
    assert "shop.csv at natural rate, 1 seed, chance 0.08" in " ".join(finished.stdout.split())
    results = list(rows(tmp_path / "o").values())
    assert len(results) == 4 + 4
    assert {row["family"] for row in results} == {"bce", "focal", "reference"}
    assert all(int(row["train_positives"]) >= 20 and row["dataset"] == "shop.csv" for row in results)


def write_kinds(folder: Path) -> None:
    """A file of four kinds of rows, the rarest of which are eels, and two labels."""
    rng, lines = random.Random(1), ["x,z,kind,wet,old"]
    for i in range(2000):
        kind = "eel" if i % 16 == 0 else ("cat", "dog", "fox")[i % 3]
        x, z = (rng.gauss(2 * (len(kind) > 2) * "cdfe".index(kind[0]), 1) for _ in "xz")
        lines.append(f"{x:.4f},{z:.4f},{kind},{int(kind == 'eel')},{int(rng.random() < 0.3)}")
    (folder / "kinds.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_a_file_of_several_classes_is_swept_plotted_checked_and_printed(tmp_path: Path) -> None:
    write_kinds(tmp_path)
    file = "\n".join(
        [
            'task = "multiclass"\ndatasets = ["kinds.csv"]\npositive_rates = ["natural"]',
            'target = "kind"\ndrop = ["wet"]',
            "rows = 2000\nepochs = 2\nhidden = [8]\nlrs = [0.01]\nseeds = 6\nreferences = false",
            'arms = [{ loss = "ce" }, { loss = "softmax_focal", gamma = 2.0 }, { loss = "bce" }]',
            "[[check]]\nepochs = 1\nseeds = 1\n",
        ]
    )
    (tmp_path / "kinds.toml").write_text(file)
    finished = here("run kinds.toml --workers 1 --out results/kinds", tmp_path)
    said = " ".join(finished.stdout.split())
    assert "6 seeds, mean over 4 classes, chance 0.0625 to 0.3125 by class" in said
    assert "AUCPR by measured class, the rarest last" in said
    assert "Of eel, the rarest measured, alone: CE" in said
    folder = tmp_path / "results" / "kinds"
    classes = list(csv.DictReader(io.StringIO((folder / "classes.csv").read_text())))
    assert len(classes) == 3 * 4
    assert classes[3]["class"] == "eel"
    assert float(classes[3]["train_positives"]) == 75
    for row, part in zip(table(folder), (classes[:4], classes[4:8], classes[8:]), strict=True):
        mean = sum(float(each["average_precision"]) for each in part) / 4
        assert abs(float(row["average_precision"]) - mean) < 1e-12
    shown = here("table results/kinds --format markdown", tmp_path).stdout
    assert shown == (folder / "table.md").read_text()
    written = [Path(line).name for line in here("plot results/kinds", tmp_path).stdout.split()]
    assert "classes_kinds.csv_natural.png" in written
    here("run kinds.toml --workers 1 --out results/kinds", tmp_path)
    check = "check results/kinds --experiment kinds.toml --workers 1"
    assert "short runs the same" in here(check, tmp_path).stdout
    path = folder / "classes.csv"
    path.write_text(path.read_text().replace("eel", "elk"))
    assert "classes.csv was changed" in here(check, tmp_path, 1).stdout


def test_several_labels_of_a_file_are_swept(tmp_path: Path) -> None:
    write_kinds(tmp_path)
    command = "sweep --dataset kinds.csv --task multilabel --label wet --label old --drop kind --quick --rows 2000"
    finished = here(command + " --epochs 2 --hidden 8 --lr 0.01 --workers 1 --out o", tmp_path)
    assert "mean over 2 labels" in " ".join(finished.stdout.split())
    results = list(rows(tmp_path / "o").values())
    assert {row["family"] for row in results} == {"bce", "pos_weight", "focal", "reference"}
    assert all([each["name"] for each in json.loads(row["classes"])] == ["old", "wet"] for row in results)


def test_quick_says_that_it_supports_no_claim(tmp_path: Path) -> None:
    command = DATA + " --quick --seeds 6 --epochs 1 --no-references --workers 1 --out o"
    said = " ".join(here(command, tmp_path).stdout.split())
    assert "A smoke test: it shows that everything runs, and supports no claim about the losses." in said
    assert "supports no claim" in (tmp_path / "o" / "table.md").read_text()
    assert {row["verdict"] for row in table(tmp_path / "o")} == {"smoke test"}


def test_quick_takes_the_rows_that_a_naturally_rare_file_needs(tmp_path: Path) -> None:
    lines = (f"{i},{i % 89},{int(i % 500 == 0)}" for i in range(60_000))
    (tmp_path / "rare.csv").write_text("\n".join(["a,b,y", *lines, ""]))
    command = "sweep --dataset rare.csv --target y --quick --seeds 1 --epochs 1 --hidden 4"
    here(command + " --no-references --device cpu --workers 1 --out o", tmp_path)
    assert {row["train_rows"] for row in rows(tmp_path / "o").values()} == {"10000"}


@pytest.mark.parametrize(
    ("workers", "sign"),
    [
        (1, signal.SIGINT),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [(1, signal.SIGKILL), (2, signal.SIGINT)]),
    ],
)
def test_a_stopped_sweep_goes_on_to_the_same_files(workers: int, sign: signal.Signals, tmp_path: Path) -> None:
    long = FOCAL.replace("--epochs 2", "--epochs 12") + f" --seeds 8 --no-references --workers {workers}"
    arguments = [sys.executable, "-m", "focalbench", *long.split(), "--out", "stopped"]
    pipe = subprocess.PIPE
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # the background of a script ignores it
    with subprocess.Popen(
        arguments, cwd=tmp_path, env=ENVIRONMENT, stderr=pipe, stdout=pipe, text=True, preexec_fn=hearing
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("seed "):
                break  # the first one is safe
        process.send_signal(sign)
        _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if sign == signal.SIGINT else -sign), said
    assert "the same command goes on" in said or sign == signal.SIGKILL
    assert "Traceback" not in said
    assert (tmp_path / "stopped" / "table.csv").exists() == (sign == signal.SIGINT)
    resumed = focalbench(long + " --out stopped", tmp_path).stdout
    trained = int(resumed.split(" runs trained, ")[0].split()[-1])
    assert 0 < trained < 32
    here(long + " --out whole", tmp_path)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
