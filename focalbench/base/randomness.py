"""The only source of randomness: a generator for (seed, purpose, data key), and nothing else.

Arms, learning rates, positive rates and stacks are left out on purpose: for one seed all arms share data,
split, initial weights and batch order, so that their differences are paired.
"""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, key: str) -> np.random.Generator:
    """Return an independent NumPy generator for one purpose of one seed on one data source.

    seed: a non-negative int. purpose: what is drawn ("weights", "batches", ...). key: the data source.

    >>> a, b = generator(0, "weights", "mixture"), generator(0, "weights", "mixture")
    >>> bool(a.random() == b.random())
    True
    """
    words = np.frombuffer(hashlib.sha256(f"{purpose}\n{key}".encode()).digest(), dtype=np.uint32)
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))
