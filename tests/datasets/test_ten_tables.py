"""Ten tables with habits of their own, made from known values: what is read is what was meant, and it is said how.

Banks of three countries, a hospital, percentages, classes in several spellings, long identifiers, genes, dates in
several formats, a lender, and a shop's spreadsheet.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from focalbench.datasets import Columns, read_table
from focalbench.datasets.tables.reading import column_sentences

ROWS = 400
RNG = np.random.default_rng(14)
DAYS = [date(2022, 12, 1) + timedelta(days=int(i)) for i in RNG.integers(0, 500, ROWS)]
MONEY = (RNG.lognormal(6, 2, ROWS) * RNG.choice([-1, 1], ROWS)).round(2)
SHARE = RNG.integers(1, 2000, ROWS) / 100
RARE = (np.arange(ROWS) % 8 == 0).astype(int)
GAPS = RNG.random(ROWS) < 0.2


class Case(NamedTuple):
    """A file's bytes, how to read it, the numbers of its columns (NaN where missing), and words that are said."""

    content: bytes
    options: dict[str, Any]
    truth: dict[str, Any]
    said: tuple[str, ...]


def table(separator: str, **columns: Any) -> str:
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n"


def money(value: float, mark: str, thousands: str) -> str:
    return f"{value:,.2f}".replace(",", "T").replace(".", mark).replace("T", thousands)


def months(values: Any) -> list[int]:
    return [each.month for each in values]


def german_bank() -> Case:
    text = table(
        ";",
        Buchung=[day.strftime("%d.%m.%y") for day in DAYS],
        Betrag=[money(value, ",", ".") + " €" for value in MONEY],
        Zins=[f"{value:.3f}".replace(".", ",") + " %" for value in SHARE],
        Punkte=[f"{value:,.0f}".replace(",", ".") for value in np.abs(MONEY)],
        Betrug=RARE,
    )
    truth = {"Buchung_month": months(DAYS), "Betrag": MONEY, "Zins": SHARE, "Punkte": np.abs(MONEY).round()}
    said = ("decimal comma", "thousands separated by dots", "€ stripped", "day first", "Windows-1252")
    return Case(text.encode("cp1252"), {"target": "Betrug"}, truth, said)


def swiss_bank() -> Case:
    amounts = [f"CHF {money(value, '.', chr(0x2019))}" for value in MONEY]
    text = table("\t", Datum=[day.strftime("%d.%m.%Y") for day in DAYS], Betrag=amounts, y=RARE)
    truth = {"Datum_month": months(DAYS), "Betrag": MONEY}
    return Case(text.encode("utf-16"), {"target": "y"}, truth, ("thousands separated by apostrophes", "chf stripped"))


def french_bank() -> Case:
    text = "sep=;\r\n" + table(
        ";",
        Date=[day.strftime("%d/%m/%Y") for day in DAYS],
        Montant=[money(value, ",", "\u202f").replace("-", "\u2212") for value in MONEY],
        Taux=["-" if gap else f"{value:.2f}".replace(".", ",") for value, gap in zip(SHARE, GAPS, strict=True)],
        Fraude=["oui" if rare else "non" for rare in RARE],
    ).replace("\n", "\r\n")
    truth = {"Date_month": months(DAYS), "Montant": MONEY, "Taux": np.where(GAPS, np.nan, SHARE)}
    said = ("thousands separated by spaces", "'-' as missing")
    return Case(text.encode("utf-8-sig"), {"target": "Fraude", "positive": "oui"}, truth, said)


def hospital() -> Case:
    ages, glucose = RNG.integers(18, 90, ROWS), (RNG.random(ROWS) * 10 + 1).round(1)
    text = table(
        ",",
        age=["90+" if rare else str(age) for age, rare in zip(ages, RARE, strict=True)],
        glucose=["n.d." if gap else f"{value} mmol/L" for value, gap in zip(glucose, GAPS, strict=True)],
        crp=[f"<0.{5}" if i % 3 == 0 else f"{value:.1f}" for i, value in enumerate(SHARE)],
        admitted=[f"{i % 24:02d}:{i % 60:02d}" for i in range(ROWS)],
        ward=["ICU" if i % 5 else "ER" for i in range(ROWS)],
        sepsis=RARE,
    )
    truth = {
        "age": np.where(RARE, 90, ages),
        "glucose": np.where(GAPS, np.nan, glucose),
        "crp": [0.5 if i % 3 == 0 else float(f"{value:.1f}") for i, value in enumerate(SHARE)],
        "admitted": [i % 24 + i % 60 / 60 for i in range(ROWS)],
    }
    said = ("mmol/l stripped", "'n.d.' as missing", "read as the 5", "hours since midnight", "categories (1): ward")
    return Case(text.encode(), {"target": "sepsis"}, truth, said)


def percentages() -> Case:
    text = table(
        ",",
        growth=[f"({-value:.2f}%)" if value < 0 else f"{value:.2f}%" for value in MONEY],
        price=[f'"${value:,.2f}"' for value in np.abs(MONEY)],
        trailing=[f"{-value:.2f}-" if value < 0 else f"{value:.2f}" for value in MONEY],
        y=RARE,
    )
    truth = {"growth": MONEY, "price": np.abs(MONEY), "trailing": MONEY}
    return Case(text.encode(), {"target": "y"}, truth, ("% stripped", "$ stripped", "thousands separated by commas"))


def spelled_classes() -> Case:
    others = ("<=50K", "<=50K.", ">50K.")  # the last one is negative unless the file is corrected, which is said
    labels = [">50K" if rare else others[i % 3] for i, rare in enumerate(RARE)]
    text = table(",", hours=np.arange(ROWS) % 60, income=labels)
    return Case(text.encode(), {"target": "income", "positive": ">50K"}, {"hours": np.arange(ROWS) % 60}, (">50K.",))


def long_identifiers() -> Case:
    text = table(",", patient=[2**53 + i // 2 for i in range(ROWS)], x=SHARE, y=RARE)
    return Case(text.encode(), {"target": "y", "group": "patient"}, {"x": SHARE}, ())


def genes() -> Case:
    values = RNG.lognormal(size=(ROWS, 1500)).round(3)
    columns = {f"ENSG{j:08d}": values[:, j] for j in range(1500)}
    text = table(",", sample=[f"S{i}" for i in range(ROWS)], **columns, tumour=RARE)
    truth = dict(list(columns.items())[:3])
    said = ("numbers (1500)", "and 1488 more", "sample (text that never repeats)")
    return Case(text.encode(), {"target": "tumour"}, truth, said)


def mixed_dates() -> Case:
    patterns = ("%Y-%m-%d", "%d/%m/%Y", "%d %b %Y", "%B %d, %Y")
    written = [f'"{day.strftime(patterns[i % 4])}"' for i, day in enumerate(DAYS)]
    text = table(",", seen=[*written[:-1], "unknown"], x=SHARE, y=RARE)
    return Case(text.encode(), {"target": "y"}, {"seen_month": [*months(DAYS[:-1]), np.nan]}, ("'unknown' as missing",))


def lender() -> Case:
    years = ["< 1 year", "1 year", "2 years", "10+ years", "n/a"]
    text = table(
        ",",
        term=[(" 36 months", " 60 months")[i % 2] for i in range(ROWS)],
        rate=[f" {value:.2f}%" for value in SHARE],
        length=[years[i % 5] for i in range(ROWS)],
        opened=[day.strftime("%b-%Y") for day in DAYS],
        home=["RENT" if i % 3 else "OWN" for i in range(ROWS)],
        default=RARE,
    )
    truth = {
        "term": [(36, 60)[i % 2] for i in range(ROWS)],
        "rate": SHARE,
        "length": [(0.5, 1, 2, 10, np.nan)[i % 5] for i in range(ROWS)],
        "opened_month": months(DAYS),
    }
    return Case(
        text.encode(), {"target": "default"}, truth, ("month stripped", "year stripped", "categories (1): home")
    )


CASES: list[Callable[[], Case]] = [
    *(german_bank, swiss_bank, french_bank, hospital, percentages),
    *(spelled_classes, long_identifiers, genes, mixed_dates, lender),
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_what_was_meant_is_what_is_read(tmp_path: Any, make: Callable[[], Case]) -> None:
    case = make()
    (tmp_path / "d.csv").write_bytes(case.content)
    found = read_table(str(tmp_path / "d.csv"), Columns(**case.options))
    assert found.targets.tolist() == RARE.tolist()
    for name, expected in case.truth.items():
        wanted = pd.Series(expected, dtype="float64")
        values = found.frame[name].astype("float64")
        assert values.isna().tolist() == wanted.isna().tolist(), name
        moved = values - values.dropna().iloc[0]  # float32 holds some columns less a constant
        np.testing.assert_allclose(moved, wanted - wanted.dropna().iloc[0], rtol=1e-4, atol=1e-3, err_msg=name)
    lines = "\n".join([*column_sentences(found), *found.notes, *found.warnings])
    assert [words for words in case.said if words not in lines] == []
    if case.options.get("group"):
        assert found.groups is not None
        assert len(set(found.groups.tolist())) == ROWS // 2
