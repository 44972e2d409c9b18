"""In a notebook: what a cell shows while it trains, and what it shows afterwards."""

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.processes

SET_UP = """
import numpy as np, focalbench
rng = np.random.default_rng(0)
X = rng.normal(size=(4000, 4)); y = X[:, 0] + rng.normal(size=4000) > 1.5
found = focalbench.compare(X, y, losses=["pos_weight"], seeds=3, steps=60, hidden=(8,), references=False)
"""


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    codes = [SET_UP, "found", "axes = found.plot('differences')", "found.best.name"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def test_progress_is_shown_and_taken_away(cells: list[Any]) -> None:
    (shown,) = [output for output in cells[0] if output.output_type == "display_data"]
    assert shown.data["text/html"] == ""  # replaced by each report, and by nothing in the end
    assert not [output for output in cells[0] if output.output_type == "error"]


def test_a_comparison_is_shown_as_its_table(cells: list[Any]) -> None:
    (shown,) = cells[1]
    assert "<td" in shown.data["text/html"]
    assert "pos_weight" in shown.data["text/html"]


def test_a_figure_is_shown_as_a_picture(cells: list[Any]) -> None:
    (shown,) = cells[2]
    assert shown.data["image/png"]
    assert cells[3][0].data["text/plain"] in ("'bce'", "'pos_weight'")
