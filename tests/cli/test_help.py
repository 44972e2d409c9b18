"""What a person sees before anything runs: help, its examples and defaults, choices, completion, the version."""

import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from focalbench import __version__
from focalbench.bench import PARTS
from focalbench.cli.about import ABOUT
from focalbench.cli.examples import EXAMPLES
from focalbench.cli.messages import LEVELS
from focalbench.cli.options import BackendName, Level
from focalbench.execution.pools import BACKENDS
from focalbench.plan.experiment import KEYS, LEAST_EPOCHS, Experiment
from focalbench.runs.arm import INITS
from focalbench.runs.catalogue import TASKS, Task
from focalbench.training.samplers import SAMPLERS
from tests.support import attempts
from tests.support.attempts import typed

PANELS = ["Arguments", "Options", "Data", "Losses", "Training", "Statistics", "Running", "Output"]


def help_of(command: str, columns: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setitem(attempts.ENVIRONMENT, "COLUMNS", str(columns))
    said = typed([*command.split(), "-h"], tmp_path)
    assert (said.code, said.stderr) == (0, "")
    return said.stdout


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("command", EXAMPLES)
def test_help_fits_and_ends_with_examples_that_it_explains(
    command: str, columns: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = help_of(command, columns, monkeypatch, tmp_path)
    assert max(map(len, text.splitlines())) <= columns
    text, last = text.split("Examples:")
    assert [line.strip() for line in last.splitlines() if line.strip()] == list(EXAMPLES[command])
    for line in EXAMPLES[command]:
        words = shlex.split(line)
        explained = text if command else help_of(words[1], 200, monkeypatch, tmp_path).partition("Examples:")[0]
        assert words[:2] == ["focalbench", command or words[1]]
        assert all(re.search(rf"{word}(?![\w-])", explained) for word in words if word.startswith("-"))


def test_the_options_of_a_sweep_stand_in_panels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = help_of("sweep", 120, monkeypatch, tmp_path)
    assert re.findall(r"╭─ (\w+) ─", text) == PANELS
    in_options = text.partition("─ Options ─")[2].partition("╰")[0]
    assert len(re.findall(r"--\w+", in_options)) == 1  # the help itself; all others have a panel of their own


def test_help_names_the_defaults_and_choices_that_the_code_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = " ".join(re.sub("[│╭╰─]", " ", help_of("sweep", 200, monkeypatch, tmp_path)).split())
    usual = Experiment()
    for default in (
        f"Training rows. Default: {usual.rows}.",
        f"Default: {', '.join(map(str, usual.lrs))}.",
        f"hidden layers. Default: {','.join(map(str, usual.hidden))}.",
        f"Number of seeds. Default: {usual.seeds}.",
        f"Rows in a batch. [default: {usual.batch_size}]",
        f"optimiser steps; at least {LEAST_EPOCHS} epochs are trained. Default: {usual.steps}.",
        f"{usual.positive_rates[0]} for synthetic data",
        f"Default: {usual.datasets[0]}.",
    ):
        assert default in text
    assert all(name in text for names in (SAMPLERS, TASKS, INITS, LEVELS) for name in names)
    assert (get_args(BackendName), get_args(Level), get_args(Task)) == (BACKENDS, LEVELS, TASKS)
    parts = " ".join(help_of("bench", 200, monkeypatch, tmp_path).split())
    assert f"{', '.join(PARTS[:-1])} or {PARTS[-1]};" in parts


def test_every_setting_is_explained_once() -> None:
    assert tuple(ABOUT) == KEYS


def test_long_and_short_names_say_the_same(tmp_path: Path) -> None:
    assert typed(["run", "-h"], tmp_path) == typed(["run", "--help"], tmp_path)
    assert typed(["--version"], tmp_path).stdout == f"focalbench {__version__}\n"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("focalbench swe", ["sweep"]),
        ("focalbench sweep --task mul", ["multiclass", "multilabel"]),
        ("focalbench sweep --loss soft", ["softmax_focal"]),
        ("focalbench sweep --reference l", ["logistic", "lightgbm"]),
        ("focalbench sweep --init ", ["own", "prior", "zero", "learned"]),
        ("focalbench sweep mix", ["mixture"]),
        ("focalbench sweep --dataset ra", ["rare-class"]),
        ("focalbench sweep my_fi", []),  # then the shell completes files
        ("focalbench table --format la", ["latex"]),
        ("focalbench sweep --test-p", ["--test-prevalence"]),
    ],
)
def test_a_shell_completes(words: str, found: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("_FOCALBENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert typed([], tmp_path).stdout.split() == found
