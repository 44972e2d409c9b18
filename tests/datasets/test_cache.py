"""The cache of coded tables: the same table, faster; damage is noticed; nothing is executed or required."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from focalbench.datasets.tables import cache
from focalbench.datasets.tables.table import Table

SHA = "ab" * 32


def made() -> Table:
    frame = pd.DataFrame({"x": [1.5, np.nan, 3.0], "c": pd.Categorical(["b", None, "a"], categories=["a", "b", "z"])})
    groups = np.array([0, 0, 1], dtype=np.int64)
    return Table(frame, np.array([0, 1, 0], np.int8), ("c",), SHA, ("a note",), groups)


def never() -> Table:
    raise AssertionError("it was to come from the cache")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOCALBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def same(one: Table, other: Table) -> None:
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert (one.categorical, one.sha256, one.notes) == (other.categorical, other.sha256, other.notes)
    np.testing.assert_array_equal(one.targets, other.targets)
    assert one.targets.dtype == other.targets.dtype
    assert (one.groups is None) == (other.groups is None)
    if one.groups is not None and other.groups is not None:
        np.testing.assert_array_equal(one.groups, other.groups)


def test_the_second_time_it_comes_from_the_cache_unchanged(folder: Path) -> None:
    same(cache.cached("t", SHA, made), made())
    same(cache.cached("t", SHA, never), made())
    assert [path.suffix for path in folder.iterdir()] == [".npz"]


@pytest.mark.parametrize("damage", ["cut", "byte", "empty", "text", "other"])
def test_a_damaged_file_is_made_anew(folder: Path, damage: str) -> None:
    cache.cached("t", SHA, made)
    (path,) = folder.iterdir()
    content = path.read_bytes()
    if damage == "other":
        cache.cached("u", "cd" * 32, lambda: replace(made(), sha256="cd" * 32))  # under this one's name
        (folder / path.name).unlink()
        next(folder.iterdir()).rename(path)
    else:
        changed = content.replace(np.float64(3.0).tobytes(), np.float64(4.0).tobytes())
        path.write_bytes({"cut": content[:-40], "byte": changed, "empty": b"", "text": b"hello"}[damage])
    calls = []

    def counted() -> Table:
        calls.append(1)
        return made()

    same(cache.cached("t", SHA, counted), made())
    assert calls == [1]
    same(cache.cached("t", SHA, never), made())


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FOCALBENCH_CACHE", str(tmp_path / "file" / "cache"))
    found = cache.cached("t", SHA, made)
    same(found, made())
    assert not cache.cache_folder().exists()
    with pytest.raises(AssertionError, match="come from the cache"):
        cache.cached("t", SHA, never)  # nothing was kept, so it is made again


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FOCALBENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "focalbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == Path.home() / ".cache" / "focalbench"
