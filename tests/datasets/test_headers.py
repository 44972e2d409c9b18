"""Which sign parts a file's cells, and what is said of files that do not begin with a header."""

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from focalbench.datasets import Columns, read_table
from focalbench.errors import InputError


def write(folder: Path, text: str) -> str:
    (folder / "d.csv").write_text(text)
    return str(folder / "d.csv")


@pytest.mark.parametrize(
    ("header", "row", "names"),
    [
        ('y;"Betrag, EUR"', "{};{},5", ["Betrag, EUR"]),
        ("y;Betrag, EUR", "{};{},5", ["Betrag, EUR"]),
        ("y;amount (a,b,c,d);b", "{};{},5;2", ["amount (a,b,c,d)"]),
        ("y\ta\tb, c, d, e", "{}\t{}\t2", ["a"]),
        ("y|a,b", "{}|{}", ["a,b"]),
        ('y,"a; b"', '{},"{}"', ["a; b"]),
        ('y,"a; b; c",d', '{},"u; v; w",{}', ["d"]),
        ("y,a;b;c;d", "{},{}", ["a;b;c;d"]),
        ("y,a,", "{},{},", ["a"]),
        ("y,a", "{},{},", ["a"]),
    ],
)
def test_the_separator_fits_header_and_rows(tmp_path: Path, header: str, row: str, names: list[str]) -> None:
    text = "\n".join([header, *(row.format(i % 2, i) for i in range(40)), ""])
    assert list(read_table(write(tmp_path, text), Columns("y")).frame.columns) == names


BODY = "y,a\n" + "".join(f"{i % 2},{i}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Report of 2023\n\n" + BODY, "begins with 'Report of 2023', .*; remove the lines above the header"),
        ("# made by me\n" + BODY, "begins with '# made by me', .*; remove the lines above the header"),
        ("Report, 2023\n" + BODY, "no column 'y'.*; data row 1 holds 'y': where that is the header, remove the lines"),
        ('[{"y": 1, "a": 2}]\n', "is JSON, which is not read"),
        ('{"y": 1, "a": 2}\n', "is JSON, which is not read"),
        ("<!DOCTYPE html><table><tr><td>y</td></tr></table>\n", "is HTML or XML, which is not read"),
        ("@relation x\n@data\n1,0\n", "is an ARFF file, which is not read"),
    ],
)
def test_what_does_not_begin_with_a_header_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_table(write(tmp_path, text), Columns("y"))


def test_parquet_decimals_are_numbers_and_declared_categories_are_categories(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "y": [0, 1] * 6,
            "price": [Decimal("1.234"), Decimal("2.500"), Decimal("1.000")] * 4,
            "text": ["1,5", "2,25", "3,0", "4,5"] * 3,
            "code": pd.Categorical([7, 8, 9, 7] * 3),
            "id": [Decimal(10**20 + k) for k in range(12)],
        }
    )
    frame.to_parquet(tmp_path / "d.parquet")
    table = read_table(str(tmp_path / "d.parquet"), Columns("y", group="id"))
    assert table.frame["price"].diff()[1:3].tolist() == pytest.approx([1.266, -1.5])
    assert table.categorical == ("code",)
    assert "code: category" in table.changes
    assert table.groups is not None
    assert len(set(table.groups.tolist())) == 12
