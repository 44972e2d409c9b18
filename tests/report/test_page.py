"""A report is one file: complete, loading nothing, its numbers those of table.csv, texts of others only ever shown."""

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from focalbench.analysis.comparison import compare
from focalbench.analysis.rows import ArmRow, Verdict
from focalbench.base.rows import read_rows
from focalbench.errors import MachineError
from focalbench.report.colors import DARK, turned
from focalbench.report.figures import drawn_cells, picture
from focalbench.report.folder import CLAIMS, PICTURES, TABLE
from focalbench.report.page.brief import Sure, brief, counted
from focalbench.report.page.content import content_of
from focalbench.report.page.pictures import pictures
from focalbench.report.page.render import is_sealed, page_text
from focalbench.report.page.rows import board
from focalbench.report.page.target import faults_of
from focalbench.report.tables import display
from focalbench.report.words import cells
from tests.support.attempts import typed
from tests.support.pages import RESULTS, ROOT
from tests.support.reports import COLUMN, HOSTILE, SHORT, Parsed, copies, hostile_results, parsed, words
from tests.support.runs import two_arms

ONE, SEVERAL = "census", ("headline64", "adbench")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_results(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def page() -> str:
    return page_text(content_of([RESULTS / ONE]))


@pytest.fixture(scope="module")
def found(page: str) -> Parsed:
    return parsed(page)


def test_names_of_others_are_shown_and_never_obeyed(hostile: Path) -> None:
    made = parsed(page_text(content_of([hostile])))
    assert made.all("img") == []
    assert made.all("b") == []
    assert {each.attributes.get("type", "") for each in made.all("script")} == {"", "application/json"}
    assert len([each for each in made.all("script") if not each.attributes]) == 1
    assert not [name for each in made.elements for name in each.attributes if name.startswith("on")]
    (heading,) = made.all("h1")
    assert HOSTILE in heading.text
    assert "alert" not in next(each for each in made.all("script") if not each.attributes).text
    assert COLUMN.partition(">")[0] not in words(each.text for each in made.all("title"))


def test_nothing_is_loaded_from_elsewhere(page: str, found: Parsed) -> None:
    loading = ("src", "href", "xlink:href", "action", "data", "poster", "srcset", "background")
    places = [each.attributes[name] for each in found.elements for name in loading if name in each.attributes]
    assert all(place.startswith("#") for place in places)
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert "@import" not in page
    assert "http://" not in page
    assert "https://" not in page
    (policy,) = [each for each in found.all("meta") if each.attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.attributes["content"].startswith("default-src 'none'; ")
    assert "script-src 'sha256-" in policy.attributes["content"]


def test_every_anchor_and_label_leads_somewhere_once(found: Parsed) -> None:
    ids = [each.attributes["id"] for each in found.elements if "id" in each.attributes]
    assert len(set(ids)) == len(ids)
    named = [
        each.attributes[name] for each in found.elements for name in ("aria-labelledby",) if name in each.attributes
    ]
    links = [
        each.attributes[name][1:]
        for each in found.elements
        for name in ("href", "xlink:href")
        if name in each.attributes
    ]
    assert set(named) | set(links) <= set(ids)


def test_every_number_is_the_tables(found: Parsed) -> None:
    rows = list(csv.DictReader(io.StringIO((RESULTS / ONE / TABLE).read_text(encoding="utf-8"))))
    copied = [row for each in copies(found) for row in _as_rows(each["csv"])]
    same = {"value": "average_precision", "value_low": "ap_low", "value_high": "ap_high"}
    names = (
        "arm",
        "delta",
        "delta_low",
        "delta_high",
        "margin",
        "verdict",
        "seeds_to_decide",
        "recovered_log_loss_skill",
    )
    assert len(copied) == len(rows) > 40
    for ours, theirs in zip(copied, rows, strict=True):
        assert [ours[name] for name in names] == [theirs[name] for name in names]
        assert [ours[name] for name in same] == [theirs[name] for name in same.values()]


def _as_rows(dialect: dict[str, object]) -> list[dict[str, str]]:
    lines = dialect["lines"]
    assert isinstance(lines, list)
    return list(csv.DictReader(io.StringIO("\n".join([str(dialect["head"]), *lines]))))


def test_every_row_stands_as_it_is_printed(found: Parsed) -> None:
    shown = [words([each.text]) for each in found.all("tr") if "data-row" in each.attributes]
    rows = [row for cell in cells(read_rows(RESULTS / ONE / TABLE, ArmRow)) for row in cell]
    assert len(shown) == len(rows)
    for text, row in zip(shown, rows, strict=True):
        assert text.startswith(row.name)
        assert all(part in text for part in display(row)[1:])


def test_a_page_is_small_complete_and_the_same_again(page: str, hostile: Path) -> None:
    several = page_text(content_of([RESULTS / name for name in SEVERAL]))
    assert max(len(page.encode()), len(several.encode())) < 3_000_000
    assert all(map(is_sealed, (page, several)))
    assert not is_sealed(page.replace(".615", ".715", 1))
    again = content_of([hostile])
    assert page_text(again) == page_text(content_of([hostile]))
    for text in ("How each number is made", "Settings", "Versions", "again, with one command", "focalbench run "):
        assert text in page


@pytest.mark.parametrize(("folders", "mean"), [(("census", "adbench"), True), (("headline", "headline64"), False)])
def test_a_forest_tells_every_row_and_a_mean_only_over_different_data_sets(
    folders: tuple[str, ...], mean: bool
) -> None:
    content = content_of([RESULTS / name for name in folders])
    (forest,) = content.pictures
    told = re.findall(r"<title>(.*?)</title>", forest.svg, re.DOTALL)
    rows = {
        (cell.label, row.arm, display(row)[2]) for cell in content.cells for row in cell.rows if row.arm == "gamma=2"
    }
    assert len(rows) == len(content.cells)
    for label, arm, delta in rows:
        assert any(text.startswith(f"{label}\n{arm}: ") and delta in text for text in told)
    assert ("mean over data sets" in forest.svg) is mean


def test_a_folder_of_one_data_set_at_several_rates_shows_these_together() -> None:
    kinds = [made.title for made in content_of([RESULTS / "census"]).pictures]
    assert kinds == [
        "Every data set: differences, in units of the least that matters there",
        "The metric against the focusing exponent at each rate",
    ]
    assert content_of([RESULTS / "dense"]).pictures == ()


def test_a_page_of_claims_has_every_claim_its_figure_and_how_to_run_it_again() -> None:
    text = page_text(content_of([RESULTS / "claims-losses"]))
    made = parsed(text)
    rows = list(csv.DictReader(io.StringIO((RESULTS / "claims-losses" / CLAIMS).read_text(encoding="utf-8"))))
    claims = list(dict.fromkeys(row["claim"] for row in rows))
    assert [each.text for each in made.all("h1")] == [f"Is it true? {len(claims)} claims on losses"]
    captions = words(each.text for each in made.all("figcaption"))
    assert all(f"{claim}: " in captions for claim in claims)
    assert "focalbench run " in text
    assert "prefers-color-scheme: dark" in text
    means = [f"{float(row['number']):+.3f}".replace("0.", ".") for row in rows if row["number"]]
    assert means
    assert all(mean in text for mean in means if abs(float(mean)) > 0.01)


def test_the_counts_say_where_another_loss_is_better() -> None:
    def first(*names: str) -> str:
        parts = content_of([RESULTS / name for name in names]).cells
        return counted([(cell.brief, cell.rows) for cell in parts])[0]

    assert first("headline64", "headline") == (
        "Mostly stay with BCE: of 4 tables, on 3 that is not decided yet, "
        "on 1 of synthetic data another loss is shown to be better by what may matter."
    )
    assert first("rivals").startswith("It depends on the data: of 1 tables, on 1 of synthetic data ")
    assert first("census").startswith("Stay with BCE: of 2 tables, ")


def test_what_a_row_says_otherwise_or_what_matters_little_is_said_in_the_answer() -> None:
    said = {cell.rows[0].dataset: cell for cell in content_of([RESULTS / "adbench"]).cells}
    cover, aloi = said["adbench:cover"].brief, said["adbench:aloi"].brief
    assert cover.model is not None
    assert cover.model.reason.endswith(", less than the .042 that matters here.")
    assert aloi.model is not None
    assert "matters here" not in aloi.model.reason
    alone = "That compares it with BCE alone; among all rows at once, as in the table, it is undecided."
    assert alone in aloi.certain
    assert not any("alone" in text for text in cover.certain)  # whose row is better, too
    assert any(text.startswith("Little is learnt here: ") for text in aloi.certain)
    assert not any("Little" in text for text in cover.certain)
    assert [text[:10] for text in aloi.start] == ["The start:"]


def test_figures_keep_their_texts_and_tell_their_numbers() -> None:
    of = drawn_cells(RESULTS / ONE)[0]
    for made in pictures(of, "x-"):
        fig = picture(of, made.kind)
        assert fig is not None
        fig.draw_without_rendering()
        ticks = [
            tick.label1.get_text()
            for ax in fig.axes
            for axis in (ax.xaxis, ax.yaxis)
            for tick in axis.get_major_ticks()
            if axis.get_view_interval()[0] <= tick.get_loc() <= axis.get_view_interval()[1]
        ]
        assert len(ticks) > 5
        assert all(re.sub(r"\$.*?\{(.*)\}\$", r"\1", text) in made.svg for text in ticks)
    assert [made.kind for made in pictures(of, "x-")] == [kind for kind in PICTURES if kind != "classes"]
    (curve,) = [made for made in pictures(of, "x-") if made.kind == "precision_recall"]
    assert sum(text.startswith("boosting: AUCPR .657") for text in re.findall(r"<title>(.*?)</title>", curve.svg)) == 1
    differences = next(made for made in pictures(of, "x-") if made.kind == "differences")
    told = re.findall(r"<title>(.*?)</title>", differences.svg, re.DOTALL)
    row = next(row for row in of.rows if row.arm == "gamma=2")
    assert f"gamma=2: AUCPR {display(row)[1]}, vs BCE {display(row)[2]}, verdict {display(row)[3]}" in words(told)


def cell_of(gain: float, seeds: int = 20) -> list[ArmRow]:
    return compare(two_arms(seeds, gain), lambda _: ())


def test_every_colour_of_a_figure_is_another_on_a_dark_page() -> None:
    text = page_text(content_of([RESULTS / ONE]))
    assert not re.findall(r"(?:fill|stroke): #", text)
    (rule,) = re.findall(r"@media screen and \(prefers-color-scheme: dark\) \{ :root \{ (.*?) \} \}", text)
    dark = dict(each.split(": ") for each in rule.rstrip("; ").split("; "))
    used = set(re.findall(r"var\((--_[0-9a-f]{6}),", text))
    assert set(dark) == used >= {"--_ffffff", "--_1a1a1a", "--_000000"}
    assert dark == {name: turned(f"#{name.removeprefix('--_')}", DARK) for name in used}


def test_the_answer_says_which_how_much_how_sure_and_what_if_not() -> None:
    won = brief(cell_of(0.2))
    assert (won.loss.headline, won.loss.sure, won.model) == ("Use gamma=2", Sure.WON, None)
    assert "a difference of +" in won.much[0]
    assert "the whole 95% interval" in won.certain[0]
    assert won.wrong[0].startswith("At the worse end of its interval gamma=2 still gains .1")
    stays = brief(cell_of(-0.2))
    assert (stays.loss.headline, stays.loss.sure) == ("Stay with BCE", Sure.BOUND)
    assert stays.wrong[0] == "Nothing is lost by staying with BCE: every other loss is worse."
    few = brief(cell_of(0.2, seeds=2))
    assert (few.loss.headline, few.loss.sure, few.much, few.wrong) == ("No verdict", Sure.NONE, (), ())


def test_a_model_that_is_better_comes_first_and_the_loss_beside_it() -> None:
    first = content_of([RESULTS / ONE]).cells[0]
    assert first.brief.model is not None
    assert first.brief.model.headline == "Take boosting rather than a network"
    assert first.brief.loss.headline == "Stay with BCE"
    assert not {f"{each.headline}: " for each in (first.brief.model, first.brief.loss)} & set(first.then)
    (taken,) = [line for line in first.board.lines if line.taken]
    assert taken.cells[0].text == "boosting"


def test_under_a_table_stands_what_it_takes_to_read_it() -> None:
    first, *_ = cells(read_rows(RESULTS / "rivals" / TABLE, ArmRow))
    of_start, of_seeds, of_budget = board(first, first[0]).notes
    assert of_start.startswith("vs BCE: compared with BCE from the same start")
    assert of_seeds.startswith("undecided: so many seeds")
    assert of_budget.startswith("*: ")
    own = [row for row in first if row.init == "own" and row.verdict in (Verdict.BASELINE, Verdict.WORSE)]
    assert board([replace(row, budget_limited=False) for row in own], own[0]).notes == ()


def test_the_picture_of_a_difference_stays_in_its_row() -> None:
    for cell in cells(read_rows(RESULTS / ONE / TABLE, ArmRow)):
        made = board(cell, cell[0])
        assert {line.verdict for line in made.lines} >= {str(Verdict.BASELINE), str(Verdict.WORSE)}
        for line in made.lines:
            if line.whisker is not None:
                assert 0 <= line.whisker.low <= line.whisker.mean <= line.whisker.high <= 120


def test_a_report_replaces_only_a_report(hostile: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    said = typed(["report", str(hostile), "--out", str(mine)], tmp_path)
    assert (said.code, mine.read_text()) == (2, "mine")
    assert (
        said.stderr
        == f"focalbench: {mine} is there already and no report as it was written; choose another --out file\n"
    )
    for _ in range(2):
        assert typed(["report", str(hostile), "--out", "new.html"], tmp_path).code == 0
    (tmp_path / "new.html").write_text((tmp_path / "new.html").read_text().replace("Which", "What"))
    assert typed(["report", str(hostile), "--out", "new.html"], tmp_path).code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.html", "new.html"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere holds no table.csv; write one with focalbench sweep"),
        (["--out", "table.csv"], "table.csv is to be a page; give --out a name that ends in .html"),
        (["--out", "no/r.html"], "there is no folder no; make it first, or choose another --out file"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    said = typed(["report", *arguments], tmp_path)
    assert (said.code, said.stderr) == (2, f"focalbench: {sentence}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_page_is_kept_current_while_a_sweep_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []
    monkeypatch.setattr("focalbench.display.page.LEAST", 0.0)
    monkeypatch.setattr("focalbench.display.page.SHARE", 1e9)
    monkeypatch.setattr("focalbench.report.page.target.write_page", lambda _, text: pages.append(text))
    sweep = "sweep gaussians --pos-rate 0.02 --rows 1500 --out o --seeds 7 --report live.html"
    said = typed([*sweep.split(), *SHORT.split()], tmp_path)
    assert said.code == 0, said.stderr
    *running, last = pages
    assert len(running) > 2
    assert all('http-equiv="refresh" content="10"' in page and "Still running: " in page for page in running)
    assert "first seed is being trained" in running[0]
    assert "gamma=2" in running[-1]
    assert all(map(is_sealed, pages))
    assert last == page_text(content_of([tmp_path / "o"]))
    assert "refresh" not in last.partition("<style>")[0]


def test_a_sweep_goes_on_where_its_page_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        if "Still running" in text:
            raise MachineError("no room")

    monkeypatch.setattr("focalbench.report.page.target.write_page", full)
    sweep = "sweep gaussians --pos-rate 0.02 --rows 1500 --out o --seeds 1 --report live.html"
    said = typed([*sweep.split(), *SHORT.split()], tmp_path)
    assert said.code == 0
    assert "the page is not current: no room" in said.stderr


def test_a_page_that_is_no_page_is_refused_before_anything_runs(tmp_path: Path) -> None:
    said = typed(["sweep", "gaussians", "--report", "table.csv"], tmp_path)
    assert (said.code, said.stderr) == (
        2,
        "focalbench: table.csv is to be a page; give --report a name that ends in .html\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_our_results_is_of_our_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made by the command that results/README.md names."""
    monkeypatch.chdir(ROOT)
    page = Path("results") / "report.html"
    assert page.stat().st_size < 3_000_000
    assert faults_of(page) == []
    folders = {path.parent.name for name in (TABLE, CLAIMS) for path in RESULTS.glob(f"*/{name}")}
    (sources,) = [
        each for each in parsed(page.read_text()).all("meta") if each.attributes.get("name") == "focalbench-sources"
    ]
    assert {Path(name).parent.name for name in json.loads(sources.attributes["content"])} == folders


def test_another_table_or_a_changed_page_shows(tmp_path: Path, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(hostile, tmp_path / "found")
    monkeypatch.chdir(tmp_path)
    assert typed(["report", "found", "--out", "r.html"], tmp_path).code == 0
    page = Path("r.html")
    assert faults_of(page) == []
    with (tmp_path / "found" / TABLE).open("a") as file:
        file.write("\n")
    assert faults_of(page) == ["r.html was made of another found/table.csv"]
    page.write_text(page.read_text().replace("BCE", "XYZ"))
    assert faults_of(page) == ["r.html is not as it was written"]
