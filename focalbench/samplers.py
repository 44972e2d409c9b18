"""Which rows form a batch: the order of the rows in every epoch, drawn from the run's own generator."""

import numpy as np
from numpy.typing import NDArray

from focalbench.randomness import generator


def random_orders(rows: int, epochs: int, seed: int, key: str) -> list[NDArray[np.int64]]:
    """A fresh permutation of all rows for every epoch; every arm of a seed sees the same ones."""
    rng = generator(seed, "batches", key)
    return [rng.permutation(rows) for _ in range(epochs)]
