"""The keys of an experiment file, as one that can be run: every key with what it means and its default."""

from __future__ import annotations

import textwrap

import typer

from focalbench.cli.about import ABOUT

HEAD = """\
# An experiment file, complete: every key with its default, which it keeps where it is left out.
# Data files lie beside it or below, or are named with --data. focalbench run FILE.toml --dry-run says what it costs.
"""
EXAMPLES = {  # of what has no default that could stand there
    "positive_rates": '[0.0015, "natural"]',
    "arms": '[{ loss = "bce" }, { loss = "focal", gamma = 2.0 }, { loss = "focal", alpha = 0.25, gamma = 2.0 }]',
    "epochs": "20",
    "margin": "0.02",
    "threshold_at": '"cost=1:50"',
}
TAIL = """\
# Short runs that focalbench check makes again: what they do not name is as above; 5 epochs at most.
# [[check]]
# seeds = 1
# epochs = 3

# [[parts]] # of what claims rest on: the experiment with other keys
# name = "large batches"
# batch_size = 2048
# [[claims]] # and what decides them: see experiments/README.md
# id = "C1"
# sentence = "Focal loss beats cross entropy"
# said_by = "many"
# [[claims.conditions]]
# arms = ["gamma=2"]
# against = ["bce"]
# direction = "above"
"""


def print_keys(asked: bool) -> None:
    """Print them and end, where they are asked for."""
    if asked:
        typer.echo(experiment_file(), nl=False)
        raise typer.Exit


def experiment_file() -> str:
    """An experiment file of defaults, each key with what it means; one without a default is a comment."""
    from focalbench.plan.experiment import KEYS, Experiment
    from focalbench.plan.toml import to_toml

    settings, _, _ = to_toml(Experiment()).partition("\n[[arms]]")
    lines = dict(line.split(" = ", 1) for line in settings.splitlines())
    parts = [f"{_comment(ABOUT[key])}\n{_line(key, lines.get(key))}\n" for key in KEYS]
    return "\n".join([HEAD, *parts, TAIL])


def _line(key: str, default: str | None) -> str:
    if default is None or key in EXAMPLES:
        return f"# {key} = " + EXAMPLES.get(key, '"NAME"')
    return f"{key} = {default}"


def _comment(text: str) -> str:
    return textwrap.fill(text, 98, initial_indent="# ", subsequent_indent="# ")
