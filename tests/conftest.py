"""Every test process: one thread, as the suite runs one process a core; no deadlines, which only load breaks.

Tests that measure something hand it to record_property; the figures stand under the summary, those of one name summed
where they count things.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads torch

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures: dict[str, list[object]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    figures.setdefault(name, []).append(value)
    if figures:
        terminalreporter.section("figures")
    for name, values in sorted(figures.items()):
        whole = [value for value in values if isinstance(value, int)]
        shown = [sum(whole)] if len(whole) == len(values) else values
        terminalreporter.write_line(f"{name}: {', '.join(map(str, shown))}")
