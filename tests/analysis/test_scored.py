"""Scores of any models on the same rows: aligned, compared, refused where they do not belong together."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from focalbench.analysis.paired import Estimate, differences, limits_of, parts_of
from focalbench.analysis.rows import Verdict
from focalbench.analysis.scored import ModelRow, _estimate, at_chance, compare_scores
from focalbench.analysis.statistics import Floats, t_quantile
from focalbench.datasets.files.scores import ScoreColumns, ScoredRows, read_scores
from focalbench.errors import InputError
from focalbench.metrics.influence import BUCKETS, average_precision_influences, bucket_of
from focalbench.report.compared import compared_page
from focalbench.runs.metric import Metric

AP = Metric.parse("average_precision")
METRICS = tuple(
    map(Metric.parse, ("recall_at_fpr=0.05", "precision_at=100", "cost=1:20", "log_loss", "net_benefit=0.1"))
)


def drawn(seed: int, n: int = 4000, rate: float = 0.03, noise: float = 0.7) -> pd.DataFrame:
    """Rows with a good model's scores, those of one with noise, and an equally good one's, as probabilities."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < rate).astype(int)
    x = rng.normal(size=n) + 2 * y
    scores = {"good": x, "noisy": x + noise * rng.normal(size=n), "alike": x + 0.1 * rng.normal(size=n)}
    logits = {name: 2 * value - 5 for name, value in scores.items()}
    return pd.DataFrame({"id": np.arange(n), "y": y, **{name: 1 / (1 + np.exp(-z)) for name, z in logits.items()}})


def rows_of(frame: pd.DataFrame, names: tuple[str, ...] = ("good", "noisy", "alike"), **changes: object) -> ScoredRows:
    found = {"weights": None, "units": np.arange(len(frame)), "groups": None, "notes": (), "warnings": ()} | changes
    return ScoredRows(frame["y"].to_numpy(np.int8), {name: frame[name].to_numpy(copy=True) for name in names}, **found)  # type: ignore[arg-type]


def by_model(rows: list[ModelRow]) -> dict[str, ModelRow]:
    return {row.model: row for row in rows}


# ---- statistics


def test_values_are_scikit_learns_and_a_worse_model_is_told() -> None:
    frame = drawn(0, n=20_000)
    rows = by_model(compare_scores(rows_of(frame), [AP]))
    for name, row in rows.items():
        assert row.value == pytest.approx(average_precision_score(frame["y"], frame[name]))
        assert row.ends is not None
        assert row.ends.low < row.value < row.ends.high
    assert rows["good"].verdict is Verdict.BASELINE
    assert rows["noisy"].verdict is Verdict.WORSE
    assert rows["noisy"].delta == pytest.approx(rows["noisy"].value - rows["good"].value)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_where_less_is_better_the_noisy_model_is_worse_all_the_same(metric: Metric) -> None:
    rows = by_model(compare_scores(rows_of(drawn(1, n=20_000)), [metric]))
    assert rows["noisy"].verdict is Verdict.WORSE
    assert rows["noisy"].delta is not None
    assert (rows["noisy"].delta > 0) == metric.lower_is_better
    turned = by_model(compare_scores(rows_of(drawn(1, n=20_000)), [metric], baseline="noisy"))
    assert turned["good"].verdict is Verdict.BETTER


def test_pairing_makes_differences_sharper_than_the_values() -> None:
    rows = by_model(compare_scores(rows_of(drawn(2)), [AP]))
    alike = rows["alike"]
    assert alike.delta_alone is not None
    assert alike.ends is not None
    assert alike.delta_alone.high - alike.delta_alone.low < (alike.ends.high - alike.ends.low) / 3


def test_limits_of_all_at_once_are_wider_than_of_one_alone_and_equal_for_one() -> None:
    rng = np.random.default_rng(0)
    base, *others = [Estimate(float(k), rng.normal(size=256)) for k in range(6)]
    found = differences(base, others, 256, 0.1, sign=1, rng=np.random.default_rng(1))
    assert all(each.ends.low < each.alone.low < each.alone.high < each.ends.high for each in found)
    (single,) = differences(base, others[:1], 256, 0.1, sign=1, rng=np.random.default_rng(1))
    width = t_quantile(256, 0.975) * np.sqrt(np.square(others[0].sums - base.sums).sum() * 256 / 255)
    assert single.alone.high - 1.0 == pytest.approx(width)
    assert single.ends.high - 1.0 == pytest.approx(width, rel=0.03)


def test_groups_widen_what_rows_of_one_share() -> None:
    frame = drawn(3)
    frame["y"] = np.random.default_rng(1).permutation(200).repeat(20) < 16  # whole groups are positive
    shared = np.random.default_rng(0).normal(size=200).repeat(20)  # a shift of a group's rows for one model
    frame["noisy"] = 1 / (1 + np.exp(-(np.log(frame["good"] / (1 - frame["good"])) + 2 * shared)))
    of_rows = by_model(compare_scores(rows_of(frame), [AP]))["noisy"].delta_alone
    grouped = rows_of(frame, units=np.arange(4000) // 20, groups=200)
    of_groups = by_model(compare_scores(grouped, [AP]))["noisy"].delta_alone
    assert of_rows is not None
    assert of_groups is not None
    assert of_groups.high - of_groups.low > (of_rows.high - of_rows.low) * 1.05


def test_what_a_part_does_is_the_sum_over_its_groups_and_what_its_share_of_positives_does() -> None:
    frame, groups = drawn(6), np.random.default_rng(0).integers(0, 300, 4000)
    y, score = frame["y"].to_numpy(), frame["good"].to_numpy()
    by_part = np.bincount(bucket_of(groups), average_precision_influences(score, y == 1), minlength=BUCKETS)
    ap = [average_precision_score(y, score, sample_weight=np.where(y == 1, factor, 1.0)) for factor in (1.001, 0.999)]
    slope = (ap[0] - ap[1]) / (np.log(1.001) - np.log(0.999))  # by the log of the positives' weight
    shares = [np.bincount(bucket_of(groups[y == k]), minlength=BUCKETS) / (y == k).sum() for k in (1, 0)]
    found = _estimate(rows_of(frame, units=groups, groups=300), AP, "good")
    assert found.sums == pytest.approx(by_part + slope * (shares[0] - shares[1]), abs=1e-5)
    assert np.abs(slope * (shares[0] - shares[1])).max() > 1e-3


def test_of_a_few_groups_there_is_no_verdict() -> None:
    rows = compare_scores(rows_of(drawn(4), units=np.arange(4000) // 1000, groups=4), [AP])
    assert [row.verdict for row in rows] == [Verdict.BASELINE, Verdict.TOO_FEW, Verdict.TOO_FEW]
    assert all(row.ends is None and row.delta_ends is None for row in rows)
    assert "No verdict in AUCPR" in compared_page(rows).markdown()


def test_scores_in_another_order_are_suspected() -> None:
    frame = drawn(5)
    frame["noisy"] = frame["noisy"].sample(frac=1, random_state=0).to_numpy()
    rows = compare_scores(rows_of(frame), [AP])
    assert at_chance(rows, frame["y"].mean()) == ["noisy"]


TRUTH = 300_000  # rows that stand for all
DRAWS = 300


@pytest.mark.slow
@pytest.mark.parametrize("metric", [AP, *METRICS], ids=str)
@pytest.mark.parametrize("groups", [1, 8])
def test_intervals_cover_what_other_rows_would_show(metric: Metric, groups: int) -> None:
    """Fresh rows from one population; the truth is that of very many. Groups share a shift of their scores."""
    wanted = Metric.parse("precision_at=2.5%") if str(metric) == "precision_at=100" else metric

    def estimates(seed: int, n: int) -> list[ModelRow]:
        frame = drawn(seed, n)
        if groups > 1:
            shift = np.random.default_rng(seed).normal(size=(-(-n // groups), 2)).repeat(groups, axis=0)[:n]
            for place, name in enumerate(("good", "noisy")):
                logit = np.log(frame[name] / (1 - frame[name])) + shift[:, place]
                frame[name] = 1 / (1 + np.exp(-logit))
        units, count = np.arange(n) // groups, None if groups == 1 else n // groups
        return compare_scores(rows_of(frame, ("good", "noisy"), units=units, groups=count), [wanted])

    truth = by_model(estimates(10**6, TRUTH))
    covered: list[tuple[bool, bool]] = []
    for seed in range(DRAWS):
        good, noisy = estimates(seed, 4000)
        assert good.ends is not None
        assert noisy.delta_alone is not None
        delta = truth["noisy"].delta or 0.0
        inside = noisy.delta_alone.low <= delta <= noisy.delta_alone.high
        covered.append((good.ends.low <= truth["good"].value <= good.ends.high, inside))
    found = np.mean(covered, axis=0)
    print(f"coverage {wanted}, groups of {groups}: value {found[0]:.3f}, difference {found[1]:.3f}")
    least = 0.93 - 2 * np.sqrt(0.93 * 0.07 / DRAWS)
    if metric.costs is None:  # whose threshold is chosen on the same rows: its value is better than on others
        assert found[0] >= least
    assert found[1] >= least


# ---- files


def write(folder: Path, name: str, frame: pd.DataFrame) -> str:
    path = folder / name
    if name.endswith(".parquet"):
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(
            path, index=False, sep=";" if name.startswith("de") else ",", decimal="," if name.startswith("de") else "."
        )
    return str(path)


def test_one_file_with_several_columns(tmp_path: Path) -> None:
    frame = drawn(0, 500)
    found = read_scores([write(tmp_path, "s.csv", frame)], ScoreColumns("y", id="id"))
    assert list(found.scores) == ["good", "noisy", "alike"]
    assert found.targets.tolist() == frame["y"].tolist()
    assert found.scores["good"] == pytest.approx(frame["good"])
    assert any("target y: 0 in" in note for note in found.notes)


def test_files_are_aligned_by_an_identifier_whatever_its_type(tmp_path: Path) -> None:
    frame = drawn(0, 500)
    other = frame[["id", "noisy"]].sample(frac=1, random_state=0).assign(id=lambda f: f["id"].astype(str))
    paths = [write(tmp_path, "a.csv", frame[["id", "y", "good"]]), write(tmp_path, "b.parquet", other)]
    found = read_scores(paths, ScoreColumns("y", id="id"))
    assert list(found.scores) == ["a", "b"]
    assert found.scores["b"] == pytest.approx(frame["noisy"])
    texts = [write(tmp_path, "c.csv", frame[["id", "y", "good"]].assign(id="tx-" + frame["id"].astype(str)))]
    texts.append(write(tmp_path, "d.csv", other.assign(id="tx-" + other["id"])[["id", "noisy"]]))
    assert read_scores(texts, ScoreColumns("y", id="id")).scores["d"] == pytest.approx(frame["noisy"])


def test_files_of_other_locales_and_names_are_read(tmp_path: Path) -> None:
    frame = drawn(0, 500).assign(y=lambda f: np.where(f["y"] == 1, "Ja", "Nein"))
    found = read_scores([write(tmp_path, "de.csv", frame[["y", "good", "noisy"]])], ScoreColumns("y"))
    assert found.targets.sum() == (frame["y"] == "Ja").sum()
    assert found.scores["noisy"] == pytest.approx(frame["noisy"])


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    frame = drawn(0, 300)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    paths = [write(tmp_path / folder, "s.csv", frame[["y", "good"]]) for folder in ("a", "b")]
    assert list(read_scores(paths, ScoreColumns("y")).scores) == ["s: good", f"{paths[1]}: good"]


def test_without_an_identifier_a_missing_target_is_warned_of(tmp_path: Path) -> None:
    frame = drawn(0, 300)
    paths = [write(tmp_path, "a.csv", frame[["y", "good"]]), write(tmp_path, "b.csv", frame[["noisy"]])]
    (warning,) = read_scores(paths, ScoreColumns("y")).warnings
    assert re.search(r"b\.csv: no target to confirm that its rows are those of .*a\.csv, in its order", warning)


Case = tuple[str, dict[str, pd.DataFrame], ScoreColumns, str]
FRAME = drawn(0, 300)
HOLED = FRAME.assign(good=FRAME["good"].where(FRAME.index != 6))
BAD: list[Case] = [
    ("rows", {"a.csv": FRAME[["y", "good"]], "b.csv": FRAME[["noisy"]].head(299)}, ScoreColumns("y"),
     "a.csv has 300 rows and .*b.csv has 299 rows"),
    ("targets", {"a.csv": FRAME[["y", "good"]], "b.csv": FRAME[["y", "noisy"]].iloc[::-1]}, ScoreColumns("y"),
     "the targets of .* differ in .* rows, first in data row"),
    ("ids", {"a.csv": FRAME[["id", "y", "good"]], "b.csv": FRAME[["id", "noisy"]].assign(id=FRAME["id"] + 1)},
     ScoreColumns("y", id="id"), "share 299 rows of 300 and 300: '0' is in .*a.csv only; score the same rows"),
    ("id twice", {"a.csv": FRAME[["id", "y", "good"]].assign(id=1), "b.csv": FRAME[["id", "noisy"]]},
     ScoreColumns("y", id="id"), "the identifier 'id' is not unique"),
    ("id missing", {"a.csv": FRAME[["id", "y", "good"]].assign(id=FRAME["id"].where(FRAME.index > 0)),
                    "b.csv": FRAME[["id", "noisy"]]}, ScoreColumns("y", id="id"), "is missing in data row 1"),
    ("NaN", {"a.csv": HOLED}, ScoreColumns("y", scores=("good", "noisy")),
     r"'good' must hold a finite number in every row; it does not in 1 row \(first: data row 7\)"),
    ("texts", {"a.csv": FRAME.assign(good="high")}, ScoreColumns("y", scores=("good", "noisy")),
     "'good' must hold a finite"),
    ("one model", {"a.csv": FRAME[["y", "good"]]}, ScoreColumns("y"), "one model alone compares with nothing"),
    ("no scores", {"a.csv": FRAME[["y"]]}, ScoreColumns("y"), "has no column but y; it holds no scores"),
    ("no target", {"a.csv": FRAME}, ScoreColumns("fraud"), "has no column 'fraud'"),
    ("no column", {"a.csv": FRAME}, ScoreColumns("y", scores=("gut",)), "has no column 'gut'"),
    ("counting", {"a.csv": FRAME}, ScoreColumns("y"), "'id' holds whole numbers that never repeat"),
    ("one class", {"a.csv": FRAME.assign(y=0)[["y", "good", "noisy"]]}, ScoreColumns("y"), "holds only the value 0"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "columns", "why"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_does_not_belong_together_is_refused_in_one_sentence(
    files: dict[str, pd.DataFrame], columns: ScoreColumns, why: str, tmp_path: Path
) -> None:
    paths = [write(tmp_path, name, frame) for name, frame in files.items()]
    with pytest.raises(InputError, match=why) as found:
        read_scores(paths, columns)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("metric", "changes", "why"),
    [
        ("log_loss", {"good": lambda f: 5 * f["good"]}, "needs probabilities, and the scores of good run from"),
        ("precision_at=5000", {}, "must look at 1 to 4,000 rows, as many as there are"),
    ],
)
def test_metrics_that_these_scores_do_not_allow_are_refused(metric: str, changes: dict[str, object], why: str) -> None:
    with pytest.raises(InputError, match=why):
        compare_scores(rows_of(drawn(0).assign(**changes)), [Metric.parse(metric)])
    with pytest.raises(InputError, match="no model is called 'best'; `baseline` takes one of good, noisy, alike"):
        compare_scores(rows_of(drawn(0)), [AP], baseline="best")


def test_files_that_a_sweep_keeps_are_known(tmp_path: Path) -> None:
    frame = drawn(0, 300)
    kept = pd.DataFrame({"row": frame["id"], "seed": 3, "target": frame["y"], "weight": np.where(frame["y"], 0.5, 1.0)})
    paths = [
        write(tmp_path, f"f.csv_natural_{name}.parquet", kept.assign(score=frame[name], probability=frame[name]))
        for name in ("good", "noisy")
    ]
    found = read_scores(paths, ScoreColumns("target", id="row"))
    assert list(found.scores) == ["f.csv_natural_good", "f.csv_natural_noisy"]
    assert found.weights is not None
    assert found.weights.tolist() == kept["weight"].tolist()
    assert any("weight weight: numbers 0.5 to 1" in note for note in found.notes)


def test_percent_is_a_hundredth_and_numbers_may_group_and_weigh(tmp_path: Path) -> None:
    frame = drawn(0, 300)
    told = frame[["y", "noisy"]].assign(good=[f"{100 * value:.6f}%" for value in frame["good"]])
    told = told.assign(g=np.arange(300) // 3, w=1.5 + np.arange(300) % 2, third=5.13 + frame["alike"].round(2))
    found = read_scores([write(tmp_path, "s.csv", told)], ScoreColumns("y", group="g", weight="w"))
    assert found.scores["good"] == pytest.approx(frame["good"], abs=1e-8)
    assert (found.groups, found.weights is not None) == (100, True)
    assert any("percent as hundredths" in note for note in found.notes)


def test_the_target_is_no_score(tmp_path: Path) -> None:
    frame = drawn(0, 300)
    path = write(tmp_path, "s.csv", frame[["y", "good"]])
    with pytest.raises(InputError, match="'y' plays another part"):
        read_scores([path], ScoreColumns("y", scores=("y", "good")))
    with pytest.raises(InputError, match="none of the files has a column 'gut'; name the columns"):
        read_scores([path], ScoreColumns("y", scores=("gut", "good")))
    with pytest.raises(InputError, match=r"none of the files has a column 'GOOD'; did you mean good\?"):
        read_scores([path], ScoreColumns("y", scores=("GOOD", "good")))
    label = write(tmp_path, "l.csv", frame[["y"]].rename(columns={"y": "label"}))
    assert "l: the same as the target in every row" in read_scores([path, label], ScoreColumns("y")).warnings[0]


def test_identifiers_of_numbers_and_texts_are_compared_as_texts(tmp_path: Path) -> None:
    frame = drawn(0, 300)
    ids = frame["id"].astype(str)
    ids[5] = "X5"
    paths = [
        write(tmp_path, "a.csv", frame[["id", "y", "good"]]),
        write(tmp_path, "b.csv", frame[["noisy"]].assign(id=ids)),
    ]
    with pytest.raises(InputError, match=r"share 299 rows of 300 and 300: '5' is in .*a\.csv only"):
        read_scores(paths, ScoreColumns("y", id="id"))
    huge = [
        write(tmp_path, f"{k}.csv", frame[["y", k]].assign(id=[f"9{10**19 + i}" for i in range(300)]))
        for k in ("good", "noisy")
    ]
    assert list(read_scores(huge, ScoreColumns("y", id="id")).scores) == ["good", "noisy"]


@pytest.mark.parametrize("positives", [1, 5, 9, 12])
def test_of_a_few_positives_there_is_no_interval(positives: int) -> None:
    frame = drawn(0).assign(y=lambda f: (np.arange(len(f)) < positives).astype(int))
    rows = compare_scores(rows_of(frame), [AP])
    assert all((row.ends is None) == (positives < 10) for row in rows)


@pytest.mark.parametrize("margin", [0.0, -0.01, float("nan"), float("inf"), 5.0, 1e-320])
def test_a_margin_out_of_range_is_refused(margin: float) -> None:
    with pytest.raises(InputError, match="`margin` is a difference in the metric, above 0 and below 1"):
        compare_scores(rows_of(drawn(0)), [AP], margin=margin)


def test_names_of_models_are_shown_as_they_are_and_fit() -> None:
    frame = drawn(0).rename(columns={"good": "p{v1}", "noisy": "{baseline}", "alike": "x" * 90})
    page = compared_page(compare_scores(rows_of(frame, ("p{v1}", "{baseline}", "x" * 90)), [AP]))
    assert "{baseline} (" in page.markdown()
    (grid,) = page.grids
    widths = [
        max(len(text) for text in texts)
        for texts in zip(*(line.cells[1:] for line in grid.sections[0].lines), strict=True)
    ]
    assert (grid.columns[0].width or 99) + sum(widths) + len(widths) <= 80


# ---- the command


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "focalbench", "compare", *arguments]
    return subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_says_which_is_better_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "s.csv", drawn(0))
    found = command(
        tmp_path, "s.csv", "--target", "y", "--id", "id", "--metric", "average_precision", "--metric", "cost=1:20"
    )
    assert (found.returncode, [path.name for path in tmp_path.iterdir()]) == (0, ["s.csv"])
    flat = " ".join(found.stdout.split())
    assert re.search(r"By AUCPR: noisy \(-\.\d+ \[-\.\d+, -\.\d+\]\) worse than good", flat)
    assert "the threshold that costs least on these very rows" in flat
    assert max(map(len, found.stdout.splitlines())) <= 80
    as_csv = command(tmp_path, "s.csv", "--target", "y", "--id", "id", "--format", "csv", "-q")
    assert as_csv.stdout.startswith("metric,model,rows,positives,groups,weighted,value,low,high,delta,")
    assert as_csv.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("s.csv",), "--target is needed"),
        (("s.csv", "--target", "y", "--id", "id", "--metric", "auc"), "unknown --metric auc"),
        (("none.csv", "--target", "y"), "no file none.csv"),
        (("s.csv", "--target", "y", "--id", "id", "--margin", "0.1", "--metric", "log_loss", "--metric", "cost=1:2"),
         "--margin is a difference in one metric"),
    ],
)  # fmt: skip
def test_the_command_refuses_with_exit_code_2(arguments: tuple[str, ...], why: str, tmp_path: Path) -> None:
    write(tmp_path, "s.csv", drawn(0, 300))
    found = command(tmp_path, *arguments)
    assert found.returncode == 2
    assert why.split()[0] in found.stderr
    assert "Traceback" not in found.stderr


def test_estimates_without_influence_have_no_parts() -> None:
    zero: Floats = np.zeros(256)
    assert parts_of([Estimate(0.5, zero), Estimate(0.5, zero)]) == 0
    assert limits_of(Estimate(0.5, zero), 20).low == 0.5
