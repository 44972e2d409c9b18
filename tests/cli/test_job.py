"""What surrounds a sweep: the plan beforehand, progress, messages, and data files that an experiment may read."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from focalbench.bench import memory
from focalbench.cli.messages import printable
from focalbench.display.progress import Report
from focalbench.errors import InputError
from focalbench.execution.pools import Backend
from focalbench.jobs.machine import fitting
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import load
from tests.cli.test_sweep_process import FOCAL, SMALL, files, here, table
from tests.support.harness import run

CSV = "x,c,y\n" + "".join(f"{i % 397},{'ab'[i % 2]},{int(i % 7 == 0)}\n" for i in range(900))
FILE = 'datasets = ["d.csv"]\npositive_rates = ["natural"]\ntarget = "y"\nrows = 400\nepochs = 1\nseeds = 1\n'
FILE += 'lrs = [0.01]\nhidden = [4]\nreferences = false\n[[arms]]\nloss = "bce"\n[[arms]]\nloss = "pos_weight"\n'


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(tmp_path: Path) -> None:
    said = here(f"{SMALL} --dry-run --out o", tmp_path).stdout.splitlines()
    assert said[0] == "plan    8 runs, 0 of them stored; 2 stacks on 1 worker"
    assert [line.split()[:2] for line in said[1:]] == [["time", "about"], ["memory", "about"], ["disk", "about"]]
    assert list(tmp_path.iterdir()) == []
    here(f"{SMALL} --out o", tmp_path)
    before = files(tmp_path / "o")
    found = json.loads(here(f"{SMALL} --seeds 3 --dry-run --json --out o", tmp_path).stdout)
    assert (found["event"], found["runs"], found["stored"], found["stacks"]) == ("estimate", 12, 8, 1)
    assert found["seconds"] > 0
    assert files(tmp_path / "o") == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        "--pos-rate 0.0015 --seeds 1",
        "--pos-rate 0.01 --seeds 6 --rows 20000 --epochs 10 --hidden 16 --no-references --backend serial",
        "--pos-rate 0.02 --seeds 40 --rows 2000 --model logistic --epochs 5 --no-references",
        "--dataset gaussians --pos-rate 0.05 --rows 400000 --loss bce --init own --lr 0.01 --seeds 2 --epochs 4",
    ],
)
def test_a_dry_run_is_near_the_truth(
    tmp_path: Path, options: str, record_property: Callable[[str, object], None]
) -> None:
    command = f"sweep {options} --device cpu --out {tmp_path / 'o'}"
    found = json.loads(run(f"{command} --dry-run --json", tmp_path).out)
    ran = memory.run(command.split())
    disk = sum(path.stat().st_size for path in (tmp_path / "o").rglob("*") if path.is_file())
    record_property("dry run: seconds estimated over taken", round(found["seconds"] / ran.seconds, 2))
    record_property("dry run: disk estimated over taken", round(found["disk_bytes"] / disk, 2))
    assert ran.peak_bytes
    record_property("dry run: memory estimated over most held", round(found["memory_bytes"] / ran.peak_bytes, 2))


def test_json_is_lines_that_a_machine_reads(tmp_path: Path) -> None:
    finished = here(f"{SMALL} --json --out o", tmp_path)
    plan, *events, end = [json.loads(line) for line in finished.stdout.splitlines()]
    assert (plan["event"], plan["runs"], plan["stored"], plan["workers"]) == ("plan", 8, 0, 1)
    assert [event["event"] for event in events] == ["progress", "progress", "seed", "progress", "seed"]
    states, (first, second) = events[:2] + events[3:4], (events[2], events[4])
    assert [event["done"] for event in states] == [0, 4, 8]
    assert all(event["total"] == 8 for event in states)
    assert [event["seconds_left"] is None for event in states] == [True, False, False]
    assert states[-1]["seconds_left"] == 0
    assert [(each["seeds"], each["planned"]) for each in (first, second)] == [(1, 2), (2, 2)]
    own = [row for row in table(tmp_path / "o") if row["kind"] == "arm" and row["init"] == "own"]
    (cell,) = second["cells"]
    assert [(line["arm"], line["value"]) for line in cell["lines"]] == [
        (row["arm"], float(row["average_precision"])) for row in own
    ]
    assert (end["event"], end["runs"], end["trained"], end["failed"]) == ("end", 8, 8, [])
    assert (end["seeds"], end["planned_seeds"], end["stopped"]) == (2, 2, None)
    assert end["seconds"] > states[-1]["seconds"]
    assert [row["arm"] for row in end["table"]] == [row["arm"] for row in table(tmp_path / "o")]
    assert finished.stderr == ""


@pytest.mark.parametrize(("level", "lines"), [("warning", 0), ("info", 3), ("debug", 5)])
def test_as_much_is_said_as_was_asked_for(tmp_path: Path, level: str, lines: int) -> None:
    said = here(f"{SMALL} --log-level {level} --out o", tmp_path)
    text = said.stderr.splitlines()
    assert len(text) == lines, text
    assert sum("runs of seed" in line for line in text) == max(0, lines - 3)
    assert ("Looking at the table on the way did no harm" in said.stdout) == (lines > 0)
    if not lines:
        return
    assert text[0].startswith(
        "plan: (2 losses + 2 other starts) x 1 learning rate x 2 seeds on gaussians at rate 0.02 "
        "(MLP 8, 2 epochs = 6 steps); 1 worker; about "
    )
    own = [row for row in table(tmp_path / "o") if row["kind"] == "arm" and row["init"] == "own"]
    bce, focal = (float(row["average_precision"]) for row in own)
    highest = f"best gamma=2 {focal - bce:+.3f}".replace("0.", ".") if focal > bce else "the best"
    assert text[-1].startswith(f"seed 2 of 2 done: bce {bce:.3f}, ".replace("0.", ".") + highest)


def test_a_report_says_rate_and_time_left() -> None:
    report = Report(4, 10, 0, 8.0, 0.5, 12.0)
    assert (report.pace, report.left()) == ("0.5 runs/s", "12 s left")


def test_what_a_terminal_would_obey_is_spelled_out(tmp_path: Path) -> None:
    assert printable("a\x1b]0;owned\x07b\r\u202ec") == r"a\x1b]0;owned\x07b\r\u202ec"
    (tmp_path / "d.csv").write_text(CSV.replace("x,c,y", "x\x1b[31m,c,y"))
    said = here(
        "sweep --dataset d.csv --target y --rows 400 --epochs 1 --seeds 1 --hidden 4 --lr 0.01 --loss bce "
        "--no-references --workers 1 --out o",
        tmp_path,
    )
    assert "\x1b" not in said.stderr
    assert r"numbers (1): x\x1b[31m" in said.stderr


# ---- data files of an experiment


def test_an_experiment_reads_files_beside_it_wherever_it_is_started(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "e.toml").write_text(FILE)
    (tmp_path / "e" / "d.csv").write_text(CSV)
    here("run e/e.toml --workers 1 --out one", tmp_path)
    here("run e.toml --workers 1 --out two", tmp_path / "e")
    assert files(tmp_path / "one") == files(tmp_path / "e" / "two")
    assert str(tmp_path) not in (tmp_path / "one" / "manifest.json").read_text()  # it travels
    assert str(tmp_path) not in (tmp_path / "one" / "experiment.toml").read_text()


def test_a_file_elsewhere_is_read_where_the_command_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "e.toml").write_text(FILE + "[[check]]\nepochs = 1\n")
    (tmp_path / "d.csv").write_text(CSV)
    assert "no file e/d.csv" in here("run e/e.toml --workers 1 --out o", tmp_path, 2).stderr
    here("run e/e.toml --data d.csv --workers 1 --out o", tmp_path)
    said = here("check o --experiment e/e.toml --data d.csv --workers 1", tmp_path).stdout
    assert "2 of 2 short runs the same, 2 of 2 runs trained again the same" in said


@pytest.mark.parametrize(
    ("free", "workers", "said"), [(10**12, 8, ""), (3 * 10**9, 3, "3 of 8"), (1, 1, "fewer `rows`")]
)
def test_no_more_workers_than_memory_is_free_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, free: int, workers: int, said: str
) -> None:
    monkeypatch.setattr("focalbench.jobs.machine.free_bytes", lambda: free)
    monkeypatch.setattr("focalbench.jobs.machine.worker_bytes", lambda _: 10**9)
    monkeypatch.setattr(logging.getLogger("focalbench"), "propagate", True)
    plan = make_plan(Experiment(positive_rates=(0.02,), rows=1500, seeds=1))
    assert fitting(Backend("loky", 8), plan) == Backend("loky", workers)
    assert said in caplog.text
    remote = Backend("dask", 8, "tcp://host:1")  # whose memory is not ours
    assert fitting(remote, plan) == remote


@pytest.mark.parametrize("name", ["../d.csv", "/etc/passwd", "down/../../d.csv", "link.csv", "linked/d.csv"])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "d.csv").write_text(CSV)
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "link.csv").symlink_to(tmp_path / "d.csv")
    (tmp_path / "e" / "linked").symlink_to(tmp_path)
    (tmp_path / "e" / "e.toml").write_text(FILE.replace("d.csv", name))
    with pytest.raises(InputError, match="may read data in its own folder only"):
        load(tmp_path / "e" / "e.toml")
    assert dict(load(tmp_path / "e" / "e.toml", (Path("d.csv"), Path("link.csv"), Path("passwd")))[0].places)


def test_the_default_store_is_in_the_folder_and_another_may_be_named(tmp_path: Path) -> None:
    here(f"{FOCAL} --seeds 1 --no-references --workers 1 --store mine.sqlite --out o", tmp_path)
    assert (tmp_path / "mine.sqlite").is_file()
    assert not (tmp_path / "o" / "runs.sqlite").exists()
    again = here(f"{FOCAL} --seeds 1 --no-references --workers 1 --store mine.sqlite --out o2", tmp_path)
    assert "0 runs trained, 4 taken from the store" in again.stdout
    here(f"{FOCAL} --seeds 1 --no-references --workers 1 --store mine.sqlite --out o", tmp_path)


# ---- somebody who does not listen


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such file here")
def test_a_full_disk_under_what_is_said_stops_no_work(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "focalbench", *SMALL.split(), "--out", "o"]
    with Path("/dev/full").open("w") as full:
        deaf = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=full, text=True)
        assert deaf.returncode == 0
        assert "8 runs trained" in deaf.stdout
        again = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert again.returncode == 3
    assert again.stderr.splitlines()[-1].startswith("focalbench: [Errno 28] No space left on device")
    assert "Traceback" not in again.stderr
