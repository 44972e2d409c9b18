import gc
import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from focalbench.datasets import REAL_TABLES, build_splits, real_table, resolve
from focalbench.datasets.tables import adbench
from focalbench.datasets.tables.adbench import ADBENCH, FOLDER, Downloaded
from focalbench.errors import InputError
from focalbench.runs.run import Recipe

pytest.importorskip("pooch", reason="pooch fetches these tables")
NAMES = ("cover", "celeba", "donors", "aloi", "http")
KNOWN = {  # rows, columns, positives: as the collection's files hold them
    "cover": (286_048, 10, 2_747),
    "celeba": (202_599, 39, 4_547),
    "donors": (619_326, 10, 36_710),
    "aloi": (49_534, 27, 1_508),
    "http": (567_498, 3, 2_211),
}


def content_of(rows: int = 600) -> bytes:
    rng, file = np.random.default_rng(0), io.BytesIO()
    np.savez(file, X=rng.integers(0, 9, (rows, 3)), y=(np.arange(rows) % 5 == 0).astype(int))
    return file.getvalue()


CONTENT = content_of()
KNOWN_FILE = Downloaded("1_small.npz", hashlib.sha256(CONTENT).hexdigest())


@contextmanager
def server(status: int, body: bytes, said: int | None = None) -> Iterator[str]:
    """A web server on this machine that answers every request alike; said: the length that it promises."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if said is None else said))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{found.server_port}/"
        finally:
            found.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no folder of the user's."""
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setenv("FOCALBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fetched(monkeypatch: pytest.MonkeyPatch, address: str) -> bytes:
    monkeypatch.setattr(adbench, "SOURCE", address)
    return KNOWN_FILE.contents()[0]


def files_of(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_fetched_once_and_then_taken_from_the_cache(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    with server(200, CONTENT) as address:
        assert fetched(monkeypatch, address) == CONTENT
    assert files_of(own_cache) == ["1_small.npz"]
    assert fetched(monkeypatch, "http://127.0.0.1:9/") == CONTENT  # nobody answers there


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("status", "body", "said", "why"),
    [
        (200, CONTENT[:-1] + b"?", None, "SHA256 hash"),
        (200, CONTENT[:500], len(CONTENT), "500 bytes read"),
        (404, b"no such file", None, "404"),
        (500, b"", None, "500"),
    ],
)
def test_what_is_not_the_whole_file_is_refused_in_one_sentence_and_nothing_is_kept(
    status: int, body: bytes, said: int | None, why: str, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    with server(status, body, said) as address, pytest.raises(InputError, match=why) as found:
        fetched(monkeypatch, address)
    assert "\n" not in str(found.value)
    assert FOLDER in str(found.value)
    assert files_of(own_cache) == []
    del found
    gc.collect()  # requests leaves the socket of a cut connection to this


def test_without_a_network_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be fetched .*; try again, or put the file into a folder"):
        fetched(monkeypatch, "http://127.0.0.1:9/")
    assert files_of(own_cache) == []


def test_a_folder_with_the_files_is_read_and_never_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "mine" / KNOWN_FILE.file
    place.parent.mkdir()
    place.write_bytes(CONTENT)
    monkeypatch.setenv(FOLDER, str(place.parent))
    assert fetched(monkeypatch, "http://127.0.0.1:9/") == CONTENT
    place.write_bytes(b"another file")
    with pytest.raises(InputError, match="its hash differs"):
        fetched(monkeypatch, "http://127.0.0.1:9/")
    assert place.read_bytes() == b"another file"


def test_a_file_missing_in_that_folder_is_fetched_into_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with server(200, CONTENT) as address:
        assert fetched(monkeypatch, address) == CONTENT
    assert files_of(own_cache) == ["1_small.npz"]


@pytest.mark.parametrize("copies", [True, False])
def test_equal_rows_go_together_where_they_may_be_copies(copies: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    card = replace(ADBENCH["adbench:cover"], origin=KNOWN_FILE, copies=copies)
    monkeypatch.setitem(REAL_TABLES, "adbench:cover", card)
    with server(200, CONTENT) as address:
        monkeypatch.setattr(adbench, "SOURCE", address)
        table = real_table("adbench:cover")
    assert (table.rows, table.positives, table.sha256) == (600, 120, KNOWN_FILE.known)
    assert (table.equal is not None) == copies
    assert table.categorical == ()


def local(name: str, folder: str | None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The table's name, where FOCALBENCH_DATA holds its file."""
    origin = ADBENCH[f"adbench:{name}"].origin
    assert isinstance(origin, Downloaded)
    if folder is None or not (Path(folder) / origin.file).is_file():
        pytest.skip(f"{origin.file} is not here; name a folder that holds it by {FOLDER}")
    monkeypatch.setenv(FOLDER, folder)
    return f"adbench:{name}"


@pytest.fixture(scope="module")
def folder() -> str | None:
    import os

    return os.environ.get(FOLDER)


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_are_the_known_ones_at_exact_rates(
    name: str, folder: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = real_table(local(name, folder, monkeypatch))
    assert (table.rows, len(table.frame.columns), table.positives) == KNOWN[name]
    assert (table.equal is not None) == (name == "celeba")
    splits = build_splits(resolve(Recipe(f"adbench:{name}", 10_000, 0.004)), 0)
    for part in (splits.train, splits.validation, splits.test):
        assert part.positives == round(0.004 * part.rows)


def test_what_the_cards_say_of_equal_rows_is_so(folder: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    donors, http = (real_table(local(name, folder, monkeypatch)) for name in ("donors", "http"))
    both = donors.frame.assign(target=donors.targets)
    assert len(both.drop_duplicates()) == len(donors.frame.drop_duplicates())  # no two differ in the target
    attacks = http.frame[http.targets == 1]
    assert attacks.value_counts().iloc[0] == 2_091
