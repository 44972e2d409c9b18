"""Your own model in its processes: found, checked, cloned for every run, fitted on named columns, and scored."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from focalbench.datasets.build import build_splits, resolve
from focalbench.datasets.dataset import Splits
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.columns import Columns
from focalbench.runs.metric import Aim, ThresholdAt
from focalbench.runs.reference import Reference
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.own.asking import forget_processes, module_process
from focalbench.training.own.fitting import about
from focalbench.training.own.model import OwnRows, fitted_scores, make_models
from focalbench.training.own.named import Own
from focalbench.training.references import Fitted, average_precision_of, reference_logits
from focalbench.training.stack import run_stack

pytestmark = pytest.mark.processes

RECIPE = Recipe("gaussians", 1500, 0.02)
IMPORTS = """\
from sklearn.compose import make_column_selector, make_column_transformer

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
"""
MODULE = f"""{IMPORTS}
PLAIN = LogisticRegression(C=0.3)
PIPE = make_pipeline(StandardScaler(), LogisticRegression(C=0.3))
SVC = LinearSVC()
LIST = [LogisticRegression(C=1e-6), LogisticRegression]
def make(): return RandomForestClassifier(n_estimators=10, n_jobs=2)
SCALER, NUMBER, EMPTY = StandardScaler(), 3, []
class Unlike(LogisticRegression):
    def __init__(self, values=()): super().__init__(); self.values = list(values)
UNLIKE = Unlike()
class Nan(LogisticRegression):
    def predict_proba(self, X): return super().predict_proba(X) * float("nan")
NAN = Nan()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own, whose modules no process has imported yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(MODULE)
    anew()
    yield tmp_path
    sys.modules.pop("mine", None)


def anew() -> None:
    for cached in (about, module_process):
        cached.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _processes() -> Iterator[None]:
    yield
    forget_processes()


def run_of(spec: str, recipe: Recipe = RECIPE) -> Run:
    return Run(recipe, Training(model=spec, hidden=(), epochs=0, source=about(spec).source), Arm("bce"), 0.0, 0)


def fitted(spec: str, splits: Splits) -> Fitted:
    return reference_logits(run_of(spec), splits, 0, average_precision_of)


def test_it_is_scikit_learns_own_fit() -> None:
    splits = build_splits(RECIPE, 0)
    train, test = (part.frame().astype(np.float64) for part in (splits.train, splits.test))
    assert list(train.columns) == [f"x{place}" for place in range(10)]
    for spec, model in (
        ("mine:PLAIN", LogisticRegression(C=0.3)),
        ("mine:PIPE", make_pipeline(StandardScaler(), LogisticRegression(C=0.3))),
    ):
        found = fitted(spec, splits)
        expected = model.fit(train, splits.train.targets).decision_function(test)
        np.testing.assert_allclose(found.test, expected, rtol=1e-8, atol=1e-8)
        assert found.log_odds
    assert not np.allclose(fitted("mine:PLAIN", splits).test, fitted("mine:PIPE", splits).test, atol=1e-3)


def test_of_a_list_validation_chooses() -> None:
    splits = build_splits(RECIPE, 0)
    models = [LogisticRegression(C=1e-6), LogisticRegression()]
    train, validation, test = (
        part.frame().astype(np.float64) for part in (splits.train, splits.validation, splits.test)
    )
    scores = [model.fit(train, splits.train.targets) for model in models]
    reached = [average_precision_of(model.decision_function(validation), splits.validation) for model in scores]
    found = fitted("mine:LIST", splits)
    best = scores[int(np.argmax(reached))]
    assert found.average_precision == pytest.approx(max(reached))
    np.testing.assert_allclose(found.test, best.decision_function(test), rtol=1e-8, atol=1e-8)


def test_a_decision_function_ranks_and_gives_no_probabilities() -> None:
    assert not fitted("mine:SVC", build_splits(RECIPE, 0)).log_odds
    run = run_of("mine:SVC")
    asked = replace(run, training=replace(run.training, threshold_at=ThresholdAt(Aim.RECALL, 0.8)))
    outcome = run_stack((asked,))[0].outcome
    assert outcome.test_average_precision > 0.1
    assert outcome.scores.recovered.log_loss is None
    assert outcome.operating is not None
    probable = run_stack((run_of("mine:PIPE"),))[0].outcome.scores
    assert probable.recovered.log_loss_skill is not None
    assert probable.recovered.log_loss_skill > 0


def test_weights_of_rows_reach_the_last_step_and_a_model_that_takes_none_is_warned_of(folder: Path) -> None:
    splits = build_splits(RECIPE, 0)
    weights = np.where(splits.train.targets == 1, 30.0, 1.0)
    weighted = replace(splits, train=replace(splits.train, weights=weights))
    for spec in ("mine:PLAIN", "mine:PIPE"):
        assert about(spec).weighs
        plain, found = fitted(spec, splits), fitted(spec, weighted)
        assert found.test.mean() > plain.test.mean() + 1
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3))
    train, test = (part.frame().astype(np.float64) for part in (splits.train, splits.test))
    model.fit(train, splits.train.targets, logisticregression__sample_weight=weights / weights.mean())
    expected = model.decision_function(test)
    np.testing.assert_allclose(fitted("mine:PIPE", weighted).test, expected, rtol=1e-8, atol=1e-8)
    (folder / "mine.py").write_text(f"{MODULE}from sklearn.neighbors import KNeighborsClassifier as K\nKNN = K()\n")
    anew()
    assert not about("mine:KNN").weighs
    lines = [f"{i % 97 / 7},{int(i % 5 == 0)},{1 + i % 3}" for i in range(600)]
    (folder / "d.csv").write_text("\n".join(["x,y,w", *lines, ""]))
    references = tuple(Reference(f"mine:{name}", about(f"mine:{name}").source) for name in ("KNN", "PIPE"))
    columns = Columns(target="y", weight="w")
    plan = make_plan(
        Experiment(datasets=("d.csv",), columns=columns, seeds=2, arms=(Arm("bce"),), references=references)
    )
    said = [text for text in plan.warnings if "sample_weight" in text]
    assert len(said) == 1
    assert "mine:KNN takes no sample_weight" in said[0]


def test_a_pipeline_finds_its_columns_by_their_names_and_types(folder: Path) -> None:
    rng = np.random.default_rng(0)
    city, size = rng.choice(["Bern", "Rome", "Oslo"], 900), rng.normal(size=900)
    targets = rng.random(900) < np.where(city == "Rome", 0.5, 0.05)
    lines = [
        f"{a},{'' if i % 9 == 0 else b},{int(t)}" for i, (a, b, t) in enumerate(zip(city, size, targets, strict=True))
    ]
    (folder / "d.csv").write_text("\n".join(["city,size,y", *lines, ""]))
    (folder / "mine.py").write_text(
        f"""{IMPORTS}from sklearn.impute import SimpleImputer
columns = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), ["city"]), (SimpleImputer(strategy="constant", fill_value=-9.0), ["size"])
)
PIPE = make_pipeline(columns, LogisticRegression())
TYPES = make_pipeline(
    make_column_transformer((OneHotEncoder(), make_column_selector(dtype_include="category"))), LogisticRegression()
)
NAMED = make_pipeline(make_column_transformer((StandardScaler(), ["absent"])), LogisticRegression())
"""
    )
    recipe = resolve(Recipe("d.csv", 40_000, columns=Columns(target="y")))
    splits = build_splits(recipe, 0)
    train = splits.train.frame()
    assert {name: str(kind) for name, kind in train.dtypes.items()} == {"city": "category", "size": "float32"}
    assert train["size"].isna().any()
    for name in ("PIPE", "TYPES"):
        found = reference_logits(run_of(f"mine:{name}", recipe), splits, 0, average_precision_of)
        by_city = splits.test.frame()["city"].astype(str)
        assert found.test[by_city == "Rome"].mean() > found.test[by_city != "Rome"].mean() + 1
    with pytest.raises(InputError, match=r"the model mine:NAMED failed: ValueError: .*absent"):
        reference_logits(run_of("mine:NAMED", recipe), splits, 0, average_precision_of)


# ---- nothing is carried over


def test_a_run_is_the_same_alone_and_after_others(folder: Path) -> None:
    alone = run_stack((run_of("mine:make"),))[0].outcome
    run_stack((run_of("mine:PIPE"),))
    assert run_stack((run_of("mine:make"),))[0].outcome == alone
    other = replace(run_of("mine:make"), seed=1)
    assert run_stack((other,))[0].outcome != alone
    (folder / "mine.py").write_text(f"{MODULE}import torch\ntorch.set_default_dtype(torch.float64)\n")
    anew()
    assert run_stack((run_of("mine:make"),))[0].outcome == alone


def test_a_fit_starts_from_a_clone_with_seeds_and_one_thread() -> None:
    splits = build_splits(RECIPE, 0)
    frames = splits.train.frame(), splits.validation.frame(), splits.test.frame()
    rows = OwnRows(frames[0], splits.train.targets.astype(np.int64), None, frames[1], frames[2], 0, "key")
    seen: list[RandomForestClassifier] = []

    class Watched(RandomForestClassifier):  # type: ignore[misc]
        def fit(self, *arguments: object) -> "Watched":
            seen.append(self)
            return super().fit(*arguments)  # type: ignore[no-any-return]

    model = make_pipeline(StandardScaler(), Watched(n_estimators=5, n_jobs=2, warm_start=True))
    own = Own("model", "mine:WATCHED")
    once, again = (fitted_scores(own, model, rows) for _ in range(2))
    other = fitted_scores(own, model, replace(rows, seed=1))
    assert once == again != other
    assert model[-1] not in seen
    assert not hasattr(model[-1], "estimators_")
    states = [each.random_state for each in seen]
    assert states[0] == states[1] != states[2]
    assert isinstance(states[0], int)
    assert {each.n_jobs for each in seen} == {1}
    fresh = clone(model).set_params(watched__random_state=states[0]).fit(rows.train, rows.targets)
    share = fresh.predict_proba(rows.test)[:, 1].clip(1e-15, 1 - 1e-15)
    found = np.frombuffer(once, offset=1)[len(rows.validation) :]
    np.testing.assert_allclose(found, np.log(share / (1 - share)), rtol=1e-9, atol=1e-9)


# ---- what is refused


REFUSED = {
    "SCALER": "gives no scores: StandardScaler has neither predict_proba nor decision_function",
    "NUMBER": "is no scikit-learn estimator: int has no fit and get_params",
    "EMPTY": "is an empty list",
    "UNLIKE": "cannot be cloned for each run: RuntimeError",
    "absent": "mine holds no 'absent'",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_model_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(InputError, match=f"the model mine:{name}.*{REFUSED[name]}") as caught:
        about(f"mine:{name}")
    assert "\n" not in str(caught.value)


def test_a_module_that_is_not_there_and_scores_that_are_none_are_named() -> None:
    with pytest.raises(InputError, match=r"the model absent:X: cannot import absent .*; start in its folder"):
        about("absent:X")
    with pytest.raises(InputError, match="the model mine:NAN gives no finite score for each row"):
        fitted("mine:NAN", build_splits(RECIPE, 0))


# ---- what it is known by


def test_another_source_and_another_parameter_are_another_model(folder: Path) -> None:
    run, before = run_of("mine:PLAIN"), about("mine:PLAIN").source
    assert about("mine:PIPE").source != before
    anew()
    assert about("mine:PLAIN").source == before
    (folder / "mine.py").write_text(f"{MODULE}# another\n")
    anew()
    assert about("mine:PLAIN").source != before
    with pytest.raises(InputError, match="the source of the model mine:PLAIN has changed since the sweep began"):
        run_stack((run,))
    (folder / "mine.py").write_text(f"{IMPORTS}import os\nPLAIN = LogisticRegression(C=float(os.environ['MINE']))\n")
    found = set()
    for value in ("1", "2"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MINE", value)
            forget_processes()
            anew()
            found.add(about("mine:PLAIN").source)
    assert len(found) == 2
    forget_processes()
    assert [model.C for model in make_models(Own("model", "sklearn.linear_model:LogisticRegression"))] == [1.0]
