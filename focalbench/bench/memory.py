"""The most memory that a command and all its worker processes hold at one time."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from focalbench.errors import InputError

INTERVAL = 0.2  # seconds between two looks


@dataclass(frozen=True)
class Ran:
    """A finished command: seconds, the largest sum seen of its processes' proportional set sizes, in which a page that
    several share counts once (None where the system does not tell), and the seconds until a line of its output held the
    text that was waited for (None where none did).
    """

    seconds: float
    peak_bytes: int | None
    waited: float | None = None


def run(arguments: Sequence[str], text: str = "", times: int = 1) -> Ran:
    """Run `python -m focalbench ...`, watching its session. text: to be waited for on standard output, so many times.

    Raises InputError unless it succeeds.
    """
    command = [sys.executable, "-m", "focalbench", *arguments]
    with tempfile.TemporaryFile("w+") as errors, tempfile.NamedTemporaryFile("w+") as said:
        start, peak, waited = time.perf_counter(), 0, None
        with subprocess.Popen(command, stdout=said, stderr=errors, start_new_session=True) as process:
            try:
                while process.poll() is None:
                    peak = max(peak, _resident(process.pid))
                    if waited is None and text and Path(said.name).read_text().count(text) >= times:
                        waited = time.perf_counter() - start
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(INTERVAL)
            finally:
                process.terminate()  # a sweep stops its workers; nothing happens to one that has ended
        seconds = time.perf_counter() - start
        errors.seek(0)
        error = errors.read()[-300:]
    if process.returncode:
        raise InputError(f"focalbench {' '.join(arguments)} ended with exit code {process.returncode}: {error}")
    return Ran(seconds, peak or None, waited)


def _resident(session: int) -> int:
    """Bytes of all processes of a session."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, IndexError, StopIteration):  # it has just ended, or is not ours to look at
            continue
    return total
