"""The page in a real browser: buttons, keyboard, no request, no error, nothing that axe-core objects to.

Skipped where there is no Chromium, or no Python client for it.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from focalbench.analysis.rows import ArmRow
from focalbench.base.rows import read_rows
from focalbench.report.folder import TABLE
from focalbench.report.page.content import content_of
from focalbench.report.page.render import page_text
from focalbench.report.words import cells
from tests.support.pages import RESULTS
from tests.support.reports import hostile_results

pytestmark = pytest.mark.processes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
ONE = "census"
WIDTHS = (390, 768, 1440)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    client = pytest.importorskip("playwright.sync_api", reason="playwright, which drives a browser, is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here to open the page in")
    with client.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, browser: "Browser") -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_text(content_of([RESULTS / ONE])), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: "Browser", file: Path) -> "Iterator[Page]":
    """The page, opened; at the end nothing was said in its console, and nothing asked for but the file itself."""
    yield from opened(browser, file)


def opened(browser: "Browser", file: Path, **how: Any) -> "Iterator[Page]":
    context = browser.new_context(**how)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    made, said, asked = context.new_page(), [], []
    made.on("console", lambda message: said.append(message.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.on("request", lambda request: asked.append(request.url))
    made.goto(file.as_uri())
    yield made
    assert said == []
    assert asked == [file.as_uri()]
    context.close()


def first_board(page: "Page") -> Any:
    return page.locator(".board:not(.overview)").first


def names(page: "Page") -> list[str]:
    return list(first_board(page).locator("tbody tr:visible th").all_inner_texts())


def means() -> dict[str, float]:
    """Of the arms of the own start, and the references, of the first table."""
    rows = cells(read_rows(RESULTS / ONE / TABLE, ArmRow))[0]
    return {row.name: row.value.mean for row in rows if row.init in ("own", None)}


def test_the_first_screen_answers(page: "Page") -> None:
    """Somebody who looks for ten seconds says which loss and how sure."""
    page.set_viewport_size({"width": 390, "height": 844})
    text = page.locator("main").inner_text()
    assert text.index(
        "Stay with BCE: of 2 tables, on 1 no other loss gains what matters, on 1 that is not decided yet."
    ) < text.index("Find the line")
    assert text.index("Stay with BCE") < text.index("Among the losses")
    assert "Better, at 95%" in page.locator(".answer").nth(1).inner_text()


def test_a_heading_sorts_and_says_so(page: "Page") -> None:
    head = first_board(page).locator("thead th").nth(2)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"  # of numbers the largest first
    assert names(page)[0] == max(means(), key=lambda name: means()[name])
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(page)[0] == min(means(), key=lambda name: means()[name])
    difference = first_board(page).locator("thead th").nth(3)
    difference.locator("button").click()
    assert names(page)[-2:] == ["bce", "bce"]  # what has no difference stands last
    assert head.get_attribute("aria-sort") == "none"


def test_filters_leave_what_they_name(page: "Page") -> None:
    board = first_board(page)
    board.locator("[data-filter=start]").select_option("zero")
    assert names(page) == ["bce", "pos_weight", "gamma=2"]
    board.locator("[data-filter=verdict]").select_option("worse")
    assert names(page) == ["pos_weight"]
    page.wait_for_timeout(100)
    assert board.locator("[role=status]").inner_text() == "1 of 22 rows"
    overview = page.locator(".overview")
    overview.locator("input[type=search]").fill("0.0015")
    assert overview.locator("tbody tr:visible").count() == 1


def near(page: "Page", rate: str, positives: str) -> Any:
    """The overview after these were typed."""
    overview = page.locator(".overview")
    overview.locator("[data-near]").first.fill(rate)
    overview.locator("[data-near]").last.fill(positives)
    page.wait_for_timeout(100)
    return overview


@pytest.mark.parametrize(
    ("rate", "positives", "nearest", "read"),
    [
        ("0.2%", "", "0.0015", "0.2%"),
        ("1/500", "", "0.0015", "0.2%"),
        ("0,05", "", "natural", "5%"),
        ("", "2 482", "natural", "2,482 positives"),
        ("", "1,000", "natural", "1,000 positives"),
        ("", "1\u2019000", "natural", "1,000 positives"),
        ("2e-3", "40", "0.0015", "0.2% and 40 positives"),
    ],
)
def test_the_line_nearest_to_ones_own_case_comes_first(
    rate: str, positives: str, nearest: str, read: str, page: "Page"
) -> None:
    overview = near(page, rate, positives)
    first = overview.locator("tbody tr").first
    name, said = first.locator("th").inner_text(), overview.locator(".near").inner_text()
    assert nearest in name
    assert first.get_attribute("class") == "nearest"
    assert overview.locator("tbody tr.nearest").count() == 1
    assert said.startswith(f"Read as {read}. Most like it: {name} (")
    assert said.endswith(f"{first.locator('td').first.inner_text()}.")


def test_far_from_all_is_said_and_the_filter_keeps_it(page: "Page") -> None:
    before = page.locator(".overview tbody th").all_inner_texts()
    overview = near(page, "0.001%", "")
    assert "Nothing here is close; the nearest: census-income at rate 0.0015" in overview.locator(".near").inner_text()
    overview.locator("input[type=search]").fill("natural")
    page.wait_for_timeout(100)
    assert "the nearest: census-income at natural rate" in overview.locator(".near").inner_text()
    assert overview.locator("[role=status]").first.inner_text() == "1 of 2 rows"
    overview.locator("input[type=search]").fill("")
    near(page, "", "")
    assert overview.locator("tbody th").all_inner_texts() == before
    assert overview.locator(".nearest").count() == 0


@pytest.mark.parametrize("rate", ["rare", "150%", "2", "0", "-0.1", "."])
def test_what_is_no_rate_is_said_to_be_none(rate: str, page: "Page") -> None:
    overview = near(page, rate, "90")
    assert "such as 0.002, 0.2% or 1/500" in overview.locator(".near").inner_text()
    assert overview.locator("tbody tr.nearest").count() == 0
    assert overview.locator("[aria-invalid=true]").count() == 1
    near(page, "0.2%", "90")
    assert overview.locator("[aria-invalid=true]").count() == 0


def test_numbers_within_names_are_sorted_as_numbers(page: "Page") -> None:
    first_board(page).locator("thead th button").first.click()
    plain = [name for name in names(page) if name.startswith("alpha=") and " " not in name]
    assert plain == ["alpha=0.25", "alpha=0.75", "alpha=0.9", "alpha=0.99"]


def test_a_mark_is_told_from_beside_it_and_nothing_where_there_is_none(page: "Page") -> None:
    figure = page.locator("figure.wide").first
    mark = figure.locator("g:has(> title)").first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 6)
    assert "pos_weight: " in figure.locator("output").inner_text()
    whole = figure.locator("svg").bounding_box()
    assert whole is not None
    page.mouse.click(whole["x"] + 3, whole["y"] + 3)
    assert figure.locator("output").inner_text() == ""


@pytest.mark.parametrize(
    ("kind", "begins"), [("csv", "dataset,"), ("markdown", "| arm |"), ("latex", r"\begin{tabular}")]
)
def test_what_is_shown_is_copied(kind: str, begins: str, page: "Page") -> None:
    board = first_board(page)
    board.locator("[data-filter=start]").select_option("zero")
    board.locator("thead th button").first.click()  # by name
    board.locator(f"[data-copy={kind}]").click()
    page.wait_for_timeout(100)
    assert board.locator("[role=status]").inner_text() == "Copied."
    copied = str(page.evaluate("navigator.clipboard.readText()"))
    assert copied.startswith(begins)
    named = [
        name
        for line in copied.splitlines()
        for name in ("bce", "pos_weight", "gamma=2")
        if name in line.replace("\\", "")
    ]
    assert named == ["bce", "gamma=2", "pos_weight"]


def test_all_of_it_works_from_the_keyboard(page: "Page") -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(str(page.evaluate("document.activeElement.textContent.trim().slice(0, 20)")))
        if reached[-1] == "Copy as CSV":
            break
    assert "Copy as CSV" in reached
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    assert str(page.evaluate("navigator.clipboard.readText()")).count("\n") == 23
    assert page.evaluate("document.activeElement.textContent") == "Copy as CSV"  # the place is kept


def test_a_touched_mark_tells_its_numbers(page: "Page") -> None:
    figure = page.locator("figure").nth(1)
    figure.locator("g:has(> title)").first.dispatch_event("click")
    assert "AUCPR" in figure.locator("output").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_nobody_is_left_out(width: int, scheme: str, browser: "Browser", file: Path) -> None:
    for page in opened(browser, file, viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        page.evaluate(AXE)
        found = page.evaluate("axe.run()")
        told = [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found["violations"]]
        assert told == []


def test_a_figure_is_dark_on_a_dark_page_and_light_on_paper(browser: "Browser", file: Path) -> None:
    for page in opened(browser, file, color_scheme="dark"):
        ground = "getComputedStyle(document.querySelector('.drawn')).backgroundColor"
        text = "getComputedStyle(document.querySelector('.drawn text')).fill"
        assert page.evaluate(f"[{ground}, {text}]") == ["rgb(22, 25, 29)", "rgb(230, 230, 230)"]
        page.emulate_media(media="print")
        assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_paper_shows_what_was_folded(page: "Page") -> None:
    page.set_viewport_size({"width": 794, "height": 1123})  # A4
    page.emulate_media(media="print")
    assert not page.locator(".tools").first.is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.told:not([open])").count() == 0
    assert not any(each.is_visible() for each in page.locator("details:not([open])").all())  # code and settings
    assert page.locator(".board tbody tr").first.evaluate("row => getComputedStyle(row).display") == "table-row"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.told:not([open])").count() > 0


def test_without_scripts_all_is_there(browser: "Browser", file: Path) -> None:
    for page in opened(browser, file, java_script_enabled=False):
        assert page.locator(".board:not(.overview)").first.locator("tbody tr").count() == 22
        assert not page.locator(".tools").first.is_visible()


def test_hostile_names_do_nothing(browser: "Browser", tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page_text(content_of([hostile_results(tmp_path, seeds=2)])), encoding="utf-8")
    for page in opened(browser, file):
        assert page.locator("img").count() == 0
        first_board(page).locator("[data-copy=csv]").click()
        assert "onerror" in str(page.evaluate("navigator.clipboard.readText()"))
