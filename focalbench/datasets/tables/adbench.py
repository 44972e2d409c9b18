"""Tables of the ADBench collection, fetched once: a pinned commit, a known hash, and pooch's download.

Han et al., ADBench: Anomaly Detection Benchmark, NeurIPS 2022 (Datasets and Benchmarks).
"""

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from focalbench.base.text import shown
from focalbench.datasets.tables.cache import cache_folder
from focalbench.datasets.tables.known import Card, Unhashed
from focalbench.errors import AbsentDataError, InputError

COMMIT = "3dac8221081e190f157d78e93bfa8867f90d0965"
SOURCE = f"https://github.com/Minqi824/ADBench/raw/{COMMIT}/adbench/datasets/Classical/"
FOLDER = "FOCALBENCH_DATA"  # the variable that names a folder with the files, which is only read
PATIENCE = 60  # seconds without a byte


@dataclass(frozen=True)
class Downloaded:
    """A file of the collection, known by its hash."""

    file: str
    known: str

    def sha256(self) -> str:
        """Of the file, which need not be here."""
        return self.known

    def contents(self) -> list[bytes]:
        """The bytes of the file, out of the folder that FOCALBENCH_DATA names, the cache, or the network.

        Raises AbsentDataError where it is in none of them, InputError where it is another file.
        """
        chosen = os.environ.get(FOLDER)
        if chosen and (Path(chosen) / self.file).is_file():
            return [self._checked(Path(chosen) / self.file)]
        return [self._fetched(cache_folder() / "adbench")]

    def _checked(self, path: Path) -> bytes:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != self.known:
            raise InputError(f"{path} is not the file of ADBench's commit {COMMIT[:7]}: its hash differs; remove it")
        return content

    def _fetched(self, folder: Path) -> bytes:
        try:
            import pooch
        except ImportError:
            raise AbsentDataError(f'{self.file} is fetched by pooch: pip install "focalbench[datasets]"') from None
        pooch.get_logger().setLevel("ERROR")
        downloader = pooch.HTTPDownloader(timeout=PATIENCE)
        try:
            path = pooch.retrieve(SOURCE + self.file, f"sha256:{self.known}", self.file, folder, downloader=downloader)
            return Path(path).read_bytes()
        except (OSError, ValueError) as error:  # of the network, the disk; a hash that differs
            why = shown(str(error))[:200]
            raise AbsentDataError(
                f"{self.file} cannot be fetched from github.com/Minqi824/ADBench ({why}); try again, or put the file "
                f"into a folder and name that folder by {FOLDER}"
            ) from None

    def __str__(self) -> str:
        return f"github.com/Minqi824/ADBench at {COMMIT[:7]}, adbench/datasets/Classical/{self.file}"


def _read(contents: list[bytes]) -> Unhashed:
    """Arrays X and y, all numbers; columns have no names."""
    import pandas as pd

    with np.load(io.BytesIO(contents[0]), allow_pickle=False) as file:
        features, positive = file["X"], file["y"] == 1
    names = [f"x{place}" for place in range(features.shape[1])]
    return Unhashed(pd.DataFrame(features.astype(np.float64), columns=names), positive)


LICENCE = "BSD 2-clause (the collection); {}"

ADBENCH: dict[str, Card] = {
    "adbench:cover": Card(
        "patches of forest from maps; positive: cottonwood or willow, against lodgepole pine",
        Downloaded("10_cover.npz", "945a097c3542ae81a551bf1c06dcad78a755d94f84fcaf1d60687e42d1a656df"),
        LICENCE.format("data from the UCI repository (Covertype)"),
        "all other trees; the soil and wilderness columns",
        _read,
    ),
    "adbench:celeba": Card(
        "portraits by 39 attributes of 0 and 1; positive: bald",
        Downloaded("8_celeba.npz", "1cadfdea14cd8d240eca715a70c09c88af8621d086a7478c63f602d97adef0b5"),
        LICENCE.format("CelebA is for research that is not commercial"),
        "the picture and whose it is",
        _read,
        equal_rows="equal rows may be one person twice, so they go to one split",
    ),
    "adbench:donors": Card(
        "projects of schools that ask for donations; positive: called exciting",
        Downloaded("11_donors.npz", "5824ec854465f2763b4bfe3da1ae9f25ed5433b5c6e265d42e37da4f82a58679"),
        LICENCE.format("data from KDD Cup 2014"),
        "nothing known",
        _read,
        copies=False,
        equal_rows="equal rows are different projects, so each goes by itself; no two of them differ in the target, "
        "which the features all but contain",
    ),
    "adbench:aloi": Card(
        "pictures of objects by 27 numbers of their colours; positive: an object with few pictures",
        Downloaded("1_ALOI.npz", "792d0b5bd1147bfc9574a1974f157b39fbd4cbed8ecd04cf983fd554498ed477"),
        LICENCE.format("data from the Amsterdam Library of Object Images"),
        "which object it is: pictures of one object are in every split",
        _read,
    ),
    "adbench:http": Card(
        "connections to a web server by 3 numbers; positive: an attack; nearly trivial, a control",
        Downloaded("16_http.npz", "9d98710091551587f4740cfc851a6b064fff6319a337c2dc77ee6da4bcc2e02c"),
        LICENCE.format("data from KDD Cup 1999"),
        "all but three columns",
        _read,
        copies=False,
        equal_rows="equal rows are different connections, so each goes by itself; 2,091 of the 2,211 attacks are alike",
    ),
}
