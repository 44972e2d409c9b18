"""From Python: the numbers of the command line, what can be done with them, and how a call ends early."""

import json
import re
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from sklearn.datasets import make_classification

import focalbench
from focalbench import Arm
from focalbench.api.given import Roles, take
from focalbench.errors import InputError
from focalbench.report.fonts import families
from focalbench.report.reading import arm_called
from focalbench.runs.resampling import Resampling
from tests.support.attempts import typed
from tests.support.harness import ENVIRONMENT

X, Y = make_classification(4000, n_features=6, weights=[0.85], class_sep=0.7, random_state=0)
SMALL: dict[str, Any] = {"steps": 30, "hidden": (8,), "lrs": (0.01,), "n_jobs": 1, "progress": False}
FRAME = pd.DataFrame(X, columns=[f"x{k}" for k in range(6)]).assign(code=pd.Categorical((X[:, 0] > 0).astype(str)))
RESULTS = Path(focalbench.__file__).parents[1] / "results"


@pytest.fixture(scope="module")
def found() -> focalbench.Comparison:
    return focalbench.compare(FRAME, Y, losses=["pos_weight", Arm("focal", gamma=2.0)], seeds=6, **SMALL)


def test_the_command_line_makes_the_same_table(tmp_path: Path) -> None:
    take(FRAME, Y, Roles()).write(tmp_path / "data.parquet")
    command = "sweep data.parquet --target y --category code --loss pos_weight --loss tversky:beta=0.9 --seeds 2 "
    command += "--steps 30 --hidden 8 --lr 0.01 --device cpu --workers 1 --quiet --out o"
    assert typed(command.split(), tmp_path).code == 0
    ours = focalbench.compare(FRAME, Y, losses=["pos_weight", "tversky:beta=0.9"], seeds=2, **SMALL)
    assert (tmp_path / "o" / "table.csv").read_bytes() == (ours.folder / "table.csv").read_bytes()


def test_resampled_rows_are_arms_and_probabilities_have_intervals_of_their_skill() -> None:
    how: dict[str, Any] = {"resampling": ["undersample", "smote:0.5"], "recalibrate": True, "references": False}
    found = focalbench.compare(FRAME, Y, losses=["bce"], seeds=4, metric="log_loss", **how, **SMALL)
    table = found.table[found.table.init == "own"].set_index("arm")
    assert list(table.index) == ["bce", "bce + undersample", "bce + smote:0.5"]
    assert table.resampling.fillna("").tolist() == ["", "undersample", "smote:0.5"]
    assert table.family.tolist() == list(table.index)
    share = table.test_prevalence.fillna(table.prevalence)
    entropy = -(share * np.log(share) + (1 - share) * np.log1p(-share))
    for name, other in (("", ""), ("_low", "_high"), ("_high", "_low")):  # of the same log loss, so of the same limits
        assert table[f"skill_inverse{name}"].to_numpy() == pytest.approx(1 - table[f"score{other}"] / entropy, abs=1e-9)
    assert table.skill_inverse["bce"] == table.skill_raw["bce"]
    assert table.skill_inverse["bce + undersample"] > table.skill_raw["bce + undersample"]
    assert table[["skill_platt", "skill_isotonic"]].notna().all(axis=None)
    assert arm_called(found.folder, "bce + smote:0.5") == Arm("bce", resampling=Resampling.parse("smote:0.5"))
    page = (found.folder / "table.md").read_text()
    assert "| arm | as it is | inverse | Platt | isotonic |" in page


def test_a_model_of_ones_own_sees_the_frame_that_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "given.py").write_text(
        "from sklearn.compose import make_column_transformer\nfrom sklearn.linear_model import LogisticRegression\n"
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import OneHotEncoder, StandardScaler\n"
        "columns = make_column_transformer((OneHotEncoder(), ['code']), (StandardScaler(), ['x0', 'x3']))\n"
        "MODEL = make_pipeline(columns, LogisticRegression())\n"
    )
    monkeypatch.chdir(tmp_path)
    references = ["logistic", "given:MODEL"]
    made = focalbench.compare(FRAME, Y, losses=["pos_weight"], seeds=1, references=references, **SMALL)
    assert list(made.table["arm"])[-3:] == ["logistic", "logistic, class-weighted", "given:MODEL"]


def test_a_table_has_a_row_a_loss_and_says_what_it_supports(found: focalbench.Comparison) -> None:
    assert set(found.table["arm"]) >= {"bce", "pos_weight", "gamma=2", "boosting", "logistic"}
    assert len(found.runs) == found.runs["run_id"].nunique() == 5 * 6 + 4 * 6
    assert re.match("Stay with BCE|Use ", found.conclusions[0])
    assert found.conclusions[0] in " ".join(str(found).split())
    assert found.columns.set_index("name").loc["code", "read_as"] == "category"
    assert any("target y: 0 in" in note for note in found.notes)


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in RESULTS.glob("*/table.csv")))
def test_the_best_loss_is_the_one_that_the_first_sentence_names(folder: str) -> None:
    found = focalbench.load(RESULTS / folder)
    decision = found.conclusions[0]
    named = re.match(r"Use (.+?)(?: at this budget)?: |Stay with (\w+)|(\w+) alone|No verdict", decision)
    assert named, decision
    assert found.best.name == (named[1] or (named[2] or named[3] or "BCE").lower())


def test_some_loss_is_better_somewhere() -> None:
    """Else the test above would not tell a best loss from a baseline."""
    bests = {focalbench.load(path.parent).best.name for path in RESULTS.glob("*/table.csv")}
    assert len(bests - {"bce", "ce"}) > 0


def test_what_is_saved_is_loaded_without_the_rows(tmp_path: Path, found: focalbench.Comparison) -> None:
    place = found.save(tmp_path / "kept")
    again = focalbench.load(place)
    pd.testing.assert_frame_equal(again.table, found.table)
    pd.testing.assert_frame_equal(again.runs, found.runs)
    assert (again.conclusions, again.best) == (found.conclusions, found.best)
    assert not list(place.rglob("*.parquet"))
    assert not list(place.rglob("runs.sqlite*"))
    assert typed(["table", str(place)], tmp_path).stdout.split() == str(again).split()
    with pytest.raises(InputError, match="is there already"):
        found.save(place)


def test_a_table_that_was_changed_is_not_loaded(tmp_path: Path, found: focalbench.Comparison) -> None:
    place = found.save(tmp_path / "kept")
    text = (place / "table.csv").read_text()
    (place / "table.csv").write_text(text.replace("0.", "0.9", 1))
    with pytest.raises(InputError, match="is not the file that"):
        focalbench.load(place)
    with pytest.raises(InputError, match="holds no table"):
        focalbench.load(tmp_path)


def test_what_is_advised_is_fitted_and_reads_frames(tmp_path: Path, found: focalbench.Comparison) -> None:
    assert found.advice.sentences
    assert "scikit-learn" in dict(found.advice.code)
    model = found.refit()
    probability = model.predict_proba(FRAME)[:, 1]
    assert np.corrcoef(probability, Y)[0, 1] > 0.3
    np.testing.assert_array_equal(model.predict(FRAME), probability >= 0.5)
    with pytest.raises(InputError, match="the rows are not kept"):
        focalbench.load(found.save(tmp_path / "kept")).refit()


def test_a_stronger_network_is_compared_and_says_that_no_model_of_it_is_kept(tmp_path: Path) -> None:
    take(FRAME, Y, Roles()).write(tmp_path / "data.parquet")
    (tmp_path / "e.toml").write_text(
        'datasets = ["data.parquet"]\ntarget = "y"\ncategory = ["code"]\nmodel = "resnet"\nsteps = 30\nlrs = [0.01]\n'
        'seeds = 1\nreferences = false\narms = [{ loss = "bce" }, { loss = "focal", gamma = 2.0 }]\n'
    )
    settings = SMALL | {"references": False, "model": "resnet"}
    ours = focalbench.compare(FRAME, Y, losses=[Arm("focal", gamma=2.0)], seeds=1, **settings)
    assert typed(["run", "e.toml", "--workers", "1", "--quiet", "--out", "o"], tmp_path).code == 0
    assert (tmp_path / "o" / "table.csv").read_bytes() == (ours.folder / "table.csv").read_bytes()
    assert set(ours.runs["hidden"]) == {"128-128"}
    assert ours.advice.sentences
    assert ours.advice.code == ()
    with pytest.raises(InputError, match="no model of model='resnet' is kept; compare with mlp"):
        ours.refit()


def test_the_folder_of_a_comparison_goes_with_it() -> None:
    made = focalbench.compare(X, Y, losses=["pos_weight"], seeds=1, references=False, **SMALL)
    folder = made.folder
    assert (folder / "table.csv").is_file()
    del made
    assert not folder.exists()


@pytest.mark.parametrize("name", ["differences", "gamma", "epochs"])
def test_figures_are_axes_with_something_on_them(name: str, found: focalbench.Comparison) -> None:
    axes = found.plot(name)
    texts = [text for text in axes.figure.findobj(Text) if isinstance(text, Text)]
    assert all(text.get_fontfamily() == families() for text in texts)  # letters that the usual font lacks
    assert axes.get_xlabel() or axes.figure.get_supxlabel()
    assert axes.has_data()


def test_a_figure_that_is_not_there_is_refused(found: focalbench.Comparison) -> None:
    with pytest.raises(InputError, match="no figure is called 'roc'; choose one of"):
        found.plot("roc")
    with pytest.raises(InputError, match="nothing to draw in the figure 'classes'"):
        found.plot("classes")


class Tags(HTMLParser):
    """The tags of a text, each closed where it should be, and what stands in the cells of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.cells: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def test_html_holds_the_table_and_obeys_no_name() -> None:
    hostile = FRAME.rename(columns={"code": "<script>alert(1)</script>"})
    made = focalbench.compare(
        hostile, Y, losses=["pos_weight"], seeds=2, references=False, name="<b>&'\"", threshold_at="recall=0.5", **SMALL
    )
    tags = Tags(made._repr_html_())
    assert tags.seen <= {"div", "p", "b", "table", "caption", "thead", "tbody", "tr", "th", "td", "details"} | {
        *("summary", "ul", "li", "dl", "dt", "dd")
    }
    assert {"bce", "pos_weight"} <= set(tags.cells)
    models = focalbench.compare_scores(Y, {"<script>": X[:, 0] + 9 * Y, "b&c": X[:, 1] + 9 * Y})
    assert {"<script>", "b&c"} <= set(Tags(models._repr_html_()).cells)


def test_what_is_to_be_looked_at_is_warned_of_where_it_was_asked() -> None:
    few = np.r_[np.flatnonzero(Y == 0), np.flatnonzero(Y == 1)[:200]]
    with pytest.warns(UserWarning, match="test holds 40 positives") as warned:
        focalbench.compare(X[few], Y[few], losses=["pos_weight"], seeds=1, references=False, **SMALL)
    assert {Path(each.filename).name for each in warned} == {Path(__file__).name}
    codes = FRAME.assign(zip=[f"{10_000 + k % 40}" for k in range(len(FRAME))])
    with pytest.warns(UserWarning, match="zip: texts of numbers, read as numbers; .* astype\\('category'\\)"):
        focalbench.compare(codes, Y, losses=["pos_weight"], seeds=1, references=False, **SMALL)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "loss": ({"losses": ["focl"]}, r"unknown losses 'focl'; did you mean focal\?"),
    "metric": ({"metric": "auc"}, "unknown metric 'auc'"),
    "budget": ({"budget": "soon"}, "budget takes a time above 0"),
    "no budget": ({"budget": 0.0}, "budget takes a time above 0"),
    "short budget": ({"budget": 2, "steps": 10**6}, "one seed takes about .*; allow more, or train less"),
    "rate": ({"positive_rate": 1.5}, "the positive rate must lie between 0 and 1"),
    "processes": ({"n_jobs": 0}, "n_jobs is a number of processes"),
    "seeds": ({"seeds": 0}, "seeds must lie between 1 and"),
    "both": ({"groups": np.arange(4000), "time": np.arange(4000)}, "groups and time are two ways to split"),
    "capacity": ({"threshold_at": "capacity=50/day"}, "threshold_at='capacity=50/day' needs time"),
    "weights": ({"sample_weight": -np.ones(4000)}, "must hold a number >= 0 in every row"),
    "positive": ({"positive": "yes"}, "has no value 'yes'; positive takes one of 0, 1"),
    "arm": ({"losses": [Arm("focal", gamma=2.0, init="prior")], "rows": 0}, "rows must lie between"),
    "device": ({"device": "tpu"}, "unknown device 'tpu'"),
    "reference": ({"references": ["nope"]}, "unknown reference 'nope'; choose one of logistic"),
    "model": ({"references": [object()]}, "references are names; put a model of your own into a file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_sentence_that_names_parameters(case: str) -> None:
    given, said = BAD[case]
    with pytest.raises(ValueError, match=said) as refused:
        focalbench.compare(X, Y, **{**SMALL, "losses": ["pos_weight"], **given})
    assert not re.search("`|--|\n", str(refused.value))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (np.zeros(4000), "holds only the value 0"),
        (np.where(Y, 1.0, np.nan), "is missing or infinite in"),
        (np.where(Y, "bad", "good"), r"say which is positive, positive='bad' \(\d+ rows"),
        (np.arange(4000) % 3, "say which is positive"),
    ],
)
def test_a_target_without_two_classes_is_refused(target: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        focalbench.compare(X, target, **SMALL)


def test_classes_have_their_own_baseline() -> None:
    noisy = X[:, :2] + np.random.default_rng(0).normal(size=(4000, 2))
    classes = np.array(["a", "b", "c"])[(noisy > 0).sum(axis=1)]
    made = focalbench.compare(X, classes, task="multiclass", losses=["weighted_ce"], seeds=1, **SMALL)
    assert set(made.table["arm"]) >= {"ce", "weighted_ce"}
    assert made.best == Arm("ce")


STOPPED = """
import os, signal, sys, threading, time, warnings
import numpy as np
import focalbench
signal.signal(signal.SIGINT, signal.default_int_handler)  # however the tests were started
X = np.random.default_rng(0).normal(size=(3000, 4))
def stop():
    while not list(__import__("pathlib").Path(sys.argv[1]).glob("focalbench-*/runs.sqlite")):
        time.sleep(0.05)
    time.sleep(4)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=stop, daemon=True).start()
found = focalbench.compare(X, X[:, 0] > 1, losses=["pos_weight"], seeds=500, steps=400, lrs=(0.01,), hidden=(8,),
    references=False, n_jobs=1, budget=None, progress=False)
print(found.notes[-1]); print(len(found.table)); print(found.table.n_seeds[0])
"""


def test_ctrl_c_leaves_the_table_so_far(tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"TMPDIR": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", STOPPED, str(tmp_path)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    note, rows, seeds = ended.stdout.splitlines()
    assert note == f"stopped by hand after {seeds} of 500 seeds"
    assert (int(rows), 0 < int(seeds) < 500) == (4, True)
    assert list(tmp_path.glob("focalbench-*")) == []


def test_a_budget_leaves_the_table_so_far() -> None:
    made = focalbench.compare(X, Y, losses=["pos_weight"], seeds=2000, references=False, **SMALL | {"budget": "6s"})
    assert re.fullmatch(r"stopped to stay within 6 s after \d+ of 2000 seeds", made.notes[-1])
    assert 0 < made.table["n_seeds"][0] < 2000


def test_scores_are_compared_as_on_the_command_line(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(4000, 2))
    scores = {"mine": Y + noise[:, 0], "theirs": Y + 2 * noise[:, 1]}
    made = focalbench.compare_scores(Y, scores, metric=["average_precision", "recall_at_fpr=0.1"], baseline="theirs")
    pd.DataFrame({"y": Y, **scores}).to_csv(tmp_path / "s.csv", index=False)
    command = "compare s.csv --target y --metric average_precision --metric recall_at_fpr=0.1 --baseline theirs"
    printed = typed(f"{command} --format csv --quiet".split(), tmp_path).stdout
    (tmp_path / "theirs.csv").write_text(printed)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "theirs.csv"), made.table, rtol=1e-12)
    assert re.match(r"By AUCPR: mine \(.*\) better than theirs", made.conclusions[0])
    assert "mine" in str(made)


def test_scores_that_compare_with_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="one model alone"):
        focalbench.compare_scores(Y, {"a": X[:, 0]})
    with pytest.raises(InputError, match="'b' has 5 rows where there are 4,000"):
        focalbench.compare_scores(Y, {"a": X[:, 0], "b": X[:5, 0]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(focalbench.compare_scores(Y, {"y": X[:, 0], "y_": X[:, 1]}).table) == 2


def test_importing_is_cheap() -> None:
    code = "import sys, json, focalbench; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert not {"torch", "pandas", "numpy", "sklearn", "matplotlib", "rich"} & set(loaded)


def test_a_short_budget_compares_fewer_losses() -> None:
    """As many as leave time for a verdict, and says so; without a budget all of the default sweep's."""
    made = focalbench.compare(X, Y, seeds=1, references=False, budget="40s", **SMALL | {"steps": 3000})
    arms = set(made.table["arm"])
    few = {"bce", "pos_weight", "alpha=0.75", "gamma=2", "alpha=0.25 gamma=2"}
    assert arms >= few
    said = [note for note in made.notes if "so 5 losses are compared; a longer budget compares all" in note]
    assert (arms == few) == bool(said)
