"""The most memory that a command and all its worker processes hold at one time."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from focalbench.errors import InputError

INTERVAL = 0.05  # seconds between two looks


@dataclass(frozen=True)
class Ran:
    """A finished command: seconds, and the largest sum of resident bytes seen (shared pages counted for each process);
    None where the system has no /proc.
    """

    seconds: float
    peak_bytes: int | None


def run(arguments: Sequence[str]) -> Ran:
    """Run `python -m focalbench ...`, watching its session. Raises InputError unless it succeeds."""
    start, peak = time.perf_counter(), 0
    command = [sys.executable, "-m", "focalbench", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(INTERVAL)
        seconds = time.perf_counter() - start
        error = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise InputError(f"focalbench {' '.join(arguments)} ended with exit code {process.returncode}: {error[-300:]}")
    return Ran(seconds, peak or None)


def _resident(session: int) -> int:
    """Resident bytes of all processes of a session."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                total += int(fields[21]) * 4096
        except (OSError, IndexError):  # it has just ended
            continue
    return total
