"""A results folder as Python sees it: its table, its runs, what it supports, its figures."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from sklearn.pipeline import Pipeline

    from focalbench.analysis.rows import ArmRow, ClassRow
    from focalbench.report.advice import Advice
    from focalbench.runs.arm import Arm

DATA = "data"  # the folder of the rows, beside the results
UNREPORTED = ("timings.csv", DATA)  # of a folder, which a copy goes without
WIDTH = 80  # characters of a printed table


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison of losses found, in a results folder.

    Attributes:
        folder: the results folder: the same files that `focalbench sweep` writes.
        notes: how the data were read, and how training ended; () of a folder that was loaded.
    """

    folder: Path
    notes: tuple[str, ...] = ()
    _temporary: bool = field(default=False, repr=False)  # whether the folder goes with this object

    def __post_init__(self) -> None:
        if self._temporary:
            finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @cached_property
    def _rows(self) -> list[ArmRow]:
        from focalbench.report.reading import table_of

        return table_of(self.folder)

    @cached_property
    def _classes(self) -> list[ClassRow]:
        from focalbench.report.reading import classes_of

        return classes_of(self.folder)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each loss and reference: table.csv, every column unrounded."""
        return _frame(self.folder / "table.csv")

    @property
    def runs(self) -> pd.DataFrame:
        """A row for each network and reference that was trained: runs.csv."""
        return _frame(self.folder / "runs.csv")

    @property
    def columns(self) -> pd.DataFrame:
        """How each column of the data was read: columns.csv. Raises InputError where the data are synthetic."""
        return _frame(self.folder / "columns.csv")

    @property
    def conclusions(self) -> list[str]:
        """What the table supports, in sentences, the decision first."""
        from focalbench.report.words import cells, conclusions, of_cell

        return [text for cell in cells(self._rows) for text in conclusions(cell, of_cell(cell, self._classes))]

    @property
    def best(self) -> Arm:
        """The loss to train with: one that is shown to be better than the baseline by what may matter, else the
        baseline. Of several data sets, of the first.
        """
        from focalbench.analysis.recommendation import recommended
        from focalbench.report.reading import arm_called
        from focalbench.report.words import cells

        return arm_called(self.folder, recommended(cells(self._rows)[0]).arm)

    @property
    def advice(self) -> Advice:
        """What to do on the first data set: `.sentences`, the decision first, and `.code` to paste, by library. Raises
        InputError where the folder holds no runs.
        """
        from focalbench.api.messages import as_parameters
        from focalbench.report.reading import advice_of

        with as_parameters():
            return advice_of(self.folder)[0]

    def refit(self) -> Pipeline:
        """Fit what is advised once more, on the training and validation rows of the first seed.

        Returns:
            A scikit-learn Pipeline: its predict_proba and predict take frames with the columns of X, its predict flags
            rows at the threshold that `threshold_at` asked for, else at a probability of one half.
            `focalbench.jobs.keeping.keep_model` writes it as the command line does.

        Raises:
            InputError: where the rows are not there, as of a comparison that was loaded, or thinned to another rate.
        """
        from focalbench.api.messages import as_parameters
        from focalbench.jobs.refit import refit
        from focalbench.plan.planning import make_plan
        from focalbench.plan.toml import load as load_experiment

        files = tuple((self.folder / DATA).glob("*.parquet"))
        if not files:
            raise InputError("the rows are not kept with a comparison that was loaded; compare again, then refit")
        with as_parameters():
            experiment, _ = load_experiment(self.folder / "experiment.toml", files)
            run = make_plan(experiment).runs[0]
            advice = self.advice
            return refit(run.recipe, run.seed, advice.model.arm, advice.trained, experiment.threshold_at).model

    def plot(self, name: str = "differences") -> Axes:
        """A figure of the first data set, shown in a notebook.

        Args:
            name: differences (to the baseline), gamma (the metric against it), heat_map (alpha by gamma), rates (gamma
                at each rate), epochs (validation by epoch), precision_recall, net_benefit, reliability, classes, or
                forest (all data sets).

        Returns:
            Its axes; the figure is their `figure`.

        Raises:
            InputError: for another name, and where the comparison has nothing to draw there.
        """
        from focalbench.report.figures import check_names, first_picture
        from focalbench.report.fonts import use_fonts

        check_names([name])
        fig = first_picture(self.folder, name)
        if fig is None:
            raise InputError(f"there is nothing to draw in the figure {name!r} of this comparison")
        use_fonts(fig)  # before others save it
        _display(fig)
        return fig.axes[0]

    def save(self, folder: str | Path) -> Path:
        """Copy the results into a new folder: all but the rows of data themselves.

        Args:
            folder: that is not there yet, or is empty.

        Returns:
            Its path, which `focalbench.load` and the commands `focalbench table`, `plot` and `check` take.

        Raises:
            InputError: where the folder holds anything.
        """
        place = Path(folder)
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InputError(f"{place} is there already; choose a new folder")
        shutil.copytree(self.folder, place, ignore=_unreported, dirs_exist_ok=True)
        return place

    def __str__(self) -> str:
        from rich.console import Console

        from focalbench.report.tables import terminal_text

        return terminal_text(self._rows, Console(width=WIDTH, no_color=True, force_terminal=False), self._classes)

    def _repr_html_(self) -> str:
        from focalbench.report.html import table_html

        return table_html(self._rows, self._classes)


def load(folder: str | Path) -> Comparison:
    """A comparison from its folder, written by `Comparison.save`, `focalbench sweep` or `focalbench run`.

    Args:
        folder: a results folder.

    Returns:
        The comparison.

    Raises:
        InputError: where it holds no table, or one that is not as its manifest says.
    """
    found = Comparison(Path(folder))
    _ = found._rows, found._classes
    return found


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise InputError(f"{path.parent} holds no {path.name}")
    return pd.read_csv(path)


def _unreported(_: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in UNREPORTED or name.startswith("runs.sqlite")]


def _display(fig: Any) -> None:
    """Show a figure in a notebook; elsewhere it is for the caller to show or save."""
    import io

    from focalbench.api.watching import in_notebook

    if in_notebook():
        from IPython.display import Image, display

        png = io.BytesIO()
        fig.savefig(png, dpi=150, format="png")
        display(Image(png.getvalue(), width=int(100 * fig.get_figwidth())))
