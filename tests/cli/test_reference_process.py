"""Models beside the networks as a person names them: a process, a module in its folder, one table."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_sweep_process import DATA, files, focalbench, here, rows, table
from tests.support.own import forget_modules
from tests.support.pages import ROOT

pytestmark = pytest.mark.processes

SWEEP = DATA + " --seeds 2 --loss bce --init own"
MODULE = """\
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

PIPE = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
SVC = LinearSVC()
SCALER = StandardScaler()

def forest():
    return RandomForestClassifier(n_estimators=10)
"""


def test_models_of_ones_own_stand_in_the_table_whatever_the_workers(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    own = " --reference mine:PIPE --reference mine:SVC --reference mine:forest"
    here(SWEEP + own + " --workers 1 --out one", tmp_path)
    focalbench(SWEEP + own + " --workers 2 --out two", tmp_path)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    by_arm = {row["arm"]: row for row in table(tmp_path / "one")}
    usual = [f"{name}{end}" for name in ("logistic", "boosting") for end in ("", ", class-weighted")]
    assert list(by_arm) == ["bce", *usual, "mine:PIPE", "mine:SVC", "mine:forest"]
    assert by_arm["mine:PIPE"]["recovered_log_loss"]
    assert by_arm["mine:SVC"]["recovered_log_loss"] == ""
    text = (tmp_path / "one" / "table.md").read_text()
    assert "settings chosen on validation; your own: mine:PIPE, mine:SVC, mine:forest" in text
    one = next(row for row in rows(tmp_path / "one").values() if row["arm"] == "mine:PIPE")
    assert len(json.loads(one["params"])["source"]) == 64
    (tmp_path / "mine.py").write_text(MODULE + "\n# another source is another model\n")
    forget_modules()
    again = here(SWEEP + own + " --workers 1 --out one", tmp_path).stdout
    assert "6 runs trained, 10 taken from the store" in again
    said = here("run one/experiment.toml --out three", tmp_path, 2).stderr
    assert "a model of your own is named on the command line or in Python only, as --reference mine:PIPE" in said


def test_libraries_stand_in_the_table_and_in_a_file_that_repeats_it(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    pytest.importorskip("xgboost")
    here(SWEEP + " --no-references --reference lightgbm --reference xgboost --workers 1 --out one", tmp_path)
    names = [f"{name}{end}" for name in ("lightgbm", "xgboost") for end in ("", ", class-weighted")]
    assert [row["arm"] for row in table(tmp_path / "one")] == ["bce", *names]
    assert "*LightGBM and XGBoost, settings chosen on validation*" in (tmp_path / "one" / "table.md").read_text()
    assert 'references = ["lightgbm", "xgboost"]' in (tmp_path / "one" / "experiment.toml").read_text()
    here("run one/experiment.toml --workers 1 --out two", tmp_path)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert "runs trained again the same" in here("check two --workers 1", tmp_path).stdout
    made = json.loads((tmp_path / "one" / "manifest.json").read_text())["versions"]
    assert {name for kind in made for name in kind} >= {"lightgbm", "xgboost", "torch"}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("nope", "unknown reference 'nope'; choose one of logistic, boosting, lightgbm"),
        ("absent:X", "the model absent:X: cannot import absent"),
        ("mine:SCALER", "the model mine:SCALER gives no scores"),
    ],
)
def test_what_is_no_model_ends_with_a_sentence_before_anything_runs(tmp_path: Path, names: str, says: str) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    said = here(f"{SWEEP} --reference {names} --out o", tmp_path, 2)
    assert says in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert not (tmp_path / "o").exists()


def test_the_model_that_the_page_shows_runs(tmp_path: Path) -> None:
    page = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
    (module,) = re.findall(r"<!-- mine.py -->\n```\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine.py").write_text(module)
    lines = [f"{i % 97 / 7},{'abc'[i % 3]},{int(i % 8 == 0)}" for i in range(900)]
    (tmp_path / "data.csv").write_text("\n".join(["x,c,y", *lines, ""]))
    small = "--seeds 1 --epochs 1 --hidden 4 --loss bce --init own --no-references --workers 1 --out o"
    here(f"sweep data.csv --target y --reference mine:FOREST {small}", tmp_path)
    assert [row["arm"] for row in table(tmp_path / "o")] == ["bce", "mine:FOREST"]
