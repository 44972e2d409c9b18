"""The blocks of our pages that are made from results: `python -m tests.support.pages` writes them anew.

A block stands between `<!-- name -->` and `<!-- /name -->`; what is between is what `blocks()` gives for the name.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from focalbench.analysis.pooled import joined
from focalbench.analysis.rows import ArmRow
from focalbench.base.rows import read_rows
from focalbench.cli.losses import losses_page
from focalbench.plan.claims import Claim
from focalbench.report.claims import claim_lines, claim_tables
from focalbench.report.grid import Column, Grid, markdown_lines, plain_grid
from focalbench.report.reading import read_claims
from focalbench.report.recalibration import NAMES, recalibration_grid
from focalbench.report.tables import display, overview, summary
from focalbench.report.words import cells, short_title

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "results"
PAGES = {
    page: page.read_text(encoding="utf-8")
    for pattern in (
        "README.md",
        "*/README.md",
        "results/claims.md",
        "focalbench/*/README.md",
        ".github/CONTRIBUTING.md",
    )
    for page in sorted(ROOT.glob(pattern))
    if not page.parent.name.startswith(".pytest")
}
EVERY = "\n".join(PAGES.values())
OF_DATA = ("headline", "families", "dense", "census", "adbench", "flights", "classes", "labels")
GOALS = {"bench": ("1", "2", "3"), "training": ("training1", "training2", "training3")}
ID = re.compile(r"([A-Z]+)([0-9]+)([a-z]*)")  # of our claims


def table(name: str) -> list[ArmRow]:
    """The table of a results folder."""
    return read_rows(RESULTS / name / "table.csv", ArmRow)


def blocks() -> dict[str, str]:
    """What stands in each block, by its name."""
    claims, rows = read_claims(sorted(RESULTS.glob("claims-*")))
    claims.sort(key=_order)
    tables = [overview(table(name)).partition("\n\n")[0].splitlines() for name in OF_DATA]
    together = overview(joined([table(name) for name in ("census", "adbench", "flights")]))
    (losses,) = losses_page().grids
    return {
        "faults": (RESULTS / "faults" / "figures.md").read_text(encoding="utf-8"),
        "headline": summary(table("headline")),
        "rivals": summary(table("rivals")),
        "resampling": _text(markdown_lines(_differences(table("resampling")))),
        "recalibration": _text(markdown_lines(_skills(table("resampling")))),
        "resnet": summary(table("resnet")),
        "data": _text([*tables[0][:2], *(line for lines in tables for line in lines[2:])]),
        "pooled": f"{together.partition(chr(10) * 2)[2].strip()}\n",
        "losses": _text(markdown_lines(losses)),
        "claims": claim_lines([claim for claim in first_of_each_number(claims) if claim.id.startswith("C")], rows),
        **claim_tables(claims, rows),
        **{name: _text(_goals(name, folders)) for name, folders in GOALS.items()},
    }


def _differences(rows: Sequence[ArmRow]) -> Grid:
    """A row an arm, a column a data set: AUCPR of the baseline, and what the others differ by, with the verdict."""
    every = cells(rows)
    names = dict.fromkeys(row.arm for row in rows)
    lines = [[name, *(_difference(row) for cell in every for row in cell if row.arm == name)] for name in names]
    return plain_grid([Column("arm"), *(Column(short_title(cell), right=True) for cell in every)], lines)


def _difference(row: ArmRow) -> str:
    _, value, delta, verdict, _ = display(row)
    return f"{delta} {verdict.partition(':')[0]}" if delta else value


def _skills(rows: Sequence[ArmRow]) -> Grid:
    """A row a data set and arm: the skill of its probabilities by each way to them."""
    lines = [
        [short_title(cell), *line.cells]
        for cell in cells(rows)
        for grid in [recalibration_grid([("", cell)])]
        if grid is not None
        for line in grid.sections[0].lines
    ]
    return plain_grid([Column("data"), Column("arm"), *(Column(name, right=True) for name in NAMES)], lines)


def filled(page: str, found: dict[str, str]) -> str:
    """A page with the blocks of these names made anew."""
    marked = re.compile(r"(<!-- ([\w ]+) -->\n)(.*?)(<!-- /\2 -->)", re.DOTALL)
    return marked.sub(lambda block: f"{block[1]}{found.get(block[2], block[3])}{block[4]}", page)


def block(name: str) -> str:
    """What a page holds between the marks of a name."""
    (found,) = set(re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", EVERY, re.DOTALL))  # on each page the same
    return str(found)


def marked_blocks() -> list[str]:
    """The names of all blocks on our pages."""
    return re.findall(r"<!-- /([\w ]+) -->", EVERY)


def first_of_each_number(claims: Sequence[Claim]) -> list[Claim]:
    """Of C1a, C1b, C2, ... the first of each number: which of them stand on the first page is no choice of ours."""
    first = {_order(claim)[:2]: claim for claim in reversed(claims)}
    return [first[number] for number in sorted(first)]


def _goals(name: str, folders: Sequence[str]) -> list[str]:
    """What a benchmark reached of its goals, a column a run."""
    runs = [_reached(folder) for folder in folders]
    head = f"| | {' | '.join(f'run {place}' for place, _ in enumerate(folders, 1))} | wanted |"
    return [
        head,
        f"|{'---|' * (len(folders) + 2)}",
        *(
            f"| {goal} | {' | '.join(run[goal][0] for run in runs)} | {wanted} |"
            for goal, (_, wanted) in runs[0].items()
            if name == "bench" or ", batch " in goal  # of a network; the other parts were measured anew
        ),
    ]


def _reached(folder: str) -> dict[str, tuple[str, str]]:
    """Of each goal of a benchmark's page, what was reached and what was wanted."""
    page = (RESULTS / "bench" / folder / "bench.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.partition("## Goals\n")[2].splitlines() if " | " in line]
    return {cells[0]: (cells[1], cells[2]) for cells in rows if len(cells) == 4}


def _order(claim: Claim) -> tuple[str, int, str]:
    found = ID.fullmatch(claim.id)
    assert found, claim.id
    return found[1], int(found[2]), found[3]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    made = blocks()
    for page, text in PAGES.items():
        page.write_text(filled(text, made), encoding="utf-8")
