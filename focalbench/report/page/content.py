"""What a page holds, read from results folders: for each data set the answer, the tables and figures under it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure

from focalbench.analysis.pooled import joined
from focalbench.analysis.recommendation import Recommendation, recommend, recommended
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.files import sha256
from focalbench.base.rows import read_rows
from focalbench.base.text import with_options
from focalbench.plan.toml import claims_in
from focalbench.report.advice import Advice
from focalbench.report.claims import claims_page
from focalbench.report.figures import OfCell, drawn_cells, of_folder
from focalbench.report.figures.forest import DataSet, set_name
from focalbench.report.folder import (
    CLAIMS,
    CURVES,
    EXPERIMENT,
    INFLUENCES,
    LOSS_CURVES,
    PICTURES,
    POINTS,
    RATES,
    RUNS,
    TABLE,
    check_unchanged,
)
from focalbench.report.grid import Grid, Page
from focalbench.report.influences import read_influences
from focalbench.report.manifest import Manifest, read_manifest
from focalbench.report.page.brief import Brief, brief
from focalbench.report.page.pictures import Picture, pictures, pictures_of_all, pictures_of_claims
from focalbench.report.page.rows import Board, board
from focalbench.report.reading import advice_for, classes_of, read_claims, table_of
from focalbench.report.tables import more_grids
from focalbench.report.words import blurb, details, of_cell, short_title, title

OF_MANY = ("differences",)  # the figures of a data set on a page of several folders
EVERY = (*OF_MANY, *(kind for kind in PICTURES if kind not in OF_MANY))  # the answer first
FEW_CELLS = 3  # that get all of their figures
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CellPart:
    """One data set at one rate. key: its place on the page; label: its name where room is short; grids: what stands
    under its table.
    """

    key: str
    name: str
    label: str
    title: str
    brief: Brief
    advice: Advice | None
    board: Board
    grids: tuple[Grid, ...]
    details: tuple[str, ...]
    pictures: tuple[Picture, ...]
    rows: tuple[ArmRow, ...]

    @property
    def then(self) -> tuple[str, ...]:
        """What is advised beyond the answer, which says the first of it."""
        if self.advice is None:
            return ()
        rest = self.advice.sentences[2 if self.brief.model else 1 :]
        return tuple(with_options(sentence, lambda name: f"--{name.replace('_', '-')}") for sentence in rest)


@dataclass(frozen=True)
class FolderPart:
    """How the numbers of a folder came about. command: makes them again; toml: the experiment that it runs."""

    name: str
    command: str
    toml: str
    settings: Pairs
    versions: Pairs
    sha256: Pairs


@dataclass(frozen=True)
class Content:
    """A page. blurb: what its columns mean; claims: what is said of losses, where folders hold that.

    pooled: its rows as one table, where they make one; pictures: of all data sets at once; of_claims: of each claim.
    """

    heading: str
    cells: tuple[CellPart, ...]
    claims: Page | None
    folders: tuple[FolderPart, ...]
    blurb: tuple[str, ...]
    pooled: tuple[ArmRow, ...]
    pictures: tuple[Picture, ...]
    of_claims: tuple[Picture, ...] = ()


def content_of(folders: Sequence[Path]) -> Content:
    """What the page of these results folders holds. Raises InputError where one is none, or its files were changed."""
    tables = [folder for folder in folders if not (folder / CLAIMS).is_file()]
    parts = [_cells(folder, f"d{place}", many=len(folders) > 1) for place, folder in enumerate(tables, 1)]
    cells = tuple(cell for part in parts for cell in part)
    rows = [row for cell in cells for row in cell.rows]
    claims = _claims([folder for folder in folders if folder not in tables])
    folder_parts = tuple(map(_folder, folders))
    pooled, told = _pooled(parts), tuple(blurb(rows)) if rows else ()
    rates = _rates(tables[0]) if len(folders) == len(tables) == 1 else []
    over_all = tuple(pictures_of_all(_sets(cells, pooled), rates))
    of_claims = tuple(_claim_pictures(folders[0])) if len(folders) == 1 and not tables else ()
    return Content(_heading(cells, claims), cells, claims, folder_parts, told, pooled, over_all, of_claims)


def content_so_far(tables: Sequence[Sequence[ArmRow]]) -> Content:
    """What there is of a sweep that still runs. tables: a cell each; none while no seed is whole."""
    cells = tuple(_cell_so_far(f"d{place}", rows) for place, rows in enumerate(tables, 1))
    told = tuple(blurb([row for rows in tables for row in rows])) if tables else ()
    return Content(
        _heading(cells, None) if cells else "Which loss? The first seed is being trained", cells, None, (), told, (), ()
    )


def _cell_so_far(key: str, rows: Sequence[ArmRow]) -> CellPart:
    return CellPart(
        key,
        short_title(rows),
        set_name(rows[0].cell),
        title(rows),
        brief(rows),
        None,
        board(rows, recommended(rows)),
        tuple(more_grids(rows, ())),
        tuple(details(rows)),
        tuple(pictures(OfCell(list(rows), [], []), f"{key}-", OF_MANY)),
        tuple(rows),
    )


def _heading(cells: Sequence[CellPart], claims: Page | None) -> str:
    names = list(dict.fromkeys(cell.rows[0].dataset for cell in cells))
    if not names and claims is not None:
        count = len(claims.grids)
        return f"Is it true? {count} claim{'s' * (count != 1)} on losses"
    many = f"{len(cells)} tables of {len(names)} data sets"
    return f"Which loss for {names[0] if len(names) == 1 else many}?"


def _claims(folders: Sequence[Path]) -> Page | None:
    if not folders:
        return None
    for folder in folders:
        check_unchanged(folder, [CLAIMS])
    return claims_page(*read_claims(folders))


def _claim_pictures(folder: Path) -> list[Picture]:
    check_unchanged(folder, [POINTS, LOSS_CURVES])
    return pictures_of_claims(folder, claims_in(folder / EXPERIMENT))


def _pooled(parts: Sequence[Sequence[CellPart]]) -> tuple[ArmRow, ...]:
    """All rows as one table, to be pooled over data sets; none where two folders hold the same one."""
    tables = [[row for cell in part for row in cell.rows] for part in parts]
    cells = [cell.rows[0].cell for part in parts for cell in part]
    return tuple(joined(tables)) if cells and len(set(cells)) == len(cells) else ()


def _sets(cells: Sequence[CellPart], pooled: Sequence[ArmRow]) -> list[DataSet]:
    """Each data set with its rows; what these say over all of them is that of the page."""
    if pooled:
        return [(cell.label, [row for row in pooled if row.cell == cell.rows[0].cell]) for cell in cells]
    return [(cell.label, [replace(row, over=None) for row in cell.rows]) for cell in cells]


def _rates(folder: Path) -> list[Figure]:
    return list(of_folder(drawn_cells(folder), RATES).values())


def _cells(folder: Path, key: str, *, many: bool) -> list[CellPart]:
    table, classes = table_of(folder), classes_of(folder)
    check_unchanged(folder, [RUNS, CURVES])
    runs = read_rows(folder / RUNS, RunRow)
    found = recommend(table, runs, read_influences(folder / INFLUENCES))
    drawn = drawn_cells(folder)
    kinds = OF_MANY if many or len(drawn) > FEW_CELLS else EVERY
    where = f" ({folder.name}, {_network(folder)})" if many else ""
    return [
        _cell(folder, f"{key}-{place}", each, of, of_cell(each.cell, classes), kinds, where)
        for place, (each, of) in enumerate(zip(found, drawn, strict=True), 1)
    ]


def _network(folder: Path) -> str:
    """Which network the folder's losses trained."""
    said = read_manifest(folder).experiment or {}
    units = "-".join(map(str, said.get("hidden", ()))) if said.get("model") == "mlp" else ""
    return f"{said.get('model', '')} {units}".strip()


def _cell(
    folder: Path,
    key: str,
    found: Recommendation,
    of: OfCell,
    classes: Sequence[ClassRow],
    kinds: Sequence[str],
    where: str,
) -> CellPart:
    rows, advice = found.cell, advice_for(folder, found)
    return CellPart(
        key,
        short_title(rows) + where,
        set_name(rows[0].cell) + (f" ({folder.name})" if where else ""),
        title(rows, classes) + where,
        brief(rows, found),
        advice,
        board(rows, advice.model),
        tuple(more_grids(rows, classes)),
        tuple(details(rows, classes)),
        tuple(pictures(of, f"{key}-", kinds)),
        rows,
    )


def _folder(folder: Path) -> FolderPart:
    manifest = read_manifest(folder)
    path = folder / EXPERIMENT
    toml = path.read_text(encoding="utf-8") if path.is_file() else ""
    name = folder.as_posix() if not folder.is_absolute() else folder.name
    return FolderPart(
        name,
        f"focalbench run {name}/{EXPERIMENT}",
        toml,
        _settings(manifest.experiment or {}),
        _versions(manifest),
        _hashes(folder),
    )


def _hashes(folder: Path) -> Pairs:
    return tuple((name, sha256(folder / name)) for name in (TABLE, CLAIMS, RUNS) if (folder / name).is_file())


def _settings(experiment: Mapping[str, object]) -> Pairs:
    """The settings of an experiment that say something; its arms stand in the table."""
    said = ((key, _text(value)) for key, value in experiment.items() if key not in ("arms", "columns"))
    return tuple((key, text) for key, text in said if text)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join("natural" if each is None else str(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value in (None, {}, "") else str(value)


def _versions(manifest: Manifest) -> Pairs:
    made = ((name, version) for each in manifest.versions or () for name, version in each.items())
    again = (("the same numbers again", manifest.same_numbers),) if manifest.same_numbers else ()
    return (*dict.fromkeys(made), *again)
