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
    assert text.index("Stay with BCE on 2 of 2 tables") < text.index("Find the line")
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


@pytest.mark.parametrize(
    ("rate", "positives", "nearest"),
    [
        ("0.2%", "", "0.0015"),
        ("0,05", "", "natural"),
        ("", "2 482", "natural"),
        ("", "1,000", "natural"),
        ("2e-3", "40", "0.0015"),
    ],
)
def test_the_line_nearest_to_ones_own_case_comes_first(rate: str, positives: str, nearest: str, page: "Page") -> None:
    overview = page.locator(".overview")
    overview.locator("[data-near]").first.fill(rate)
    overview.locator("[data-near]").last.fill(positives)
    page.wait_for_timeout(100)
    first = overview.locator("tbody tr").first
    assert nearest in first.locator("th").inner_text()
    assert first.get_attribute("class") == "nearest"
    assert overview.locator("tbody tr.nearest").count() == 1
    assert overview.locator("[role=status]").inner_text() == f"Most like it: {first.locator('th').inner_text()}"


@pytest.mark.parametrize("rate", ["rare", "150%", "2", "0", "-0.1", "."])
def test_what_is_no_rate_is_said_to_be_none(rate: str, page: "Page") -> None:
    overview = page.locator(".overview")
    overview.locator("[data-near]").first.fill(rate)
    page.wait_for_timeout(100)
    assert "such as 0.002 or 0.2%" in overview.locator("[role=status]").inner_text()
    assert overview.locator("tbody tr.nearest").count() == 0


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
