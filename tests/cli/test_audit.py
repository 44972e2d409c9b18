"""`focalbench audit` as a person runs it."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from focalbench.audit import OURS, REMEDY, Absent, Audit, Cost, Count, Verdict
from focalbench.audit.report import audit_page

pytest.importorskip("mpmath")

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "80", "NO_COLOR": "1"}
MAIN = "from focalbench.cli.app import main; main()"
WORSE = "from focalbench.losses import binary as b; f = b.focal_loss; b.focal_loss = lambda *a, **k: 1.1 * f(*a, **k); "

Finished = subprocess.CompletedProcess[str]


def focalbench(command: str, folder: Path, before: str = "") -> Finished:
    arguments = [sys.executable, "-c", before + MAIN, *command.split()]
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    environment = ENVIRONMENT | {"PYTHONPATH": path}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def row(text: str, name: str) -> list[str]:
    return next(line for line in text.splitlines() if name in line).replace("|", " ").split()


def test_the_table_has_its_words_and_fits_80_columns(tmp_path: Path) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    finished = focalbench("audit --no-speed", tmp_path)
    assert finished.returncode == 0, finished.stderr
    text = finished.stdout
    assert max(map(len, text.splitlines())) <= 80
    assert row(text, "focal loss ") == ["focal", "loss", "float32", "float64", "float16", "bfloat16", "alpha"]
    assert row(text, "focalbench") == ["focalbench", "0/0", "0/0", "0/0", "0/0", "positives"]
    assert "torchvision's formula" in text
    words = " ".join(text.split())
    assert "of 574 (logit, target, gamma)" in words
    assert "torchvision: not importable: RuntimeError: operator torchvision::nms does not exist." in words
    assert "BCEWithLogitsLoss" not in words
    assert list(tmp_path.iterdir()) == [tmp_path / "torchvision.py"] or (tmp_path / "__pycache__").is_dir()


def test_exit_code_1_when_ours_fails(tmp_path: Path) -> None:
    finished = focalbench("audit --no-speed --format markdown", tmp_path, before=WORSE)
    assert finished.returncode == 1, finished.stderr
    assert finished.stderr == ""
    assert "\n| focal loss | float32 |" in finished.stdout
    assert row(finished.stdout, "| focalbench")[1] != "0/0"


def test_without_mpmath_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "mpmath.py").write_text("raise ImportError\n")
    finished = focalbench("audit", tmp_path)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr == (
        f"focalbench: the audit's exact values need mpmath, which cannot be imported; {REMEDY}\n"
    )


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    finished = focalbench("audit --format html", tmp_path)
    assert finished.returncode == 2
    assert "'html' is not one of 'rich'" in finished.stderr


def test_help_imports_no_torch(tmp_path: Path) -> None:
    check = "import sys, focalbench.cli.app; assert not {'torch', 'jax', 'mpmath'} & set(sys.modules); "
    finished = focalbench("audit --help", tmp_path, before=check)
    assert finished.returncode == 0, finished.stderr
    assert "--no-speed" in finished.stdout


def test_markdown_with_costs_notes_and_the_remedy() -> None:
    counts = {"float32": Count(1, 2), "float64": Count(0, 0), "float16": Count(0, 0)}
    verdict = Verdict(
        OURS.name, "focalbench 0", counts, "reversed", ("focalbench refuses bfloat16: why",), Cost(2.04, None)
    )
    found = Audit(
        (verdict,), (Absent("kornia", "not installed"), Absent("optax", "not importable: E")), Cost(0.005, 8e6)
    )
    page = audit_page(found)
    lines = page.markdown().splitlines()
    assert lines[:2] == ["## Focal losses installed here", ""]
    assert lines[2:5] == [
        "| focal loss | float32 | float64 | float16 | bfloat16 | alpha | time | memory |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        "| focalbench | 1/2 | 0/0 | 0/0 | refused | reversed | 2.0 |  |",
    ]
    assert "BCEWithLogitsLoss (5.0 ms, 8 MB)" in lines[7]
    assert lines[8:] == [
        "- focalbench refuses bfloat16: why.",
        "- Versions: focalbench 0.",
        "- Not installed: kornia.",
        "- optax: not importable: E.",
        f"- No other library to compare with: {REMEDY}",
    ]
    assert not found.ours_is_right
    assert r"focalbench & 1/2 & 0/0 & 0/0 & refused & reversed & 2.0 &  \\" in page.latex()
    rows = list(csv.DictReader(io.StringIO(page.csv)))
    assert [(row["dtype"], row["non_finite"], row["wrong"]) for row in rows] == [
        *(("float32", "1", "2"), ("float64", "0", "0"), ("float16", "0", "0"), ("bfloat16", "", "")),
    ]
    assert {(row["time"], row["memory"]) for row in rows} == {("2.04", "")}
