"""How far a sweep is can be read at any width, and something stands there at once."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalbench.cli.progress import Report, progress
from focalbench.sweep import State

HALF = Report(206, 510, 3, 72.0, 2.86, 41.2)
REPORTS = st.builds(
    Report,
    done=st.integers(0, 10**6),
    total=st.just(10**6 + 1),
    failed=st.integers(0, 5),
    seconds=st.floats(0, 1e6),
    runs_per_second=st.none() | st.floats(1e-3, 1e4),
    seconds_left=st.none() | st.floats(0, 1e6),
)


@given(REPORTS, st.integers(0, 200), st.floats(0, 1e6))
def test_counts_and_time_always_stand_there_and_the_rest_only_where_it_fits(
    report: Report, width: int, since: float
) -> None:
    line = report.line(width, since)
    always = f"{report.done}/{report.total}  {report.left(since)}"
    assert line.startswith(always)
    assert len(line) <= max(width, len(always))
    assert report.left(since).endswith((" left", " so far"))


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (20, "206/510  41 s left"),
        (40, "206/510  41 s left  3 failed"),
        (67, "206/510  41 s left  3 failed  2.86 runs/s"),
    ],
)
def test_what_fits_is_shown(width: int, line: str) -> None:
    assert HALF.line(width) == line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in place of standard error, for the rest of the test."""
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}.items():
        monkeypatch.setenv(name, value)
    return screen


def seen(screen: Terminal) -> list[str]:
    """What stood on the line, one time after the other."""
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\r", screen.getvalue()))


@pytest.mark.parametrize(("columns", "bar"), [(80, "[####......]  "), (100, "[####......]  "), (40, "")])
def test_a_terminal_shows_a_line_at_once_and_then_the_counts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, columns: int, bar: str
) -> None:
    caplog.set_level("INFO", "focalbench")
    screen = terminal(columns, monkeypatch)
    with progress(as_json=False) as watch:
        assert any(line.startswith("reading data and planning  0 s") for line in seen(screen))
        watch(State(510))
        watch(State(510, safe=206))
    lines = [line.rstrip() for line in seen(screen)]
    last = [line for line in lines if line][-1]
    assert last.startswith(f"{bar}206/510  ")
    assert " left" in last
    assert max(map(len, lines)) <= columns


def test_planning_takes_nothing_off_the_pace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [5.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with progress(as_json=True) as watch:
        watch(State(10, safe=2))
        clock[0] = 15.0
        watch(State(10, safe=7))
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["seconds"], first["runs_per_second"], first["seconds_left"]) == (0, None, None)
    assert (second["seconds"], second["runs_per_second"], second["seconds_left"]) == (10, 0.5, 6)
