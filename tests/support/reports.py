"""Small results folders to make pages of, and what a page holds, by Python's own HTML parser."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from tests.support.attempts import typed

HOSTILE = "<img src=x onerror=alert(1)>&'\"$.csv"
COLUMN = "</script><script>alert(2)</script>"
SHORT = "--epochs 1 --hidden 4 --lr 0.01 --loss bce --loss focal --gamma 2 --no-references -j 1 --device cpu -q"
VOID = {"meta", "input", "br", "img", "link"}


def hostile_results(home: Path, seeds: int = 6) -> Path:
    """A results folder of a file whose name and columns are meant to be run."""
    rows = "".join(f"{i % 397},{'ab'[i % 2]},{int(i % 7 == 0)}\n" for i in range(900))
    (home / HOSTILE).write_text(f'"{COLUMN}",c,"<b>y"\n{rows}')
    said = typed(["sweep", HOSTILE, "--target", "<b>y", "--seeds", f"{seeds}", *SHORT.split(), "--out", "found"], home)
    assert said.code == 0, said.stderr
    return home / "found"


@dataclass
class Element:
    """A start tag, and the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Parsed(HTMLParser):
    """All elements of a page, in their order."""

    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        """The elements of a tag."""
        return [element for element in self.elements if element.tag == tag]


def parsed(page: str) -> Parsed:
    """The elements of a page."""
    found = Parsed()
    found.feed(page)
    return found


def copies(page: Parsed) -> list[dict[str, dict[str, object]]]:
    """What the buttons of each table copy."""
    return [json.loads(each.text) for each in page.all("script") if each.attributes.get("type") == "application/json"]


def words(texts: Iterable[str]) -> str:
    """Texts as one line."""
    return " ".join(" ".join(texts).split())
