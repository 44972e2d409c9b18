"""Malformed and hostile files: one sentence, or a table; never anything else, never anything executed."""

import csv
import errno
import gzip
import io
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focalbench.datasets import Columns, Table, read_table, resolve
from focalbench.datasets.files import file as files
from focalbench.datasets.files import parquet as parquet_file
from focalbench.datasets.preprocessing import preprocess
from focalbench.errors import InputError, MachineError
from focalbench.runs.run import Recipe

GOOD = "x,c,y\n" + "".join(f"{i},{'ab'[i % 2]},{i % 3 % 2}\n" for i in range(60))


class Bomb:
    """What a pickle could do."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("executed"),)  # type: ignore[return-value]


def zipped(names: list[str], content: bytes = GOOD.encode()) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, content)
    return archive.getvalue()


def parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pd.DataFrame(columns).to_parquet(out)
    return out.getvalue()


def cells(row: str, count: int = 60) -> bytes:
    return ("x,y\n" + "".join(f"{row},{i % 2}\n" for i in range(count))).encode()


BY_HAND: dict[str, bytes] = {
    "empty": b"",
    "one newline": b"\n",
    "blank lines": b"\n" * 500,
    "header only": b"x,y\n",
    "header without newline": b"x,y",
    "one row": b"x,y\n1,0\n",
    "no target column": b"x,z\n1,0\n2,1\n",
    "target all missing": b"x,y\n1,\n2,\n",
    "target one value": cells("1").replace(b",1\n", b",0\n"),
    "target with infinities": b"x,y\n1,inf\n2,-inf\n",
    "target of text": b"x,y\n1,cat\n2,dog\n",
    "target of three": b"x,y\n1,0\n2,1\n3,2\n",
    "ragged rows": b"x,y\n1,0,5\n2\n3,1\n",
    "more cells than names": b"x,y\n1,2,0\n2,3,1\n",
    "duplicate names": b"x,x,y\n1,2,0\n2,3,1\n",
    "empty names": b",,y\n1,2,0\n2,3,1\n",
    "quotes that never end": b'x,y\n"1,0\n2,1\n' + b"3,0\n" * 50,
    "nested quotes": cells('"""a"" ""b"""'),
    "quotes of quotes": cells('"' + '""' * 200 + '"'),
    "newlines in cells": cells('"a\nb"'),
    "formulas": cells("\"=cmd|'/c calc'!A1\""),
    "formula names": b"=1+1,@SUM(A1),y\n1,2,0\n2,3,1\n3,4,0\n",
    "huge integers": cells("9" * 400),
    "huge floats": cells("1e400"),
    "negative huge": cells("-1e309"),
    "tiny floats": cells("1e-400"),
    "not a number": cells("nan"),
    "infinity": cells("inf"),
    "numbers as text": b"x,y\n" + b"".join(b'"%d",%d\n' % (i, i % 2) for i in range(60)),
    "mixed types": b"x,y\n" + b"".join(b"%b,%d\n" % ([b"1", b"a", b""][i % 3], i % 2) for i in range(60)),
    "booleans": b"x,y\n" + b"".join(b"%b,%d\n" % ([b"true", b"False"][i % 2], i % 3 % 2) for i in range(60)),
    "a column named as one without a name": b",Unnamed: 0,y\n1,2,0\n2,3,1\n",
    "only a column without a name": b"y,\r\n0,\r\n1,=1+1\r\n",
    "dates": b"x,y\n" + b"".join(b"2020-01-%02d,%d\n" % (i % 28 + 1, i % 2) for i in range(60)),
    "free text": b"x,y\n" + b"".join(b"row number %d says hello,%d\n" % (i, i % 2) for i in range(60)),
    "two thousand columns": (",".join(f"c{i}" for i in range(2_000)) + ",y\n").encode()
    + b"".join((",".join(["1", "2"][i % 2] for _ in range(2_000)) + f",{i % 2}\n").encode() for i in range(6)),
    "a cell of a megabyte": cells("a" * 1_000_000, 3),
    "NUL bytes": b"x,y\n1\x00,0\n2,1\n",
    "only NUL bytes": bytes(1000),
    "control characters": bytes(range(1, 32)) * 20,
    "every byte": bytes(range(256)) * 8,
    "Latin-1": "größe,y\n1,0\n2,1\n3,0\n".encode("latin-1"),
    "UTF-16": GOOD.encode("utf-16"),
    "UTF-16 cut short": GOOD.encode("utf-16")[:-1],
    "UTF-16 without a mark": GOOD.encode("utf-16-le"),
    "UTF-8 cut short": "x,y\né,0\n".encode()[:-4],
    "carriage returns": GOOD.replace("\n", "\r").encode(),
    "tabs": GOOD.replace(",", "\t").encode(),
    "spaces": GOOD.replace(",", " ").encode(),
    "semicolons and decimal commas": b"x;y\n" + b"".join(b"%d,5;%d\n" % (i, i % 2) for i in range(60)),
    "JSON": b'[{"x": 1, "y": 0}, {"x": 2, "y": 1}]',
    "XML": b"<table><row x='1' y='0'/></table>",
    "a pickle": pickle.dumps(Bomb()),
    "a gzipped pickle": gzip.compress(pickle.dumps(Bomb())),
    "a zipped pickle": zipped(["data.pkl"], pickle.dumps(Bomb())),
    "NumPy's pickled array": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n",
    "gzip of nothing": gzip.compress(b""),
    "gzip cut short": gzip.compress(GOOD.encode())[:-12],
    "gzip of gzip": gzip.compress(gzip.compress(GOOD.encode())),
    "gzip mark only": b"\x1f\x8b",
    "gzip with a wrong checksum": gzip.compress(GOOD.encode())[:-8] + bytes(8),
    "zip of nothing": zipped([]),
    "zip of two": zipped(["a.csv", "b.csv"]),
    "zip with a path that climbs": zipped(["../../etc/data.csv"]),
    "zip cut short": zipped(["a.csv"])[:-30],
    "zip mark only": b"PK\x03\x04",
    "zst cut short": b"\x28\xb5\x2f\xfd" + bytes(4),
    "zst mark only": b"\x28\xb5\x2f\xfd",
    "Parquet mark only": b"PAR1",
    "Parquet with a bad footer": parquet(x=[1, 2], y=[0, 1])[:-8] + b"\xff\xff\xff\x7fPAR1",
    "Parquet without a column": parquet(),
    "Parquet without rows": parquet(x=[], y=[]),
    "Parquet of objects": parquet(x=[{"a": 1}, {"a": 2}] * 30, y=[0, 1, 1] * 20),
    "Parquet of dates": parquet(x=pd.date_range("2020", periods=60), y=[0, 1, 1] * 20),
    "Parquet of decimals and missing": parquet(x=[None, 1.5, np.inf] * 20, y=[0, 1, 1] * 20),
    "Parquet of booleans": parquet(x=[True, False, None] * 20, y=[True, False, False] * 20),
    "Parquet with a missing target": parquet(x=[1.0, 2.0, 3.0] * 20, y=[0, 1, None] * 20),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10,
    "a workbook": zipped(["[Content_Types].xml", "xl/workbook.xml"]),
    "a web page": b"<!DOCTYPE html><html><body>404, not found</body></html>",
}


def survives(folder: Path, content: bytes) -> Table | None:
    """Read it; a table must be one that can be trained on, a refusal must be one line."""
    path = folder / "data.csv"
    path.write_bytes(content)
    try:
        table = read_table(str(path), Columns("y"))
    except InputError as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert "\n" not in said
        assert len(said) < 700
        return None
    assert len(table.frame) == len(table.targets)
    assert set(np.unique(table.targets)) == {0, 1}
    rows = np.arange(table.rows)
    features = preprocess(table, (rows, rows, rows))[0]
    assert features.shape[0] == table.rows
    assert np.isfinite(features).all()
    return table


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    survives(tmp_path, BY_HAND[name])
    assert not (tmp_path / "executed").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


CELL = st.one_of(
    st.sampled_from(["", "NA", "?", "nan", "inf", "-inf", "1e999", "=1+1", "@x", "-", "+", '"', "''", "0x10", "1,5"]),
    st.integers().map(str),
    st.floats().map(str),
    st.booleans().map(str),
    st.dates().map(str),
    st.text(max_size=20),
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """CSV of odd cells, quoted or not, in an odd encoding, packed or not, perhaps damaged."""
    odd = st.text(max_size=5) if draw(st.integers(0, 3)) == 0 else st.sampled_from(["a", "b b", "é", "=c", "d"])
    names = draw(st.lists(odd, min_size=1, max_size=5, unique=True))
    names.insert(draw(st.integers(0, len(names))), "y")
    out = io.StringIO()
    delimiter = draw(st.sampled_from(",;\t|"))
    quoted = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer = quoted if draw(st.booleans()) else csv.writer(out, delimiter=delimiter)
    writer.writerow(names)
    is_sound, columns = draw(st.booleans()), [draw(st.lists(CELL, min_size=2, max_size=4)) for _ in names]
    for i in range(draw(st.integers(0, 40))):
        row = [cells[i * (j + 1) % len(cells)] for j, cells in enumerate(columns)]
        if is_sound or i % 5:
            row[names.index("y")] = str(i % 2)
        writer.writerow(row if is_sound else row[: draw(st.integers(1, len(names)))])
    content = out.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])), errors="surrogatepass")
    content = gzip.compress(content) if draw(st.booleans()) else content
    if draw(st.integers(0, 4)) == 0 and content:
        place = draw(st.integers(0, len(content) - 1))
        content = content[:place] + draw(st.binary(max_size=4)) + content[place + draw(st.integers(0, 3)) :]
    return content


MARKS = [b"", b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"PAR1", b"x,y\n"]


@pytest.fixture(scope="module")
def seen() -> Iterator[list[bool]]:
    outcomes: list[bool] = []
    yield outcomes
    assert len(outcomes) >= 200
    assert any(outcomes)  # some of them are tables
    assert not all(outcomes)


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(tables())
def test_by_chance(tmp_path_factory: pytest.TempPathFactory, seen: list[bool], content: bytes) -> None:
    found = survives(tmp_path_factory.mktemp("hostile"), content)
    assert found is None or found.positives > 0
    seen.append(found is not None)


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.sampled_from(MARKS))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes, mark: bytes) -> None:
    found = survives(tmp_path_factory.mktemp("hostile"), mark + content)
    assert found is None or found.positives > 0


# ---- what is no file, what is another kind of file, and what unpacks to more than there is room for


def refusal(path: Path) -> str:
    with pytest.raises((InputError, MachineError)) as caught:
        read_table(str(path), Columns("y"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")  # which nobody writes to: opening it would wait for ever
    assert "no regular file" in refusal(tmp_path / "pipe.csv")
    assert "no regular file" in refusal(Path("/dev/zero"))
    with pytest.raises(InputError, match="no regular file"):
        resolve(Recipe("/dev/zero", 100, columns=Columns(target="y")))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (zipped(["[Content_Types].xml", "xl/workbook.xml"]), "workbook or document"),
        (zipped(["mimetype", "content.xml"]), "workbook or document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "old Excel workbook"),
        (b"SQLite format 3\x00" + bytes(500), "SQLite database"),
        (b"ARROW1\x00\x00" + bytes(50), "Arrow or Feather file"),
        (b"BZh91AY&SY", "packed with bzip2"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "d.csv").write_bytes(content)
    said = refusal(tmp_path / "d.csv")
    assert kind in said
    assert "save the table as CSV or Parquet" in said


@pytest.mark.parametrize("how", ["gz", "zip", "zst"])
def test_unpacking_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    content = GOOD.encode() + b"\n" * 3_000_000
    packed = zipped(["a.csv"], content) if how == "zip" else (gzip if how == "gz" else zstandard).compress(content)
    (tmp_path / "d.csv").write_bytes(packed)
    monkeypatch.setattr(files, "MOST_UNPACKED", 2_000_000)
    assert "unpacks to more than" in refusal(tmp_path / "d.csv")


def test_a_parquet_file_that_unpacks_beyond_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d.parquet").write_bytes(parquet(x=np.zeros(100_000), y=[0, 1] * 50_000))
    monkeypatch.setattr(parquet_file, "free_bytes", lambda: 1_000_000)
    assert "100,000 rows of 2 columns" in refusal(tmp_path / "d.parquet")


@pytest.mark.parametrize("content", [gzip.compress(GOOD.encode()), GOOD.encode("utf-16")])
def test_a_full_disk_under_a_spool_is_no_damaged_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "d.csv").write_bytes(content)
    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    said = refusal(tmp_path / "d.csv")
    assert "No space left on device" in said
    assert "TMPDIR" in said


def test_no_folder_for_a_spool_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    (tmp_path / "d.csv").write_bytes(GOOD.encode())
    monkeypatch.setattr("tempfile.TemporaryFile", nowhere)
    assert "TMPDIR" in refusal(tmp_path / "d.csv")
