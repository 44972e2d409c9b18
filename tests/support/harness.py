"""Sweeps as processes that things happen to, and what must be true afterwards."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from focalbench.execution.store import Store

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1"}
# two seconds of training in 20 stacks, after as long for a process to begin
SWEEP = (
    "sweep --dataset gaussians --pos-rate 0.02 --rows 6000 --epochs 6 --hidden 16 --lr 0.01 --lr 0.003 --seeds 20 "
    "--no-references --loss focal --gamma 2 --init own --device cpu"
)
RUNS = 2 * 2 * 20
REPEATED = ("runs.csv", "table.csv", "table.md", "table.tex", "curves.csv", "experiment.toml", "manifest.json")
NUMBERS = REPEATED[:-1]  # a manifest says who made them
PATIENCE = 120


def start(command: str, folder: Path, limit: int | None = None) -> subprocess.Popen[str]:
    """Begin a command in a session of its own; no file it writes may grow beyond the limit, in bytes."""

    def confine() -> None:
        import resource

        signal.signal(signal.SIGINT, signal.SIG_DFL)  # which the background of a script ignores
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "focalbench", *command.split()],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=confine,
    )


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def trained(self) -> int:
        """The runs that it says it trained."""
        found = re.search(r"(\d+) runs trained", self.out)
        assert found, self.out + self.err
        return int(found.group(1))


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end. Whatever happened, nobody is shown a traceback."""
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    return Ended(process.returncode, out, err)


def run(command: str, folder: Path, limit: int | None = None) -> Ended:
    """Run a command to its end."""
    return ended(start(command, folder, limit))


def files(folder: Path, names: Sequence[str] = REPEATED) -> dict[str, bytes]:
    """The reported files of a results folder."""
    return {name: (folder / name).read_bytes() for name in names}


def safe(database: Path) -> set[str]:
    """The runs that a store holds; it must be sound."""
    if not database.exists():
        return set()
    with Store(database) as store:
        assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        run_ids = [run_id for (run_id,) in store._db.execute("SELECT run_id FROM runs")]
        assert all(store.result(run_id) for run_id in run_ids)
    return set(run_ids)


def session(process: subprocess.Popen[str]) -> list[int]:
    """The processes of a command's session that are alive."""
    found = subprocess.run(["ps", "-o", "pid=,stat=", "-s", str(process.pid)], capture_output=True, text=True)
    lines = [line.split() for line in found.stdout.splitlines()]
    return [int(pid) for pid, state in lines if not state.startswith("Z")]


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Those of a command's processes that train."""
    found = []
    for pid in session(process):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if pid != process.pid and (b"popen_loky_posix" in line or b"spawn_main" in line):
            found.append(pid)
    return found


def kill(process: subprocess.Popen[str], *, everything: bool) -> None:
    """Kill -9 a command, or all its processes; its workers go by themselves soon."""
    (os.killpg if everything else os.kill)(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)


def wait_for_nobody(process: subprocess.Popen[str], seconds: float = 20) -> None:
    """A command that was killed leaves nobody behind."""
    end = time.monotonic() + seconds
    while session(process):
        assert time.monotonic() < end, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in session(process)]
        time.sleep(0.1)


def killed_again_and_again(command: str, folder: Path, kills: int, whole: float, rng: random.Random) -> tuple[int, int]:
    """Kill sweeps at random moments of their life, beginning anew whenever one ends; return the kills survived, and the
    runs that were lost or trained twice.

    whole: the seconds that a sweep takes. After every kill the store is sound, and in the end the files are the same.
    """
    survived, attempt, wrong = 0, 0, 0
    reference = files(folder / "whole")
    while survived < kills:
        out = folder / f"out{attempt}"
        before = safe(out / "runs.sqlite")
        process = start(f"{command} --out {out.name}", folder)
        try:
            process.wait(rng.uniform(0, 1.1 * whole))
        except subprocess.TimeoutExpired:
            kill(process, everything=rng.random() < 0.5)
            wait_for_nobody(process)
            wrong += len(before - safe(out / "runs.sqlite"))
            survived += 1
            continue
        finished = ended(process)
        assert finished.code == 0, finished.err
        wrong += abs(finished.trained - (RUNS - len(before)))
        assert files(out) == reference
        attempt += 1
    finished = run(f"{command} --out out{attempt}", folder)  # what the last kill left
    assert finished.code == 0
    assert files(folder / f"out{attempt}") == reference
    return survived, wrong
