"""Waiting: from the command to its help, and to the first batch that a sweep trains on."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence

from focalbench.bench.rows import Goal, Row, Scale, row
from focalbench.bench.timing import Work, interleaved
from focalbench.errors import InputError

LATE = ("sklearn", "scipy", "pandas")  # what must not be waited for before the first batch of a synthetic sweep
PROBE = """
import os, sys
import focalbench.training.loop as training

def stop(*_):
    print("training", *sys.modules, flush=True)
    os._exit(0)

training.train_step = stop
from focalbench.cli.app import main
sys.argv = ["focalbench", "sweep", "--pos-rate", "0.0015", "--workers", "1", "--device", "cpu", "--out", sys.argv[1]]
main()
"""


def loaded_before_the_first_batch() -> list[str]:
    """Which of LATE a synthetic sweep has loaded when it begins to train. Raises InputError if it never does."""
    with tempfile.TemporaryDirectory() as folder:
        first, *loaded = _finished(["-c", PROBE, f"{folder}/out"]).split()
    if first != "training":
        raise InputError("the sweep ended without training a batch, so its start cannot be timed")
    return [name for name in LATE if name in loaded]


def waiting(scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time whole processes."""
    found = loaded_before_the_first_batch()

    def python(*arguments: str) -> Work:
        return lambda: _finished(arguments)

    works = {
        "python -c pass": python("-c", "pass"),
        "focalbench --help": python("-m", "focalbench", "--help"),
        "import torch": python("-c", "import torch"),
        "sweep --workers 1 until the first batch": loaded_before_the_first_batch,
    }
    taken = dict(zip(works, interleaved(list(works.values()), scale.rounds), strict=True))
    rows = [row("waiting (s)", name, "", timing, 1.0, None) for name, timing in taken.items()]
    return rows, [
        Goal("seconds of focalbench --help", taken["focalbench --help"].median, 0.3, at_most=True),
        Goal(
            "seconds until the first batch", taken["sweep --workers 1 until the first batch"].median, 3.0, at_most=True
        ),
        Goal(f"of {', '.join(LATE)} loaded before the first batch", len(found), 0, at_most=True),
    ]


def _finished(arguments: Sequence[str]) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"a process of the benchmark ended with exit code {done.returncode}: {done.stderr[-300:]}")
    return done.stdout
