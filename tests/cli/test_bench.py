"""`focalbench bench` as a person runs it."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = os.environ | {"COLUMNS": "80", "NO_COLOR": "1"}


@pytest.mark.slow
def test_a_tiny_benchmark_prints_and_writes_its_tables_and_judges_nothing(tmp_path: Path) -> None:
    options = "bench --tiny --rounds 2 --part ranking --part waiting --out o"
    finished = subprocess.run(
        [sys.executable, "-m", "focalbench", *options.split()],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.splitlines() == ["bench: ranking", "bench: waiting"]
    text, page = finished.stdout, (tmp_path / "o" / "bench.md").read_text()
    for name in ("scikit-learn", "focalbench --help", "import torch", "Medians of 2 interleaved rounds"):
        assert name in text
        assert name in page
    assert "goals" not in (text + page).lower()
    with (tmp_path / "o" / "bench.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows][:2] == ["focalbench", "scikit-learn"]
    for row in rows:
        assert 0 < float(row["low"]) <= float(row["median"]) <= float(row["high"])
    assert float(rows[0]["ratio"]) == 1
