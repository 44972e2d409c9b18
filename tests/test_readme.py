"""What the README and the pages beside what they describe show is what the repository holds."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from focalbench.analysis.pooled import joined
from focalbench.analysis.rows import ArmRow
from focalbench.base.rows import read_rows
from focalbench.cli.app import app
from focalbench.cli.losses import losses_page
from focalbench.report.grid import markdown_lines
from focalbench.report.tables import overview, summary

ROOT = Path(__file__).parent.parent
PAGES = {
    page: page.read_text(encoding="utf-8")
    for pattern in ("README.md", "*/README.md", "focalbench/*/README.md", ".github/CONTRIBUTING.md")
    for page in sorted(ROOT.glob(pattern))
    if not page.parent.name.startswith(".pytest")
}
README, EVERY = PAGES[ROOT / "README.md"], "\n".join(PAGES.values())


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", EVERY, re.DOTALL)
    assert found
    return found.group(1)


def table(name: str) -> list[ArmRow]:
    return read_rows(ROOT / "results" / name / "table.csv", ArmRow)


def test_the_figures_of_the_faults_are_those_of_the_long_run() -> None:
    assert block("faults") == (ROOT / "results" / "faults" / "figures.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["headline", "rivals"])
def test_the_tables_are_those_of_the_results(name: str) -> None:
    assert block(name) == summary(table(name))


def test_the_losses_are_those_of_the_catalogue() -> None:
    (grid,) = losses_page().grids
    assert block("losses").splitlines() == list(markdown_lines(grid))


def test_the_options_are_those_of_the_commands(tmp_path: Path) -> None:
    """Made by `typer focalbench.cli.app utils docs`, as .github/CONTRIBUTING.md says."""
    command = [sys.executable, "-m", "typer", "focalbench.cli.app", "utils", "docs", "--name", "focalbench"]
    made = [*command, "--title", "The command line", "--output", str(tmp_path / "README.md")]
    subprocess.run(made, check=True, capture_output=True, cwd=ROOT)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == PAGES[ROOT / "focalbench" / "cli" / "README.md"]


def test_every_data_set_stands_in_the_overview() -> None:
    folders = ("headline", "families", "dense", "census", "adbench", "flights", "classes", "labels")
    tables = [overview(table(name)).partition("\n\n")[0].splitlines() for name in folders]
    assert block("data").splitlines() == [*tables[0][:2], *(line for table in tables for line in table[2:])]


def test_what_many_data_sets_say_together_is_shown() -> None:
    together = joined([table("census"), table("adbench"), table("flights")])
    assert block("pooled").strip() == overview(together).partition("\n\n")[2].strip()


def test_a_changed_result_would_show() -> None:
    rows = table("headline")
    changed = [replace(rows[0], average_precision=replace(rows[0].average_precision, mean=0.123)), *rows[1:]]
    assert block("headline") != summary(changed)


def test_the_readmes_test_command_is_the_one_that_ci_runs() -> None:
    command = "python -m pip install -c constraints.txt -e '.[dev]' && python -m pytest"
    assert command in README
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_shows_the_output_of_the_sweep() -> None:
    assert "focalbench sweep --pos-rate 0.0015" in README
    for word in ("mixture at rate 0.0015, 10 seeds", "Stay with BCE", "gamma=2", "last bias started at zero"):
        assert word in block("sweep")


def goals(folder: str) -> dict[str, list[str]]:
    """The goals that a benchmark's page reports: name to reached, wanted, met or missed."""
    page = (ROOT / "results" / "bench" / folder / "bench.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.partition("## Goals\n")[2].splitlines() if " | " in line]
    return {name: cells for name, *cells in rows if len(cells) == 3}


@pytest.mark.parametrize(("name", "folders"), [("bench", "123"), ("training", ("training1", "training2", "training3"))])
def test_the_benchmarks_are_those_of_the_results(name: str, folders: Sequence[str]) -> None:
    first, *others = map(goals, folders)
    lines = [
        f"| {goal} | {reached} | {' | '.join(other[goal][0] for other in others)} | {wanted} |"
        for goal, (reached, wanted, _) in first.items()
        if name == "bench" or ", batch " in goal  # of a network; the other parts were measured anew
    ]
    assert len(lines) >= 7
    assert block(name).splitlines()[2:] == lines


SNIPPETS = re.findall(r"^```python\n(.*?)^```$", EVERY, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_every_snippet_runs_as_printed(snippet: str) -> None:
    assert len(SNIPPETS) == 4
    for name in re.findall(r"^(?:import|from) (\w+)", snippet, re.MULTILINE):
        pytest.importorskip(name)  # what belongs to an extra
    exec(compile(snippet, "README.md", "exec"), {})


def test_the_first_page_is_short() -> None:
    assert len(README.encode()) <= 10_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:\s]+)\)", PAGES[page]):
        assert (page.parent / link).exists(), link


COMMANDS = sorted(
    {
        " ".join(text.split())
        for text in re.findall(r"^(focalbench [a-z-][^#\n]*)|`(focalbench [a-z-][^`]*)`", EVERY, re.MULTILINE)
        for text in text
        if text
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_is_shown_exists_with_its_options(command: str) -> None:
    _, name, *words = command.split()
    if name in ("COMMAND", "--help", "--install-completion"):
        return
    shown = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [name, "--help"])
    assert shown.exit_code == 0, command
    for option in (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", shown.output), option
