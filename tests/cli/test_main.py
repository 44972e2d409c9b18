"""What a process may be started with: standard streams that are closed, a notebook's settings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STREAMS = """
import os, sys
from focalbench.__main__ import open_streams
open_streams()
assert all(os.get_inheritable(number) for number in (0, 1, 2))  # as workers need them
print(sys.stdin.read(), end="")
print("said", file=sys.stderr, flush=True)
print("told", flush=True)
os.write(2, b"said by a library")
with open("file", "wb") as file:  # takes the lowest number that is free
    assert file.fileno() > 2, file.fileno()
    file.write(b"whole")
"""


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_files_place(tmp_path: Path, closed: str) -> None:
    begun = f'exec "{sys.executable}" -c "$0" {closed}'
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    ended = subprocess.run(["sh", "-c", begun, STREAMS], cwd=tmp_path, text=True, **pipes)  # type: ignore[call-overload]
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ("" if " >&-" in f" {closed}" else "told\n")
    assert ended.stderr == ("" if "2>&-" in closed else "said\nsaid by a library")
    assert (tmp_path / "file").read_bytes() == b"whole"


DRAWS = """
import sys
from contextlib import suppress
from focalbench.__main__ import main
sys.argv = ["focalbench", "--help"]
with suppress(SystemExit):
    main()
import focalbench.report.style
"""


def test_figures_are_drawn_whatever_a_notebook_draws_with() -> None:
    surroundings = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    ended = subprocess.run([sys.executable, "-c", DRAWS], env=surroundings, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
