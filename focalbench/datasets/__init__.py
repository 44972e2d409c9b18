"""Data sets: synthetic families, real tables, the user's file; split, thinned to an exact rate."""

from focalbench.datasets.build import build_splits, load_table, resolve, split_counts
from focalbench.datasets.dataset import Counts, Dataset, SplitCounts, Splits
from focalbench.datasets.files.file import file_sha256, read_table
from focalbench.datasets.preprocessing import preprocess
from focalbench.datasets.prevalence import positive_count, synthetic_counts, table_counts, warnings_for
from focalbench.datasets.synthetic.families import ABOUT, FAMILIES
from focalbench.datasets.tables.known import Card
from focalbench.datasets.tables.real import REAL_TABLES, real_table
from focalbench.datasets.tables.table import Table
from focalbench.runs.columns import Columns

__all__ = [
    "ABOUT",
    "FAMILIES",
    "REAL_TABLES",
    "Card",
    "Columns",
    "Counts",
    "Dataset",
    "SplitCounts",
    "Splits",
    "Table",
    "build_splits",
    "file_sha256",
    "load_table",
    "positive_count",
    "preprocess",
    "read_table",
    "real_table",
    "resolve",
    "split_counts",
    "synthetic_counts",
    "table_counts",
    "warnings_for",
]
