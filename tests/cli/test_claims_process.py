"""`focalbench run` of a file with claims: run as a real process, shown, drawn, checked, and refused."""

from pathlib import Path

import pytest

from tests.jobs.test_claim_folders import TEXT
from tests.support.attempts import Said, typed
from tests.support.harness import run

pytestmark = pytest.mark.processes

SMALL = TEXT.replace("rows = 1500", "rows = 1000").replace("epochs = 4", "epochs = 2")


def here(words: str, folder: Path) -> Said:
    """A command in this process, which has loaded what takes seconds."""
    return typed(words.split(), folder)


def test_claims_are_run_shown_drawn_and_checked(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.toml").write_text(SMALL)
    made = run("run experiments/tiny.toml --workers 1", tmp_path)
    assert made.code == 0, made.err
    said = made.out
    for text in ("C1: Focusing pays with many positives a batch", "slope on log2 positives a batch", "6 seeds in"):
        assert text in " ".join(said.split())
    folder = tmp_path / "results" / "tiny"
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"claim_{claim}.{end}" for claim in ("C1", "C2", "C3") for end in ("png", "svg")
    }
    drawn = (folder / "figures" / "claim_C1.svg").read_bytes()
    assert here("plot results/tiny", tmp_path).code == 0
    assert (folder / "figures" / "claim_C1.svg").read_bytes() == drawn
    shown = here("table results/tiny --format markdown", tmp_path)
    assert (shown.code, shown.stdout) == (0, (folder / "claims.md").read_text())
    lines = here("table results/tiny --format overview", tmp_path)
    assert (lines.code, [line.partition(" (C")[2][:1] for line in lines.stdout.splitlines()]) == (0, ["1", "2", "3"])
    refused = here("table results/tiny --format summary", tmp_path)
    assert (refused.code, "holds claims; show them with --format" in refused.stderr) == (2, True)
    again = here("run experiments/tiny.toml --workers 1", tmp_path)
    assert "0 runs trained, 54 taken from the store" in " ".join(again.stdout.split())
    checked = here("check --workers 1", tmp_path)
    assert (checked.code, "files as they were made" in checked.stdout) == (0, True), checked.stdout


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('arms = ["gamma=2"]', 'arms = ["gamma=4"]', "no arm 'gamma=4'"),
        ('direction = "above"', 'direction = "up"', "direction is one of above, below, not_below, within"),
        ('parts = ["small", "large"]', 'parts = ["small"]', "two different places"),
        ('name = "noisy"\n', "", "has a name"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in SMALL
    (tmp_path / "tiny.toml").write_text(SMALL.replace(old, new, 1))
    said = here("run tiny.toml", tmp_path)
    assert said.code == 2
    assert told in said.stderr
    assert not (tmp_path / "results").exists()
