"""Options that several commands share, the panels of their help, and what a shell completes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from focalbench.cli.about import ABOUT
from focalbench.runs.arm import INITS
from focalbench.runs.catalogue import CATALOGUE
from focalbench.runs.reference import MODELS
from focalbench.runs.resampling import Method

DATA, LOSS, TRAINING, STATISTICS = "Data", "Losses", "Training", "Statistics"  # panels
RUNNING, OUTPUT = "Running", "Output"

BackendName = Literal["serial", "loky", "dask"]
Device = Literal["auto", "cpu", "cuda"]
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["rich", "markdown", "latex", "csv"]


def setting(key: str, panel: str, metavar: str | None = None, default: str = "") -> Any:
    """The option of an experiment's setting. default: what None stands for."""
    text = f"{ABOUT[key]} Default: {default}." if default else ABOUT[key]
    return typer.Option(help=text, metavar=metavar, rich_help_panel=panel)


def repeatable(key: str, panel: str, metavar: str, default: str = "") -> Any:
    """The option of a setting that is a list, each entry given by itself."""
    text = f"{ABOUT[key].removesuffix('.')}; repeatable."
    return typer.Option(help=f"{text} Default: {default}." if default else text, metavar=metavar, rich_help_panel=panel)


def flag(name: str, text: str, panel: str, *, short: tuple[str, ...] = ()) -> Any:
    """An option without a value."""
    return typer.Option(name, *short, help=text, metavar="", rich_help_panel=panel)


FormatOption = Annotated[Format, typer.Option(help="rich (for a terminal), markdown, latex or csv.", metavar="FORMAT")]
StoreOption = Annotated[
    Path | None, typer.Option(help="The database of runs. Default: runs.sqlite in --out.", rich_help_panel=OUTPUT)
]
BackendOption = Annotated[
    BackendName | None,
    typer.Option(help="In this process, in local ones (loky), or on Dask's.", rich_help_panel=RUNNING),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", "-j", help="Processes. Default: one a core.", rich_help_panel=RUNNING)
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="A Dask scheduler, such as tcp://host:8786.", metavar="ADDRESS", rich_help_panel=RUNNING),
]
DryRunOption = Annotated[
    bool, flag("--dry-run", "Print runs, time, memory and disk, from short trials; write nothing.", RUNNING)
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        help="Stop at the last seed that fits into a time, such as 90s, 2m or 1.5h, and show its table.",
        metavar="TIME",
        rich_help_panel=RUNNING,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        help="An HTML page that is kept current while it runs, and is the report at the end.",
        metavar="FILE",
        rich_help_panel=OUTPUT,
    ),
]
JsonOption = Annotated[bool, flag("--json", "Progress and table as lines of JSON.", OUTPUT)]
QuietOption = Annotated[bool, flag("--quiet", "The table and warnings only.", OUTPUT, short=("-q",))]
LevelOption = Annotated[
    Level,
    typer.Option(
        help="How much is said beside the table: debug, info, warning or error.",
        metavar="LEVEL",
        rich_help_panel=OUTPUT,
    ),
]


def level(*, quiet: bool, asked: Level) -> Level:
    """How much is said: less where both are given."""
    return "warning" if quiet and asked != "error" else asked


def data_names(incomplete: str) -> list[str]:
    """The data sets whose name begins so; where there is none, a shell completes files."""
    from focalbench.datasets.synthetic.families import FAMILIES
    from focalbench.datasets.tables.real import REAL_TABLES

    return [name for name in (*FAMILIES, *REAL_TABLES) if name.startswith(incomplete)]


def loss_names(incomplete: str) -> list[str]:
    """The losses whose name begins so."""
    names = (*CATALOGUE, "rivals")
    return [name for name in names if name.startswith(incomplete)]


def reference_names(incomplete: str) -> list[str]:
    """The references whose name begins so."""
    return [name for name in MODELS if name.startswith(incomplete)]


def resampling_names(incomplete: str) -> list[str]:
    """The methods whose name begins so."""
    return [name for name in Method if name.startswith(incomplete)]


def init_names(incomplete: str) -> list[str]:
    """The starts whose name begins so."""
    return [name for name in INITS if name.startswith(incomplete)]
