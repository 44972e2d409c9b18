"""A sweep that is stopped is a smaller sweep: Ctrl-C and a budget leave the table of the seeds that are whole."""

import json
import os
import re
import signal
import time
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from focalbench.cli.ending import HARMLESS, Ended
from focalbench.jobs.sweep import SweepResult, run_experiment
from focalbench.jobs.trainer import Done, Ending, Execution, State, Stopped
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import Plan, make_plan
from focalbench.plan.toml import to_toml
from focalbench.runs.arm import Arm
from tests.cli.test_sweep_process import FOCAL, REPEATED, files, here
from tests.support.harness import Ended as EndedProcess
from tests.support.harness import ended, start

pytestmark = pytest.mark.processes

ONE = FOCAL + " --no-references --init own --workers 1"  # two runs a seed
LONG = f"{ONE} --epochs 8 --seeds 24"
ARMS = (Arm("bce"), Arm("pos_weight"))
SMALL = Experiment(
    positive_rates=(0.02, 0.04), rows=1500, epochs=1, hidden=(8,), lrs=(0.01,), seeds=3, references=False, arms=ARMS
)


def interrupted(command: str, folder: Path, at: str) -> EndedProcess:
    """Press Ctrl-C when a line is said that matches."""
    process = start(command, folder)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if re.search(at, line):
            break
    os.killpg(process.pid, signal.SIGINT)
    end = ended(process)
    return replace(end, err="".join(said) + end.err)


def test_ctrl_c_leaves_a_complete_folder_of_the_whole_seeds_and_the_same_command_goes_on(tmp_path: Path) -> None:
    stopped = interrupted(f"{LONG} --out o", tmp_path, r"^seed ([2-9]|\d\d) of 24 done: bce \.\d\d\d")
    assert stopped.code == 130, stopped.err
    seeds = tomllib.loads((tmp_path / "o" / "experiment.toml").read_text())["seeds"]
    last = stopped.err.splitlines()[-1]
    found = re.match(
        rf"stopped: {seeds} of 24 seeds are in the table, (\d+) of 48 runs are safe; the same command", last
    )
    assert found, stopped.err
    assert f"goes on with the other {24 - seeds} in about " in last
    assert f", {seeds} seeds, chance" in stopped.out
    assert "Stopping because of what the table shows makes its intervals too optimistic; the planned 24" in stopped.out
    assert 2 <= seeds <= int(found[1]) / 2 < 24
    here(f"{LONG} --seeds {seeds} --out few", tmp_path)
    assert files(tmp_path / "o") == files(tmp_path / "few")  # as if no more had been asked for
    assert "files as they were made" in here("check o --workers 1", tmp_path).stdout
    resumed = here(f"{LONG} --out o", tmp_path).stdout
    assert f"{48 - int(found[1])} runs trained, {found[1]} taken from the store" in resumed
    assert "did no harm" not in resumed  # an earlier look may be why there are more
    here(f"{LONG} --out whole", tmp_path)
    assert files(tmp_path / "o") == files(tmp_path / "whole")


def test_ctrl_c_before_the_first_whole_seed_writes_no_table(tmp_path: Path) -> None:
    stopped = interrupted(f"{ONE} --epochs 9999 --seeds 2 --out o", tmp_path, "^plan: ")
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] in (
        "stopped: 0 of 4 runs are safe; the same command goes on from there",
        "stopped: nothing was begun",
    )
    assert stopped.out == ""
    assert not {*REPEATED}.intersection(path.name for path in tmp_path.glob("o/*"))


# ---- in this process


class Pressed:
    """Ctrl-C once so many seeds are whole, of all data sets together."""

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds

    def __call__(self, state: State) -> None:
        if state.seeds.count >= self.seeds:
            raise KeyboardInterrupt


def swept(experiment: Experiment, folder: Path, pressed: int = 99) -> SweepResult:
    return run_experiment(experiment, make_plan(experiment), folder, Execution(watch=Pressed(pressed)))


@pytest.mark.parametrize(
    ("datasets", "pressed", "kept", "seeds", "left_out"),
    [
        (("mixture",), 2, ("mixture",), 2, ()),
        (("gaussians", "xor"), 2, ("gaussians",), 2, ("xor",)),  # not begun
        (("gaussians", "xor"), 4, ("gaussians",), 3, ("xor",)),  # 3 of one rather than 1 of two
        (("gaussians", "xor"), 5, ("gaussians", "xor"), 2, ()),
    ],
)
def test_what_was_stopped_is_the_sweep_of_its_whole_seeds(
    datasets: tuple[str, ...],
    pressed: int,
    kept: tuple[str, ...],
    seeds: int,
    left_out: tuple[str, ...],
    tmp_path: Path,
) -> None:
    experiment = replace(SMALL, datasets=datasets)
    stopped = swept(experiment, tmp_path / "o", pressed)
    ending = stopped.done.ending
    assert (ending.stopped, ending.seeds, ending.planned, ending.left_out) == ("by hand", seeds, 3, left_out)
    assert ending.runs[0] < ending.runs[1] == len(make_plan(experiment).runs)
    shorter = replace(experiment, datasets=kept, seeds=seeds)
    assert swept(shorter, tmp_path / "short").table == stopped.table
    assert files(tmp_path / "o") == files(tmp_path / "short")
    whole = swept(experiment, tmp_path / "o").done
    assert (whole.ending.stopped, whole.old_runs, whole.new_runs) == (
        None,
        ending.runs[0],
        ending.runs[1] - ending.runs[0],
    )
    again = swept(experiment, tmp_path / "whole")
    assert again.table == swept(experiment, tmp_path / "o").table
    assert files(tmp_path / "o") == files(tmp_path / "whole")


def test_without_a_whole_seed_the_interruption_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(SMALL, tmp_path / "o", 0)
    assert not (tmp_path / "o" / "runs.csv").exists()


def test_ctrl_c_when_all_is_done_is_no_stop(tmp_path: Path) -> None:
    assert swept(SMALL, tmp_path / "o", 3).done.ending.stopped is None


def test_a_budget_stops_at_a_whole_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focalbench.jobs.forecast.slowness", lambda *_: 0.01)  # a busy machine would refuse
    monkeypatch.setattr("focalbench.jobs.budget.Budget.is_spent", lambda self: self._seen[-1][1] >= 4)
    said = here(f"{ONE} --seeds 6 --budget 9s --out o", tmp_path)
    sentence = next(line for line in said.stdout.splitlines() if line.startswith("Stopped after"))
    assert re.fullmatch(
        r"Stopped after 4 of 6 seeds to stay within 9 s; the same command goes on with the other 2 in about \d+ s, "
        r"which leaves at best 66% of the intervals' width\.",  # t quantiles 3.182 and 2.571, over roots of 4 and 6
        sentence,
    )
    assert HARMLESS in said.stdout
    here(f"{ONE} --seeds 4 --out p", tmp_path)
    assert files(tmp_path / "o") == files(tmp_path / "p")
    end = json.loads(here(f"{ONE} --seeds 6 --budget 9s --json --out p", tmp_path).stdout.splitlines()[-1])
    assert (end["stopped"], end["seeds"], end["planned_seeds"]) == ("by budget", 4, 6)


def test_an_experiment_file_that_was_stopped_makes_a_folder_that_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("focalbench.jobs.forecast.slowness", lambda *_: 0.01)
    monkeypatch.setattr("focalbench.jobs.budget.Budget.is_spent", lambda self: self._seen[-1][1] >= 2)
    text = to_toml(replace(SMALL, positive_rates=(0.02,))) + "\n[[check]]\nseeds = 1\n"
    (tmp_path / "e.toml").write_text(text)
    here("run e.toml --budget 9s --workers 1 --out o", tmp_path)
    assert tomllib.loads((tmp_path / "o" / "experiment.toml").read_text())["seeds"] == 2
    assert not (tmp_path / "o" / "figures").exists()
    assert "files as they were made" in here("check o --workers 1", tmp_path).stdout


@pytest.mark.slow
def test_a_budget_is_kept(tmp_path: Path) -> None:
    begin = time.monotonic()
    end = ended(start(f"{LONG} --epochs 200 --seeds 500 --budget 40s --json --out o", tmp_path))
    assert end.code == 0, end.err
    assert time.monotonic() - begin < 45
    found = json.loads(end.out.splitlines()[-1])
    assert found["stopped"] == "by budget"
    assert 1 <= found["seeds"] < 500
    assert found["seconds"] < 40


def test_a_budget_that_all_fits_into_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focalbench.jobs.forecast.slowness", lambda *_: 0.01)
    here(f"{ONE} --seeds 2 --budget 10m --out o", tmp_path)
    here(f"{ONE} --seeds 2 --out p", tmp_path)
    assert files(tmp_path / "o") == files(tmp_path / "p")


def test_a_budget_below_one_seed_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("focalbench.jobs.forecast.slowness", lambda *_: 10.0)
    said = here(f"{ONE} --seeds 2 --budget 3s --out o", tmp_path, 2).stderr
    assert re.search(r"--budget 3s: one seed takes about \d+ s here; allow more, or train less\n", said)
    assert list(tmp_path.iterdir()) == []


def test_a_budget_that_proves_below_one_seed_says_what_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focalbench.jobs.forecast.slowness", lambda *_: 0.01)
    answers = iter([False, True, True])
    monkeypatch.setattr("focalbench.jobs.budget.Budget.is_spent", lambda _: next(answers))
    said = here(f"{ONE} --pos-rate 0.04 --seeds 2 --budget 3s --out o", tmp_path, 2).stderr
    assert re.search(
        r"^focalbench: 3 s were over before one seed was done, which takes about [\d.]+ s here; 2 of 8 runs are safe; "
        r"the same command goes on from there$",
        said,
        re.MULTILINE,
    )
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"manifest.json", "runs.sqlite"}


@pytest.mark.parametrize("text", ["0", "-3s", "soon", "nan", "inf", "", "2 weeks", "1:30"])
@pytest.mark.parametrize("command", ["sweep", "run e.toml"])
def test_a_budget_is_a_time_above_0(text: str, command: str, tmp_path: Path) -> None:
    from tests.support.attempts import typed

    (tmp_path / "e.toml").write_text('datasets = ["mixture"]\n')
    said = typed([*command.split(), "--budget", text, "--out", "o"], tmp_path)
    assert said.code == 2
    assert said.stderr == f"focalbench: --budget takes a time above 0, such as 90s, 2m or 1.5h, got {text!r}\n"
    assert not (tmp_path / "o").exists()


# ---- what is said at the end


def ended_with(
    stopped: Stopped | None, looked: bool = True, old_runs: int = 0, seeds: int = 5, left_out: Sequence[str] = ()
) -> Ended:
    ending = Ending(seeds, 10, stopped, tuple(left_out), (31, 60), 50.0)
    return Ended(
        Done(Plan((), (), ()), 31, old_runs, (), frozenset(), ending),
        92.0,
        90.0 if stopped == "by budget" else None,
        looked,
    )


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (ended_with(None), HARMLESS),
        (ended_with("by budget"), HARMLESS),
        (ended_with("by budget", old_runs=4), ""),
        (ended_with(None, old_runs=4), ""),
        (ended_with("by hand"), "Stopping because of what the table shows"),
        (ended_with("by hand", old_runs=4), "Stopping because of what the table shows"),
        (ended_with("by hand", looked=False), ""),
        (ended_with(None, looked=False), ""),
    ],
)
def test_peeking_is_called_harmless_only_where_it_was(end: Ended, said: str) -> None:
    assert end.peeking().startswith(said)
    assert bool(end.peeking()) == bool(said)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (ended_with(None), ""),
        (
            ended_with("by hand"),  # t quantiles 2.776 and 2.262, over roots of 5 and 10
            "stopped: 5 of 10 seeds are in the table, 31 of 60 runs are safe; the same command goes on with the other "
            "5 in about 50 s, which leaves at best 58% of the intervals' width",
        ),
        (
            ended_with("by budget", seeds=2),
            "stopped after 2 of 10 seeds to stay within 1 min 30 s; the same command goes on with the other 8 in about "
            "50 s",
        ),
        (
            ended_with("by hand", seeds=10, left_out=["xor"]),
            "stopped: 10 of 10 seeds are in the table, 31 of 60 runs are safe; xor left out, with fewer seeds so far; "
            "the same command goes on with the rest in about 50 s",
        ),
    ],
)
def test_a_stop_says_what_more_seeds_would_bring(end: Ended, said: str) -> None:
    assert end.stopped() == said
