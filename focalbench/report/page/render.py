"""A page as text: one file, nothing loaded from elsewhere, every text of others escaped, its own hash at its end."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from focalbench import __version__
from focalbench.analysis.recommendation import gain, main_rows, winners
from focalbench.analysis.rows import Kind
from focalbench.base.text import shown
from focalbench.report.colors import DARK, variables_in
from focalbench.report.grid import Column, Grid
from focalbench.report.over_tables import over_grid, over_sentences
from focalbench.report.page.brief import counted
from focalbench.report.page.content import CellPart, Content
from focalbench.report.page.rows import Dialect, Shown
from focalbench.report.tables import display

EVERY = 10  # seconds
SEAL = re.compile(r"<!-- sha256 ([0-9a-f]{64}) of what stands above -->\n\Z")
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")
OVERVIEW = (
    Column("data"),
    Column("loss"),
    Column("how sure"),
    Column("better model"),
    Column("rate", right=True),
    Column("positives to train on", right=True),
    Column("best other loss"),
    Column("vs baseline", right=True),
)


@dataclass(frozen=True)
class OverviewLine:
    """A line of the overview. key: of the part that it leads to."""

    key: str
    cells: tuple[Shown, ...]


@dataclass(frozen=True)
class Overview:
    """What a page of several data sets begins with. rate, positives: the places of these columns."""

    columns: tuple[Column, ...]
    lines: tuple[OverviewLine, ...]
    rate: int = 4
    positives: int = 5


def page_text(content: Content, *, live: str = "") -> str:
    """The page. live: what is said of a sweep that still runs; it is then loaded anew now and then."""
    js, css = _asset("page.js"), _asset("page.css")
    several, pooled = len(content.cells) > 1, over_grid(content.pooled) if content.pooled else None
    text = (
        _environment()
        .get_template("page.html")
        .render(
            content=content,
            overview=_overview(content) if several else None,
            counted=counted([(cell.brief, cell.rows) for cell in content.cells]) if several else (),
            pooled=pooled,
            pooled_said=over_sentences(content.pooled) if pooled else (),
            sources=json.dumps(
                {f"{part.name}/{name}": hashed for part in content.folders for name, hashed in part.sha256}
            ),
            live=live,
            every=EVERY if live else 0,
            css=Markup(css),
            dark=variables_in("".join([css, *_drawn(content)]), DARK),
            js=Markup(js),
            script_hash=f"sha256-{base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()}",
            version=__version__,
        )
    )
    return sealed(text)


def _drawn(content: Content) -> Iterator[str]:
    for pictures in (content.pictures, content.of_claims, *(cell.pictures for cell in content.cells)):
        yield from (picture.svg for picture in pictures)


def sealed(text: str) -> str:
    """A text with its hash at its end."""
    body = f"{text.rstrip()}\n"
    return f"{body}<!-- sha256 {hashlib.sha256(body.encode()).hexdigest()} of what stands above -->\n"


def is_sealed(text: str) -> bool:
    """Whether a text is, to the byte, one that was sealed."""
    found = SEAL.search(text)
    return found is not None and hashlib.sha256(text[: found.start()].encode()).hexdigest() == found[1]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("focalbench.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(copies=_copies, options=_options)
    made.globals.update(lines=_lines, markup=Markup, untitled=_untitled)
    return made


def _printable(value: object) -> object:
    """A text of others as one line without control characters; what is markup already is ours."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(text: str) -> Markup:
    """A text of several lines, escaped."""
    return Markup("\n").join(escape(shown(line)) for line in text.splitlines())


def _options(text: str) -> Markup:
    """A sentence whose options are not broken at a line's end."""
    return Markup(_OPTION.sub(r"<code>\1</code>", str(escape(shown(text)))))


def _copies(dialects: Mapping[str, Dialect]) -> Markup:
    """What the buttons copy, as JSON that ends no script."""
    text = json.dumps({name: asdict(each) for name, each in dialects.items()}, ensure_ascii=False)
    return Markup(re.sub("[<>&\u2028\u2029]", lambda sign: f"\\u{ord(sign[0]):04x}", text))


def _untitled(grid: Grid) -> Grid:
    return replace(grid, title="")


def _asset(name: str) -> str:
    return files("focalbench.report.page").joinpath(name).read_text(encoding="utf-8")


# ---- the overview


def _overview(content: Content) -> Overview:
    return Overview(OVERVIEW, tuple(map(_overview_line, content.cells)))


def _overview_line(cell: CellPart) -> OverviewLine:
    first = cell.rows[0]
    rate = first.prevalence if first.positive_rate is None else first.positive_rate
    others = [row for row in main_rows(cell.rows) if row.delta is not None]
    best = max(winners(others) or others, key=gain, default=None)
    cells = (
        _same(cell.name),
        _same(cell.brief.loss.headline),
        _same(cell.brief.loss.sure.value),
        _same(_other_model(cell)),
        Shown(f"{rate:.3g}", rate),
        Shown(f"{first.sizes.train_positives:,}", first.sizes.train_positives),
        _same("" if best is None else best.name),
        Shown("", None) if best is None else Shown(display(best)[2], gain(best)),
    )
    return OverviewLine(cell.key, cells)


def _other_model(cell: CellPart) -> str:
    if cell.brief.model and cell.advice:
        return cell.advice.model.arm
    return "none shown" if any(row.kind is Kind.REFERENCE for row in cell.rows) else "none tried"


def _same(text: str) -> Shown:
    return Shown(text, text)
