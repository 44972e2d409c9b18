"""Tables that libraries fetch: from a cache prepared here, and from a server that fails."""

import gc
import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import _openml

from focalbench.datasets import Columns, build_splits, load_table, resolve
from focalbench.datasets.files.fetched import is_fetched, read_fetched
from focalbench.errors import InputError
from focalbench.runs.run import Recipe

NUMBER = 990_001


def features() -> list[dict[str, str]]:
    """Two numbers, a nominal column of digits, one of words, and the {0,1} target that scikit-learn stumbles over."""
    kinds = {
        "amount": None,
        "age": None,
        "code": ["0", "1", "2"],
        "colour": ["red", "green"],
        "Class": ["0", "1"],
    }
    return [
        {
            "index": str(i),
            "name": name,
            "data_type": "numeric" if values is None else "nominal",
            **({} if values is None else {"nominal_values": json.dumps(values)}),
            "is_target": str(name == "Class").lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for i, (name, values) in enumerate(kinds.items())
    ]


def arff(rows: int) -> bytes:
    rng = np.random.default_rng(0)
    lines = ["@relation cards", "@attribute amount numeric", "@attribute age numeric", "@attribute code {0,1,2}"]
    lines += ["@attribute colour {red,green}", "@attribute Class {0,1}", "@data"]
    for _ in range(rows):
        amount = rng.normal()
        fraud = int(amount + rng.normal() > 2)
        lines.append(f"{amount},{rng.integers(18, 90)},{rng.integers(3)},{['red', 'green'][rng.integers(2)]},{fraud}")
    return "\n".join([*lines, ""]).encode()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """scikit-learn's cache as a download would leave it."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    content, path = arff(3000), f"data/v1/download/{NUMBER}/cards.arff"
    description = {
        "id": str(NUMBER),
        "name": "cards",
        "version": "1",
        "description": "made for a test",
        "format": "ARFF",
        "url": f"https://www.openml.org/{path}",
        "file_id": str(NUMBER),
        "status": "active",
        "md5_checksum": hashlib.md5(content).hexdigest(),
    }
    replies = {
        f"api/v1/json/data/{NUMBER}": {"data_set_description": description},
        f"api/v1/json/data/features/{NUMBER}": {"data_features": {"feature": features()}},
        f"api/v1/json/data/qualities/{NUMBER}": {
            "data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "3000"}]}
        },
        "api/v1/json/data/list/data_name/cards/limit/2/status/active/": {
            "data": {"dataset": [{"did": NUMBER, "name": "cards", "version": 1, "status": "active"}]}
        },
    }
    files: dict[str, bytes] = {name: json.dumps(reply).encode() for name, reply in replies.items()} | {path: content}
    for name, text in files.items():
        file = tmp_path / "openml" / "openml.org" / f"{name}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(text))
    return tmp_path


def test_a_table_with_a_digit_target_comes_from_the_cache_by_number_and_by_name(cache: Path) -> None:
    table = read_fetched(f"openml:{NUMBER}", Columns())
    assert (table.rows, len(table.frame.columns)) == (3000, 4)
    assert 100 < table.positives < 400
    assert table.categorical == ("colour",)
    again = read_fetched("openml:cards", Columns())
    assert again.sha256 == table.sha256
    cached = cache / "openml" / "openml.org" / "data" / "v1" / "download" / str(NUMBER) / "cards.arff.gz"
    assert cached.exists()  # the fault that is worked around deletes it
    other = read_fetched(f"openml:{NUMBER}", Columns("colour", positive="red", drop=("code",)))
    assert list(other.frame.columns) == ["amount", "age", "Class"]


def test_a_fetched_table_is_split_at_an_exact_rate(cache: Path) -> None:
    recipe = resolve(Recipe(f"openml:{NUMBER}", 1500, 0.04))
    assert recipe == resolve(Recipe(f"openml:{NUMBER}", 1500, 0.04, columns=Columns(target="Class")))  # its own target
    assert recipe.sha256 == load_table(recipe).sha256
    splits = build_splits(recipe, 0)
    assert splits.train.positives == round(0.04 * splits.train.rows)


class Failing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[-1]) if self.path.split("/")[-1].isdigit() else 500)
        self.end_headers()
        self.wfile.write(b'{"error": {"code": "111", "message": "Unknown dataset"}}')

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    httpd = HTTPServer(("127.0.0.1", 0), Failing)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # scikit-learn leaves a reply open
@pytest.mark.parametrize("number", [404, 412])
def test_a_server_that_refuses_is_told_in_one_line(
    cache: Path, server: str, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(_openml, "_DATA_INFO", f"{server}/api/v1/json/data/{{}}")
    with pytest.raises(
        InputError, match=f"openml:{number} cannot be fetched .*; check the name and the network"
    ) as error:
        read_fetched(f"openml:{number}", Columns())
    assert "\n" not in str(error.value)
    del error
    gc.collect()


def test_damage_in_the_cache_is_told_in_one_line(cache: Path) -> None:
    file = cache / "openml" / "openml.org" / "api" / "v1" / "json" / "data" / f"{NUMBER}.gz"
    file.write_bytes(gzip.compress(b"{no json"))
    with pytest.raises(InputError, match="cannot be fetched"):
        read_fetched(f"openml:{NUMBER}", Columns())


def test_scikit_learns_own_tables() -> None:
    table = read_fetched("sklearn:breast_cancer", Columns())
    assert (table.rows, table.positives, len(table.frame.columns)) == (569, 357, 30)
    digits = read_fetched("sklearn:digits", Columns(positive="9"))
    assert digits.positives == 180
    with pytest.raises(InputError, match="`positive=1`"):
        read_fetched("sklearn:digits", Columns())
    with pytest.raises(InputError, match=r"did you mean breast_cancer\?"):
        read_fetched("sklearn:breast_cancr", Columns())


def test_imbalanced_learns_tables_from_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("imblearn")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    (tmp_path / "zenodo").mkdir()
    rng = np.random.default_rng(0)
    labels = np.where(np.arange(400) < 120, 1, -1)
    np.savez(tmp_path / "zenodo" / "x1data.npz", data=rng.normal(size=(400, 3)), label=labels)
    table = read_fetched("imblearn:ecoli", Columns())
    assert (table.rows, table.positives) == (400, 120)


def test_without_imbalanced_learn_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imblearn.datasets", None)
    with pytest.raises(InputError, match="pip install imbalanced-learn"):
        read_fetched("imblearn:ecoli", Columns())


def test_only_these_prefixes_are_fetched() -> None:
    assert is_fetched("openml:1597")
    assert not is_fetched("openml")
    assert not is_fetched("C:data.csv")
