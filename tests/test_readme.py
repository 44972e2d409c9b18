"""What the README and the pages beside what they describe show is what the repository holds."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from focalbench.cli.app import app
from focalbench.report.tables import summary
from tests.support.pages import EVERY, PAGES, ROOT, block, blocks, marked_blocks, table

README = PAGES[ROOT / "README.md"]
BY_HAND = {"sweep", "audit"}  # what a command printed once; a test looks for words of it
MADE = blocks()


@pytest.mark.parametrize("name", MADE)
def test_a_block_is_what_the_results_give(name: str) -> None:
    """Made by `python -m tests.support.pages`."""
    assert block(name) == MADE[name]


@pytest.mark.parametrize("name", ["bench", "training"])
def test_the_benchmarks_have_their_goals(name: str) -> None:
    assert len(MADE[name].splitlines()) >= 2 + 7


def test_every_block_is_made() -> None:
    assert set(marked_blocks()) == set(MADE) | BY_HAND


def test_the_options_are_those_of_the_commands(tmp_path: Path) -> None:
    """Made by `typer focalbench.cli.app utils docs`, as .github/CONTRIBUTING.md says."""
    command = [sys.executable, "-m", "typer", "focalbench.cli.app", "utils", "docs", "--name", "focalbench"]
    made = [*command, "--title", "The command line", "--output", str(tmp_path / "README.md")]
    subprocess.run(made, check=True, capture_output=True, cwd=ROOT)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == PAGES[ROOT / "focalbench" / "cli" / "README.md"]


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


SNIPPETS = re.findall(r"^```python\n(.*?)^```$", EVERY, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_every_snippet_runs_as_printed(snippet: str) -> None:
    assert len(SNIPPETS) == 7
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
