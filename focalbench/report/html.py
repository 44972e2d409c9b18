"""A table as HTML that stands by itself, every text escaped."""

from collections.abc import Iterator, Sequence
from html import escape

from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.base.text import shown
from focalbench.report.grid import Grid, Page
from focalbench.report.page.brief import Brief, brief
from focalbench.report.tables import arm_grid, more_grids
from focalbench.report.words import answer, blurb, cells, details, of_cell, title


def table_html(table: Sequence[ArmRow], classes: Sequence[ClassRow] = ()) -> str:
    """All cells: what they say, their tables, and folded away what it rests on. classes: the rows of per_class."""
    parts = [part for cell in cells(table) for part in _of_cell(cell, of_cell(cell, classes))]
    return "\n".join(['<div class="focalbench">', *parts, *_folded("What the columns mean", blurb(table)), "</div>"])


def page_html(page: Page) -> str:
    """A page: what it says first, its tables, and the rest of its remarks."""
    decision, *others = page.remarks
    grids = [line for grid in page.grids for line in grid_html(grid)]
    parts = [f"<p>{_text(decision)}</p>", *grids, *_folded("What this rests on", others)]
    return "\n".join(['<div class="focalbench">', *parts, "</div>"])


def _of_cell(cell: Sequence[ArmRow], classes: Sequence[ClassRow]) -> Iterator[str]:
    yield f"<p><b>{_text(title(cell, classes))}</b></p>"
    yield from (f"<p>{_text(sentence)}</p>" for sentence in answer(cell))
    yield from _asked(brief(cell))
    for grid in (arm_grid(cell), *more_grids(cell, classes)):
        yield from grid_html(grid)
    yield from _folded("What this rests on", details(cell, classes))


def _asked(found: Brief) -> Iterator[str]:
    """How sure the answer is, and what somebody asks next, as on the page of a report."""
    yield f"<p><b>{_text(found.loss.headline)}: {_text(found.loss.sure.value.lower())}</b></p>"
    parts = (f"<dt>{_text(question)}</dt><dd>{_text(' '.join(texts))}</dd>" for question, texts in found.asked)
    yield f"<dl>{''.join(parts)}</dl>"


def grid_html(grid: Grid) -> Iterator[str]:
    """The lines of a table in HTML, with its title as its caption."""
    yield "<table>"
    if grid.title:
        yield f"<caption>{_text(grid.title)}</caption>"
    sides = [_side(right=column.right) for column in grid.columns]
    heads = [
        f'<th scope="col"{side}>{_text(each.heading)}</th>' for each, side in zip(grid.columns, sides, strict=True)
    ]
    yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    for section in grid.sections:
        yield "<tbody>"
        if section.title:
            whole = f'scope="rowgroup" colspan="{len(grid.columns)}"{_side(right=False)}'
            yield f"<tr><th {whole}>{_text(section.title)}</th></tr>"
        for line in section.lines:
            texts = [f"<td{side}>{_text(cell)}</td>" for cell, side in zip(line.cells, sides, strict=True)]
            yield f"<tr>{''.join(texts)}</tr>"
        yield "</tbody>"
    yield "</table>"


def _side(*, right: bool) -> str:
    return f' style="text-align:{"right" if right else "left"}"'


def _folded(summary: str, sentences: Sequence[str]) -> list[str]:
    items = "".join(f"<li>{_text(sentence)}</li>" for sentence in sentences)
    return [f"<details><summary>{_text(summary)}</summary><ul>{items}</ul></details>"]


def _text(text: str) -> str:
    return escape(shown(text))
