"""Messages of the library name settings; the command line turns them into its options."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import focalbench
from focalbench.cli.app import app
from focalbench.cli.messages import option_name, printable

ROOT = Path(focalbench.__file__).parent
COMMANDS = ("cli", "bench")  # which speak to a terminal, and which run commands
LIBRARY = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in COMMANDS]
NAMED = re.compile(r"`([a-z_]+)[`=]")


def texts(path: Path) -> Iterator[str]:
    """Every text in a file but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = [node.body for node in ast.walk(tree) if hasattr(node, "body") and isinstance(node.body, list)]
    docstrings = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def options() -> set[str]:
    group: Any = typer.main.get_command(app)
    return {name for command in group.commands.values() for each in command.params for name in each.opts}


@pytest.mark.parametrize("path", LIBRARY, ids=[str(path.relative_to(ROOT)) for path in LIBRARY])
def test_below_the_command_line_no_text_names_an_option(path: Path) -> None:
    assert [text for text in texts(path) if re.search(r"--[a-z]", text)] == []


def test_every_setting_that_a_message_names_is_an_option() -> None:
    named = {name for path in LIBRARY for text in texts(path) for name in NAMED.findall(text)}
    assert {"rows", "task", "positive", "sampler", "store"} <= named
    assert {option_name(name) for name in named} - options() == set()


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("leave `label_noise` out", "leave --label-noise out"),
        ("give `positive_rates=0.0015`", "give --pos-rate 0.0015"),
        ("``positive=a`b``", "--positive 'a`b'"),
        ("`positive=not good` (3 rows)", "--positive 'not good' (3 rows)"),
        ("a quote ` alone, and `A`", "a quote ` alone, and `A`"),
    ],
)
def test_a_setting_is_printed_as_its_option(text: str, printed: str) -> None:
    assert printable(text) == printed
