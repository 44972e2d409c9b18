"""Every test process: one thread, as the suite runs one process a core; no deadlines, which only load breaks.

Tests that measure something hand it to record_property; the figures stand under the summary, those of one name summed
where they count things.
"""

import logging
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads torch

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def messages_of_nobody() -> None:
    """A command in a test's process turns on messages for itself, not for the tests after it."""
    logger = logging.getLogger("focalbench")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", help="write what tests measured to this Markdown file, too")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = figures(terminalreporter)
    if lines:
        terminalreporter.section("figures")
    for name, value in lines:
        terminalreporter.write_line(f"{name}: {value}")
    if path := config.getoption("--figures"):
        rows = [f"| {name} | {value} |" for name, value in lines]
        Path(path).write_text(
            "\n".join(["| what was counted or measured | |", "|---|---|", *rows, ""]), encoding="utf-8"
        )


def figures(terminalreporter: pytest.TerminalReporter) -> list[tuple[str, str]]:
    """What tests that passed have measured: counts of one name summed, other numbers side by side."""
    found: dict[str, list[object]] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            found.setdefault(name, []).append(value)
    lines = []
    for name, values in sorted(found.items()):
        counts = [value for value in values if isinstance(value, int)]
        shown = [sum(counts)] if len(counts) == len(values) else values
        lines.append((name, ", ".join(map(str, shown))))
    return lines
