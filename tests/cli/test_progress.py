"""How far a sweep is can be read at any width, and something stands there at once."""

import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from focalbench.analysis.rows import ArmRow
from focalbench.display.live import Cell, Line
from focalbench.display.progress import Report, Screen, SoFar, _Lines, progress
from focalbench.jobs.trainer import State
from focalbench.plan.whole_seeds import Tally, Whole
from focalbench.runs.arm import Arm
from focalbench.runs.run import Recipe, Run, Training

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
        watch(State(510, safe=206, left=304 / 510))
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
        watch(State(10, safe=7, left=3 / 8))
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["seconds"], first["runs_per_second"], first["seconds_left"]) == (0, None, None)
    assert (second["seconds"], second["runs_per_second"], second["seconds_left"]) == (10, 0.5, 6)


CELL = Cell(
    "mixture",
    0.0015,
    (
        Line("bce", 0.5531),
        *(Line(f"gamma={i}", 0.55 + 0.001 * i, 0.001 * i - 0.0031, -0.02, 0.03) for i in range(1, 30)),
        Line("alpha=balanced gamma=0.5", 0.54, -0.0131),
    ),
)
SO_FAR = SoFar(4, 10, (CELL,))


def screen_of(table: SoFar, width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that stand on a terminal of this size."""
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    screen = Screen("planning")
    screen.report(Report(206, 510, 0, 72.0, 2.86, 31.0))
    screen.table(table, HALF)
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False, no_color=True)
    console.print(screen)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (40, 10), (200, 60)])
def test_the_table_so_far_fits_any_terminal_and_keeps_what_counts(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = screen_of(SO_FAR, width, height, monkeypatch)
    assert max(map(len, lines)) <= width
    assert len(lines) == min(height - 1, 2 + 31 + 1)
    title, heading, *rows, last = lines
    assert title.startswith("mixture at rate 0.0015: 4 of 10 seeds, 31 s"[:width])
    assert heading.split() == ["arm", "AUCPR", "vs", "BCE"]
    assert rows[0].split() == ["bce", ".553"]
    highest = next(row for row in rows if row.startswith("gamma=29 "))
    assert highest.split()[1:3] == [".579", "+.026"]
    assert width < 80 or highest.endswith("[-.020, .030]")
    assert " left" in last
    assert ("gamma=1 " in "".join(rows)) == (height > 34)


def test_two_rates_share_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    table = SoFar(4, 10, (CELL, replace(CELL, positive_rate=None)))
    lines = screen_of(table, 120, 24, monkeypatch)
    assert lines[0] == "mixture at rate 0.0015 and mixture at its natural rate: 4 of 10 seeds, 31 s left"
    assert len(lines) <= 23
    assert sum(line.startswith("bce ") for line in lines) == 2
    assert [line.split("  ")[0] for line in lines if "AUCPR" in line] == ["rate 0.0015", "natural rate"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((Line("bce", 0.5531), Line("gamma=2", 0.5612, 0.0081)), "bce .553, best gamma=2 +.008"),
        ((Line("bce", 0.5531), Line("gamma=2", 0.5512, -0.0019)), "bce .553, the best"),
    ],
)
def test_a_seed_is_a_line(lines: tuple[Line, ...], said: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "focalbench")
    report = Report(206, 510, 0, 72.0, 2.86, 31.0)
    _Lines().table(SoFar(4, 10, (replace(CELL, lines=lines),)), report)
    assert caplog.messages == [f"seed 4 of 10 done: {said}, 31 s left"]


def seeds(count: int) -> list[Run]:
    return [Run(Recipe("mixture", 900, 0.02), Training(), Arm("bce"), 0.01, seed) for seed in range(count)]


def test_tables_on_the_way_take_a_twentieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, made = [0.0], []

    def table(whole: Whole) -> list[ArmRow]:
        clock[0] += 1.0  # what a table takes
        made.append(whole.seeds)
        return []

    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with progress(as_json=True) as watch:
        state = State(100, seeds=Tally(seeds(100)), table=table)
        watch(state)
        for run in seeds(100):
            clock[0] += 1.0
            state.safe += 1
            state.seeds.see([run])
            watch(state)
    assert made[:2] == [1, 2]  # the first is free: it loads what the end needs
    assert 100 / 21 - 1 <= len(made) <= 100 / 20 + 2


def test_nobody_who_was_shown_no_table_has_looked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "focalbench")
    with progress(as_json=False) as watch:
        state = State(2, seeds=Tally(seeds(2)), table=lambda _: pytest.fail("nobody asked for it"))
        state.seeds.see(seeds(2))
        watch(state)
    assert not watch.looked
