"""Tables that a library fetches and caches: openml:ID or NAME, sklearn:NAME, imblearn:NAME."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from focalbench.datasets.columns.frame import did_you_mean, make_table
from focalbench.datasets.tables.table import Table
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError
from focalbench.runs.catalogue import Task
from focalbench.runs.columns import Columns

if TYPE_CHECKING:
    import pandas as pd

OF_SKLEARN = ("breast_cancer", "digits", "iris", "wine", "covtype", "kddcup99")  # the last two from the network
ABOUT = {
    "openml:ID or NAME": "any table of openml.org, such as openml:1597 (creditcard, 0.17% fraud); needs the network "
    "once, is cached after",
    "sklearn:NAME": f"scikit-learn's {listed(list(OF_SKLEARN))}; most are too small for more than a smoke test",
    "imblearn:NAME": "imbalanced-learn's 27 benchmark tables, such as imblearn:mammography (pip install "
    "imbalanced-learn)",
}


def is_fetched(dataset: str) -> bool:
    """Whether a data set's name is one of these."""
    return dataset.partition(":")[0] in ("openml", "sklearn", "imblearn") and ":" in dataset


def read_fetched(dataset: str, columns: Columns, task: Task = "binary") -> Table:
    """Fetch a table, or take it from the library's cache. columns.target: None is the table's own target.

    Raises InputError for a name that there is not, a network that is missing, or columns that do not fit.
    """
    library, _, name = dataset.partition(":")
    fetch = {"openml": _openml, "sklearn": _sklearn, "imblearn": _imblearn}[library]
    frame, target = fetch(name)
    frame.columns = frame.columns.map(str)
    chosen = columns if columns.labels else replace(columns, target=columns.target or target)
    return make_table(dataset, _plain(frame), chosen, _sha256(frame), task=task)


def _openml(name: str) -> tuple["pd.DataFrame", str]:
    from sklearn.datasets import fetch_openml

    which = {"data_id": int(name)} if name.isdigit() else {"name": name}

    def fetch() -> tuple["pd.DataFrame", str]:
        # dtype None: scikit-learn's own dtypes fail on nominal columns whose labels are all digits, such as {0,1}
        bunch = fetch_openml(**which, as_frame=True, parser="pandas", read_csv_kwargs={"dtype": None})
        if bunch.frame is None or not bunch.target_names:
            raise ValueError("it has no single target; name one with `target`")
        return bunch.frame, str(bunch.target_names[0])

    fetched: tuple[pd.DataFrame, str] = _tried(f"openml:{name}", fetch)
    return fetched


def _sklearn(name: str) -> tuple["pd.DataFrame", str]:
    from sklearn import datasets

    if name not in OF_SKLEARN:
        hint = did_you_mean(name, list(OF_SKLEARN)) or f"; there is {listed(list(OF_SKLEARN))}"
        raise InputError(f"unknown data set sklearn:{name}{hint}")
    load = getattr(datasets, f"load_{name}", None) or getattr(datasets, f"fetch_{name}")
    frame: pd.DataFrame = _tried(f"sklearn:{name}", lambda: load(as_frame=True).frame)
    return frame, "labels" if name == "kddcup99" else "Cover_Type" if name == "covtype" else "target"


def _imblearn(name: str) -> tuple["pd.DataFrame", str]:
    import pandas as pd

    try:
        from imblearn.datasets import fetch_datasets
    except ImportError:
        raise InputError(f"imblearn:{name} needs imbalanced-learn: pip install imbalanced-learn") from None
    bunch = _tried(f"imblearn:{name}", lambda: fetch_datasets(filter_data=(name,))[name])
    frame = pd.DataFrame(bunch.data, columns=[f"x{i}" for i in range(bunch.data.shape[1])])
    return frame.assign(target=(bunch.target == 1).astype(int)), "target"


def _tried(dataset: str, fetch: Callable[[], Any]) -> Any:
    """Fetch; whatever the library or the network raises becomes one sentence."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about versions and caches
            return fetch()
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        remedy = "check the name and the network; what is in the cache needs none"
        raise InputError(f"{dataset} cannot be fetched ({type(error).__name__}: {why}); {remedy}") from None


def _plain(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Categories as their labels, bytes as text, so that they are typed as in a file."""
    texts = {}
    for name in frame.columns[~frame.dtypes.map(lambda kind: kind.kind in "biuf")]:
        column = frame[name].astype(object)
        texts[name] = column.map(lambda cell: cell.decode(errors="replace") if isinstance(cell, bytes) else cell)
    return frame.assign(**texts)


def _sha256(frame: "pd.DataFrame") -> str:
    import pandas as pd

    digest = hashlib.sha256(repr([(name, str(frame[name].dtype)) for name in frame.columns]).encode())
    for name in frame.columns:
        column = frame[name]
        plain = column if column.dtype.kind in "biuf" else column.astype(object).map(repr)
        digest.update(pd.util.hash_pandas_object(plain, index=False).to_numpy().tobytes())
    return digest.hexdigest()
