"""Kill -9, Ctrl-C, workers that die: the same command goes on from there, to the same files."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.attempts import typed
from tests.support.harness import (
    ENVIRONMENT,
    NUMBERS,
    RUNS,
    SWEEP,
    ended,
    files,
    kill,
    killed_again_and_again,
    run,
    safe,
    start,
    wait_for_nobody,
    workers,
)
from tests.support.own import forget_modules

pytestmark = pytest.mark.processes

Record = Callable[[str, object], None]
BACKENDS = {"serial": "--workers 1", "loky": "--backend loky --workers 2", "dask": "--backend dask --workers 2"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A folder with the files of a sweep that nothing happened to, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("faults")
    begin = time.monotonic()
    assert run(f"{SWEEP} --workers 1 --out whole", folder).code == 0
    return folder, time.monotonic() - begin


def survive(whole: tuple[Path, float], backend: str, kills: int, record: Record) -> None:
    folder, seconds = whole
    command = f"{SWEEP} {BACKENDS[backend]}"
    survived, wrong = killed_again_and_again(command, _own(folder, backend), kills, seconds, random.Random(backend))
    record("kill -9 survived", survived)
    record("kill -9: runs lost or trained twice", wrong)
    assert wrong == 0


def _own(folder: Path, name: str) -> Path:
    """A folder for one test, with the uninterrupted files in it."""
    own = folder / name
    own.mkdir(exist_ok=True)
    if not (own / "whole").exists():
        (own / "whole").symlink_to(folder / "whole")
    return own


@pytest.mark.parametrize("backend", ["serial", "loky"])
def test_a_killed_sweep_goes_on(whole: tuple[Path, float], backend: str, record_property: Record) -> None:
    survive(whole, backend, 2, record_property)


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "kills"), [("serial", 40), ("loky", 40), ("dask", 20)])
def test_a_sweep_killed_many_times_goes_on(
    whole: tuple[Path, float], backend: str, kills: int, record_property: Record
) -> None:
    survive(whole, backend, kills, record_property)


def stop(command: str, folder: Path, until: Callable[[], object]) -> tuple[float, str]:
    """Press Ctrl-C, which all processes of a terminal hear, and return the seconds until the end, and what was said.

    until: returns when it is time.
    """
    process = start(command, folder)
    until()
    begin = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    finished = ended(process)
    seconds = time.monotonic() - begin
    # 0: it had just ended; -2, which a shell calls 130, too: Python itself was still beginning, and says nothing
    assert finished.code in (130, 0, -signal.SIGINT), finished.err
    lines = finished.err.strip().splitlines()
    assert finished.code == 0 or not lines or lines[-1].startswith("stopped: "), finished.err
    wait_for_nobody(process)
    return seconds, finished.err


def test_ctrl_c_says_how_many_runs_are_safe(whole: tuple[Path, float]) -> None:
    folder = _own(whole[0], "ctrl-c")

    def seeds_are_safe() -> None:
        while len(safe(folder / "stopped" / "runs.sqlite")) < RUNS // 4:
            time.sleep(0.1)

    _, said = stop(f"{SWEEP} --workers 1 --out stopped", folder, seeds_are_safe)
    count = len(safe(folder / "stopped" / "runs.sqlite"))
    seeds = tomllib.loads((folder / "stopped" / "experiment.toml").read_text())["seeds"]
    assert f"stopped: {seeds} of 20 seeds are in the table, {count} of {RUNS} runs are safe; the same command" in said
    assert run(f"{SWEEP} --workers 2 --out stopped", folder).trained == RUNS - count
    assert files(folder / "stopped", NUMBERS) == files(folder / "whole", NUMBERS)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_c_is_heeded_within_two_seconds(whole: tuple[Path, float], backend: str, record_property: Record) -> None:
    folder, seconds = _own(whole[0], f"ctrl-c-{backend}"), whole[1]
    moments = [0.3 + i * 1.2 * seconds / 15 for i in range(15)]
    long = SWEEP.replace("--epochs 6", "--epochs 60")
    taken = [
        stop(f"{long} {BACKENDS[backend]} --out s{i}", folder, partial(time.sleep, moment))[0]
        for i, moment in enumerate(moments)
    ]
    record_property("Ctrl-C pressed", len(taken))
    record_property(f"Ctrl-C, most seconds to the end, {backend}", round(max(taken), 2))


def lose_workers(whole: tuple[Path, float], backend: str, sweeps: int, record: Record) -> None:
    """Kill a worker twice in every sweep: the third death of one stack would be its end."""
    folder, rng, killed = _own(whole[0], f"workers-{backend}"), random.Random(backend), 0
    for i in range(sweeps):
        process = start(f"{SWEEP} {BACKENDS[backend]} --out o{i}", folder)
        for _ in range(2):
            time.sleep(rng.uniform(0.5, 0.6 * whole[1]))
            if alive := workers(process):
                os.kill(rng.choice(alive), signal.SIGKILL)
                killed += 1
        finished = ended(process)
        assert finished.code == 0, finished.err
        assert finished.trained == RUNS
        assert files(folder / f"o{i}") == files(folder / "whole")
    assert killed > 0
    record("workers killed, their stacks trained elsewhere", killed)


def test_a_killed_worker_is_replaced(whole: tuple[Path, float], record_property: Record) -> None:
    lose_workers(whole, "loky", 1, record_property)


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "sweeps"), [("loky", 15), ("dask", 15)])
def test_killed_workers_are_replaced(
    whole: tuple[Path, float], backend: str, sweeps: int, record_property: Record
) -> None:
    lose_workers(whole, backend, sweeps, record_property)


POISON = """
import os, signal
from pathlib import Path
from torch.nn.functional import binary_cross_entropy_with_logits as bce

def loss(x, y):
    if len(y) == 512 and Path("armed").exists():  # a batch of training, not the trial before it
        os.kill(os.getpid(), signal.SIGKILL)
    return bce(x, y)
"""


@pytest.mark.parametrize("backend", ["loky", pytest.param("dask", marks=pytest.mark.slow)])
def test_a_stack_that_kills_its_worker_each_time_has_failed(
    tmp_path: Path, backend: str, record_property: Record
) -> None:
    (tmp_path / "mine.py").write_text(POISON)
    (tmp_path / "armed").touch()
    command = SWEEP.replace("--seeds 20", "--seeds 1").replace("--loss focal --gamma 2", "--loss mine:loss")
    command += f" {BACKENDS[backend]} --out o --log-level warning"
    finished = run(command, tmp_path)
    assert finished.code == 3
    assert "2 runs failed (mine:loss; seeds 0): each time their worker died" in finished.err
    assert finished.err.count("a worker died") == 5  # with the two of mine, then with each of them, twice
    lines = (tmp_path / "o" / "runs.csv").read_text().splitlines()
    assert sum(",failed," in line for line in lines) == 2
    assert sum(",ok," in line for line in lines) == 2
    (tmp_path / "armed").unlink()
    forget_modules()
    again = typed(command.split(), tmp_path)
    assert (again.code, "2 runs trained, 2 taken from the store" in again.stdout) == (0, True)
    alone = command.replace(BACKENDS[backend], BACKENDS["serial"]).replace("--out o", "--out whole")
    assert typed(alone.split(), tmp_path).code == 0
    assert files(tmp_path / "o") == files(tmp_path / "whole")
    record_property("workers killed by stacks that were given up", 5)


def test_a_second_sweep_in_a_folder_is_refused_and_the_first_goes_on(whole: tuple[Path, float]) -> None:
    folder = _own(whole[0], "two")
    first = start(f"{SWEEP} --workers 1 --out o", folder)
    while not (folder / "o" / "runs.sqlite").exists():
        time.sleep(0.05)
    second = run(f"{SWEEP} --workers 1 --out o", folder)
    assert (second.code, second.err) == (
        2,
        "focalbench: another sweep is writing o; wait for it, or choose another --out folder\n",
    )
    assert ended(first).code == 0
    assert files(folder / "o") == files(folder / "whole")


def test_two_sweeps_share_one_store(whole: tuple[Path, float], record_property: Record) -> None:
    folder = _own(whole[0], "shared")
    commands = [f"{SWEEP} --workers 1 --store shared.sqlite --out o{i}" for i in range(2)]
    fewer = commands[1].replace("--seeds 20", "--seeds 5")
    both = [ended(process) for process in [start(commands[0], folder), start(fewer, folder)]]
    assert [each.code for each in both] == [0, 0], both
    assert len(safe(folder / "shared.sqlite")) == RUNS
    assert files(folder / "o0") == files(folder / "whole")
    for command in (commands[0], f"{fewer}x"):  # another folder, the same store
        assert "0 runs trained, " in typed(command.split(), folder).stdout
    assert not (folder / "o0" / "runs.sqlite").exists()
    record_property("sweeps writing to one store at once", 2)


@pytest.mark.slow
def test_a_killed_worker_takes_no_other_run_with_it(whole: tuple[Path, float]) -> None:
    """A sweep whose coordinator and worker are killed together keeps what was committed."""
    folder = _own(whole[0], "both")
    process = start(f"{SWEEP} --backend loky --workers 2 --out o", folder)
    while len(safe(folder / "o" / "runs.sqlite")) < 8:
        time.sleep(0.2)
    kill(process, everything=True)
    held = safe(folder / "o" / "runs.sqlite")
    assert 8 <= len(held) < RUNS
    assert run(f"{SWEEP} --workers 1 --out o", folder).trained == RUNS - len(held)


@pytest.mark.slow
def test_a_scheduler_that_dies_is_a_sentence_and_the_same_command_goes_on(
    whole: tuple[Path, float], record_property: Record
) -> None:
    folder = _own(whole[0], "scheduler")
    dask, file = Path(sys.executable).with_name("dask"), folder / "scheduler.json"
    options = [f"--scheduler-file={file}", "--no-dashboard"]
    host = ["--host", "127.0.0.1", "--port", "0"]
    quiet = {"cwd": folder, "env": ENVIRONMENT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = f"{SWEEP} --out o"
    with subprocess.Popen([dask, "scheduler", *host, *options], **quiet) as scheduler:  # type: ignore[call-overload]
        while not file.exists():
            time.sleep(0.1)
        worker = subprocess.Popen([dask, "worker", "--nthreads", "1", *options], **quiet)  # type: ignore[call-overload]
        process = start(f"{command} --scheduler {json.loads(file.read_text())['address']}", folder)
        while len(safe(folder / "o" / "runs.sqlite")) < 8:
            time.sleep(0.2)
        scheduler.kill()
        finished = ended(process)
    worker.kill()
    worker.wait()
    assert finished.code == 3
    assert finished.err.splitlines()[-1].startswith("focalbench: the Dask scheduler is gone; ")
    assert f" of {RUNS} runs are safe; the same command goes on from there" in finished.err
    assert 0 < run(f"{command} --workers 1", folder).trained < RUNS
    assert files(folder / "o") == files(folder / "whole")
    record_property("Dask schedulers killed", 1)
