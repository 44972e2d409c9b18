"""Names from outside in the terminal, Markdown, LaTeX and figures: shown, never obeyed."""

import functools
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console

from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.base.files import sha256
from focalbench.base.rows import columns, csv_text, flatten, read_rows
from focalbench.base.text import in_figure, in_latex, in_markdown, shown
from focalbench.report.tables import latex, markdown, overview, print_rich, summary
from tests.support.attempts import Files, attempt, contents, typed

HOSTILE = [
    *("<script>alert(1)</script>", "a|b", "`x`", "[x](http://x)", "![x](y)", "[/x]", "[bold]", "**b**", "_b_", "__b__"),
    *("~~b~~", "$x^$", r"\input{x}", r"a\|b", "\\", "a\nb\n\n# b", "- b", "\x1b[2J", "\x9b2J", "\x07", "\r", "\u202e"),
    *("\u2066", "\u2028", "\x85", "&lt;b&gt;", "<http://x>", "www.x.org", "a@b.org", "%", "#", "{", "}", ":warning:"),
    *("[x][y]", "[x]: y", "(__x__(", "a*b*c", "x_", "\ufeff", "\udcff", "<!-- x", "\0", "$", r"\$", "ä_ö", "™_x_"),
]
NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12), st.text("ab_*`[]()<>|\\&~:/!$", max_size=12))
COMMITTED = Path(__file__).parents[2] / "results" / "labels"
MARKS = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def for_names(test: Callable[[str], None]) -> Callable[[], None]:
    """Try a test on all of these names, and on many others."""
    return functools.reduce(lambda tried, name: example(name)(tried), HOSTILE, given(NAMES)(test))


@for_names
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    assert shown(text).isprintable()
    assert shown(text) == "".join(shown(sign) for sign in text)  # nothing is dropped
    if text.isprintable():
        assert shown(text) == text


# ---- Markdown, as a parser of its own reads it


def read(tokens: list[Token]) -> str:
    """The plain text of inline tokens; a mark of any kind shows as its type."""
    return "".join(
        token.content if token.type in ("text", "text_special") else f"<{token.type}>"
        for each in tokens
        if each.type == "inline"
        for token in each.children or []
    )


@settings(max_examples=200)
@for_names
def test_markdown_reads_a_name_as_text(text: str) -> None:
    plain = "x" + shown(text) + "x"  # at its ends a cell loses blanks
    cell = MARKS.parse(f"| a |\n|---|\n| x{in_markdown(text)}x |\n| after |\n")
    assert [token.type for token in cell].count("td_open") == 2
    assert read(cell) == f"a{plain}after"
    assert read(MARKS.parse(f"- Best: {in_markdown(text)}x\n")) == f"Best: {shown(text)}x"
    assert read(MARKS.parse(f"**x{in_markdown(text)}x**\n")).replace("<strong_open>", "") == f"{plain}<strong_close>"


@pytest.mark.parametrize("text", ["http://x.org", "https://x", "www.x.org", "WWW.x.org", "a@b.org", "x://y"])
def test_no_name_becomes_a_link_by_itself(text: str) -> None:
    """As GitHub would make one of it."""
    assert not re.search(r"(?i)\w+://|www\.|\w@\w", in_markdown(text))


@for_names
def test_latex_reads_a_name_as_text(text: str) -> None:
    written = in_latex(text)
    for _ in range(2):  # what is ours goes, from the inside out
        written = re.sub(
            r"\\textbackslash |\\textasciitilde |\\textasciicircum |\\[%_&#${}]|\$[<>|]\$|\$\\pm\$|\{\[\}", "", written
        )
    assert not set(written) & set("\\%_&#${}~^<>|[")


@for_names
def test_a_figure_reads_a_name_as_text(text: str) -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    drawn = figure.text(0, 0, in_figure(text))
    assert drawn._preprocess_math(drawn.get_text()) == (shown(text), False)  # type: ignore[attr-defined]


# ---- whole tables


def hostile(name: str) -> tuple[list[ArmRow], list[ClassRow]]:
    """A committed table and its classes, in which texts that may come from outside do."""
    table, classes = (read_rows(COMMITTED / "table.csv", ArmRow), read_rows(COMMITTED / "classes.csv", ClassRow))
    return (
        [replace(row, dataset=row.dataset + name, unmeasured=f"a{name}") for row in table],
        [replace(row, dataset=row.dataset + name, name=row.name + name) for row in classes],
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_tables_show_names_and_obey_none(name: str) -> None:
    table, classes = hostile(name)
    out = io.StringIO()
    print_rich(table, Console(file=out, width=200), classes)
    harmless, others = hostile("X" * len(shown(name)))
    plain = io.StringIO()
    print_rich(harmless, Console(file=plain, width=200), others)
    assert len(out.getvalue().splitlines()) == len(plain.getvalue().splitlines())  # no line is forged
    assert all(line.isprintable() for line in out.getvalue().split("\n"))
    assert shown(name) in out.getvalue()
    for write in (markdown, summary, overview):
        one, other = (
            kinds(write(*rows)) for rows in (_arguments(write, table, classes), _arguments(write, harmless, others))
        )
        assert one == other
    assert latex(table, classes).count("\n") == latex(harmless, others).count("\n")
    assert in_latex(name) in latex(table, classes)


def _arguments(write: object, table: list[ArmRow], classes: list[ClassRow]) -> Any:
    return (table, classes) if write is markdown else (table,)


def kinds(text: str) -> list[str]:
    """What a Markdown parser sees in it beside text."""
    tokens = MARKS.parse(text)
    return [
        token.type for each in tokens for token in [each, *(each.children or [])] if not token.type.startswith("text")
    ]


# ---- the command line

CLASSES = ("<script>|`[x](y)", "\x1b[2J\u2028- Better than CE: me.", "[/x]$x^$")
ROWS = "".join(f"{i % 97},{(i * i) % 89},{CLASSES[i % 3]}\n" for i in range(900))
TABLE: Files = {"d.csv": ("a,b,y\n" + ROWS).encode()}
SWEEP = (
    "sweep --dataset d.csv --target y --task multiclass --rows 300 --epochs 1 --seeds 1 --hidden 4 --lr 0.01 --loss ce "
    "--no-references --workers 1 --out"
)


@pytest.mark.parametrize("out", ["r[/x]", "r\x1b[2J\nBetter than BCE: mine", "\udcff", ":warning:[red]"])
def test_classes_and_folders_with_any_name(out: str) -> None:
    ended = attempt([*SWEEP.split(), out], TABLE)
    assert ended.code == 0, ended.stderr
    for text in (ended.stdout, ended.stderr):
        assert all(line.isprintable() for line in text.split("\n"))
        assert not any(line.startswith(("Better than", "- Better than CE: me")) for line in text.split("\n"))
    assert f"Files: {shown(out)}\n" in ended.stdout
    written = ended.after[f"{out}/table.md"]
    assert isinstance(written, bytes)
    assert b"<script" not in written.replace(rb"\<script", b"")
    assert b"\x1b" not in written


def test_a_table_from_somebody_else_is_printed_escaped(tmp_path: Path) -> None:
    assert typed(["sweep", *SWEEP.split()[1:], "r", "--json"], _laid(tmp_path)).code == 0
    for style in ("rich", "markdown", "summary", "overview", "latex"):
        said = typed(["table", "r", "--format", style], tmp_path)
        assert said.code == 0, said
        assert all(line.isprintable() for line in said.stdout.split("\n")), style
    assert typed(["plot", "r"], tmp_path).code == 0


def _laid(folder: Path) -> Path:
    content = TABLE["d.csv"]
    assert isinstance(content, bytes)
    (folder / "d.csv").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("init", "[/x]\x1b[2J", "r holds values that no sweep writes ("),
        ("average_precision", None, "r/table.csv: None is no average_precision of this version; run the experiment"),
        ("verdict", "[/x]\x1b[2J", r"r/table.csv: '[/x]\x1b[2J' is no verdict of this version; run the experiment"),
        ("n_seeds", 1.5, "r/table.csv: 1.5 is no n_seeds of this version; run the experiment again"),
    ],
)
def test_values_that_no_sweep_writes_are_one_sentence(
    tmp_path: Path, column: str, value: float | str | None, says: str
) -> None:
    """In a folder whose manifest was made to fit."""
    folder = Path(shutil.copytree(COMMITTED, tmp_path / "r"))
    rows = [{**flatten(row), column: value}.values() for row in read_rows(folder / "table.csv", ArmRow)]
    (folder / "table.csv").write_text(csv_text(columns(ArmRow), rows))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["table.csv"] = sha256(folder / "table.csv")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    before = contents(folder)
    said = typed(["table", "r"], tmp_path)
    assert (said.code, said.stdout, len(said.stderr.splitlines())) == (2, "", 1)
    assert said.stderr.startswith(f"focalbench: {says}")
    assert said.stderr.strip().isprintable()
    assert contents(folder) == before
