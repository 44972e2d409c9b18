"""Choosing figures and their formats on the command line."""

import json
import shutil
from pathlib import Path

import pytest

from focalbench.report.folder import NAMES, PICTURE, reported
from tests.support.attempts import typed

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    shutil.copytree(RESULTS / "headline", tmp_path / "o", ignore=shutil.ignore_patterns("figures"))
    shutil.copytree(RESULTS / "claims-quota", tmp_path / "claims", ignore=shutil.ignore_patterns("figures"))
    return tmp_path


def test_names_and_formats_choose_what_is_drawn(here: Path) -> None:
    said = typed(["plot", "o", "gamma", "reliability", "--format", "pdf", "--format", "png"], here)
    sets = ("mixture_0.0015", "census-income_0.0015")
    names = [f"{kind}_{name}.{end}" for kind in ("gamma", "reliability") for name in sets for end in ("pdf", "png")]
    assert said.code == 0
    assert sorted(Path(line).name for line in said.stdout.splitlines()) == sorted(names)
    assert {path.name for path in (here / "o" / "figures").iterdir()} == set(names)
    assert all(PICTURE.fullmatch(f"figures/{name}") for name in names)
    assert set(reported(here / "o")) >= {f"figures/{name}" for name in names}
    assert set(json.loads((here / "o" / "manifest.json").read_text())["files"]) >= {f"figures/{name}" for name in names}


def test_the_same_figure_has_the_same_bytes_whatever_is_drawn_beside_it(here: Path) -> None:
    assert typed(["plot", "o", "gamma", "--out", "one", "--format", "pdf"], here).code == 0
    every = [word for end in ("png", "svg", "pdf") for word in ("--format", end)]
    assert typed(["plot", "o", "gamma", "--out", "two", *every], here).code == 0
    for path in (here / "one").glob("*.pdf"):
        assert path.read_bytes() == (here / "two" / path.name).read_bytes()
        assert b"CreationDate" not in path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("o gama", f"no figure is called 'gama'; choose one of {', '.join(NAMES)}"),
        ("o classes", "there is nothing to draw in the figure 'classes' of o"),
        ("o rates", "there is nothing to draw in the figure 'rates' of o"),
        ("o --format gif", "unknown --format 'gif'; choose one of png, svg, pdf"),
        ("claims C9", "claims holds no claim 'C9'; choose one of C5a, C5b"),
    ],
)
def test_what_there_is_not_is_refused_in_one_sentence(here: Path, arguments: str, said: str) -> None:
    found = typed(["plot", *arguments.split()], here)
    assert found.code == 2
    assert found.stderr.strip() == f"focalbench: {said}"
    assert not (here / "o" / "figures").exists()


def test_claims_are_chosen_by_their_ids(here: Path) -> None:
    assert typed(["plot", "claims", "C5b", "--format", "svg"], here).code == 0
    assert [path.name for path in (here / "claims" / "figures").iterdir()] == ["claim_C5b.svg"]
