"""How a column to predict is read: told always, doubted where another value may be the positive one, never guessed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalbench.datasets.files.file import read_table
from focalbench.datasets.tables.table import Table, TargetReading
from focalbench.datasets.tables.targets import PAIRS
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.columns import Columns


def read(folder: Path, values: list[Any], **options: Any) -> Table:
    lines = [f"{place * 7 % 1000 / 3},{value}" for place, value in enumerate(values)]
    (folder / "d.csv").write_text("\n".join(["x,y", *lines, ""]))
    task = options.pop("task", "binary")
    return read_table(str(folder / "d.csv"), Columns("y", **options), task)


@pytest.mark.parametrize("pair", PAIRS)
def test_known_pairs_need_no_option_in_any_case(tmp_path: Path, pair: tuple[str, str]) -> None:
    for spelled in (str, str.upper, str.title):
        negative, positive = map(spelled, pair)
        table = read(tmp_path, [positive, *[negative] * 6, positive])
        assert table.targets.tolist() == [1, 0, 0, 0, 0, 0, 0, 1]
        (told,) = table.outputs
        assert (told.counts, told.positive.casefold()) == ((6, 2), positive.casefold())


YES = ["no"] * 6 + ["Yes", "YES", "Yes", "yes"]
INCOME = ["<=50K"] * 50 + ["<=50K."] * 20 + [">50K"] * 15 + [">50K."] * 8
READ: list[tuple[list[Any], dict[str, Any], TargetReading]] = [
    (YES, {}, TargetReading("y", ("no", "Yes"), (6, 4), "Yes", 0, ("YES", "yes"))),
    (YES, {"positive": "YES"}, TargetReading("y", ("no", "Yes"), (6, 4), "Yes", 0, ("YES", "yes"))),
    (YES, {"positive": "no"}, TargetReading("y", ("no", "Yes"), (6, 4), "no", 0, ("YES", "yes"))),
    ([-1.0, -1.0, 1.0], {}, TargetReading("y", ("-1", "1"), (2, 1), "1")),
    (["b", "b", "NA"], {"positive": "NA"}, TargetReading("y", ("b", "NA"), (2, 1), "NA")),
    (["b", "b", "None", "b"], {"positive": "b"}, TargetReading("y", ("b", "None"), (3, 1), "b")),
    (["None", "None", "mild", "?"], {"positive": "?"}, TargetReading("y", ("mild", "?"), (1, 1), "?", 2)),
    (
        ["None"] * 20 + ["mild"] * 15 + ["NA"] * 10,
        {"positive": "NA", "task": "multiclass"},
        TargetReading("y", ("mild", "NA"), (15, 10), "NA", 20),
    ),
    (
        INCOME,
        {"positive": ">50K"},
        TargetReading("y", ("<=50K", "<=50K.", ">50K", ">50K."), (50, 20, 15, 8), ">50K"),
    ),
]


@pytest.mark.parametrize(("values", "options", "expected"), [case for case in READ if not case[2].unknown])
def test_what_is_read_is_what_is_told(
    tmp_path: Path, values: list[Any], options: dict[str, Any], expected: TargetReading
) -> None:
    table = read(tmp_path, values, **options)
    assert table.outputs == (expected,)
    assert table.positives == dict(zip(expected.values, expected.counts, strict=True))[expected.positive]


@pytest.mark.parametrize(("values", "options"), [case[:2] for case in READ if case[2].unknown])
def test_of_two_marks_of_the_missing_the_option_makes_one_a_class(
    tmp_path: Path, values: list[Any], options: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=r"missing or infinite in (2|20) rows, .* where 'None' is a class, name it"):
        read(tmp_path, values, **options)


def test_other_spellings_of_the_positive_are_warned_of_before_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.permutation(["<=50K"] * 900 + ["<=50K."] * 400 + [">50K"] * 300 + [">50K."] * 80)
    lines = [f"{x},{value}" for x, value in zip(rng.random(len(values)), values, strict=True)]
    (tmp_path / "census.csv").write_text("\n".join(["x,y", *lines, ""]))
    experiment = Experiment(
        datasets=(str(tmp_path / "census.csv"),),
        positive_rates=(None,),
        columns=Columns(target="y", positive=">50K"),
        seeds=1,
    )
    plan = make_plan(experiment)
    assert [text for text in plan.warnings if "alike" in text] == [
        "census.csv: the target 'y' is '>50K.' in 80 rows, which counts as negative and differs from the positive "
        "'>50K' (300 rows) only in case, blanks or punctuation; where both mean the same, write them alike in the file"
    ]
    assert plan.notes[0] == (
        "census.csv: target y: <=50K in 900 rows (53.57%), <=50K. in 400 rows (23.81%), >50K in 300 rows (17.86%, "
        "positive), >50K. in 80 rows (4.76%)"
    )


@pytest.mark.parametrize(
    ("values", "options", "warned"),
    [
        (["a", "A ", "b"] * 9, {"positive": "a"}, ["'A'"]),
        (["non-fraud", "nonfraud", "fraud", "Fraud!"] * 9, {"positive": "fraud"}, ["'Fraud!'"]),
        (["A+", "A-", "A"] * 9, {"positive": "A"}, []),
        ([1, -1, 10, 0.1], {"positive": "1"}, []),
        ([0, "False", 1, "True"] * 9, {"positive": "1"}, ["'true'"]),
        (["N", "No", "Y", "Yes"] * 9, {"positive": "Yes"}, ["'Y'"]),
        (["N", "No", "Y", "Yes"] * 9, {"positive": "No"}, ["'N'"]),
        (
            ["no", "Yes", "Yes\u200b", "S\u00ed", "Si\u0301"],
            {"positive": "Yes"},
            ["'Si\u0301'", "'S\u00ed'", "'Yes\\u200b'"],
        ),
        ([">5", "<5", "=5"], {"positive": ">5"}, []),
        (["a", "a.", "b"] * 12, {"task": "multiclass"}, ["'a'"]),
        (["a", "b", "c"] * 12, {"task": "multiclass"}, []),
    ],
)
def test_which_values_look_alike(tmp_path: Path, values: list[Any], options: dict[str, Any], warned: list[str]) -> None:
    found = read(tmp_path, values, **options) if "task" not in options else classes(tmp_path, values)
    assert len(found.warnings) == len(warned)
    assert all(name in text for name, text in zip(warned, found.warnings, strict=True))


def classes(folder: Path, values: list[Any]) -> Table:
    return read(folder, values * 10, task="multiclass")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["Won"] * 260 + ["Lost"] * 11_000, r"holds Lost \(11,000 rows\), Won \(260 rows\); say which is positive, "
         r"`positive=Won` \(260 rows, 2\.3%\)"),
        ([3, 3, 2, 2, 2], r"`positive=3` \(2 rows, 40%\)"),
        ([1, 2, 2, 2], r"holds 2 \(3 rows\), 1 \(1 row\); say which is positive with `positive`$"),
        (["of a", "of b", "of b", "of a", "of b"], r"`positive=of a` \(2 rows"),
        ([1, 1, "NA"], r"holds 1 \(2 rows\), NA \(1 row\); say which is positive"),  # else unknown rows are negative
        ([0, 1, "NA", ""], r"missing or infinite in 2 rows, first in data row 3; .* where 'NA' is a class, name it"),
        ([0, 1, ""], r"in 1 row, first in data row 3; fill them in or remove these rows$"),
        ([0, 1, "yes", "no"] * 2, r"such as `positive=yes` \(2 rows"),
        ([0, 0, 1, 1, "Total"], r"`positive=1` \(2 rows, 40%\); 'Total' is in data row 5 only: where it is a footer"),
        ([0] * 900 + [1] * 150 + ["y"] * 40, r"such as `positive=1` \(150 rows"),
        ([0, 1, 9] * 9, r"such as `positive=1` \("),
        (["no", "yes", "unknown"] * 9 + ["no", "yes"], r"such as `positive=yes` \("),
        (["no"] * 9 + ["fraud"] * 20, r", `positive=fraud` \("),
        (["x", "", ""] * 9, r"where an empty cell means that it is not x, write 0 into it and give `positive=x`$"),
        (["", 1, ""] * 9, r"where an empty cell means that it is not 1, write 0 into it$"),
    ],
)  # fmt: skip
def test_a_target_that_leaves_it_open_is_refused_with_the_remedy(tmp_path: Path, values: list[Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(tmp_path, values)


def test_labels_that_are_only_marked_say_what_to_do_with_the_blanks(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x,p,q\n" + "1,x,\n2,,x\n3,,\n" * 9)
    columns = Columns(labels=("p", "q"), positive="x")
    with pytest.raises(InputError, match="only the value x; where an empty cell means that it is not x, write 0"):
        read_table(str(tmp_path / "d.csv"), columns, "multilabel")


def test_spellings_that_are_now_one_value_change_the_reading(tmp_path: Path) -> None:
    assert read(tmp_path, YES, positive="Yes").reading
    assert not read(tmp_path, ["no", "yes"] * 4, positive="yes").reading
    assert not read(tmp_path, [0, 1] * 4).reading


def test_many_values_are_told_in_one_line() -> None:
    assert str(TargetReading("y", ("no", "Yes"), (6, 4), "Yes", 3, ("YES", "yes"))) == (
        "target y: no in 6 rows (60.00%), Yes in 4 rows (40.00%, positive), unknown in 3; also spelled YES, yes"
    )
    told = TargetReading("y", tuple("abcdefghijkl"), (9,) * 11 + (1,), "l")
    assert str(told).endswith("h in 9 rows (9.00%), l in 1 rows (1.00%, positive), 3 more values")
