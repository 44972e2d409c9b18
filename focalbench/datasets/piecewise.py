"""Numbers as how far they are through each of the bins of their column."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from focalbench.datasets.dataset import Features, Floats


class PiecewiseLinear(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Piecewise-linear encoding: 1 in the bins below a number, 0 in those above, its share of the way in its own.

    What a linear layer makes of it is any line that bends at the edges of bins. These are quantiles of the rows that it
    is fitted on (Gorishniy et al., 2022, "On Embeddings for Numerical Features in Tabular Deep Learning", version Q).

    Args:
        bins: of each column; where quantiles coincide there are fewer, and the features left over are 0.
    """

    def __init__(self, bins: Sequence[int]) -> None:
        self.bins = bins

    def fit(self, X: Floats | Features, y: object = None) -> Self:  # noqa: ARG002
        """Find the edges.

        Args:
            X: (row, column) finite numbers.
            y: not looked at.

        Returns:
            The encoder.
        """
        self.edges_: list[NDArray[np.float64]] = [
            np.unique(np.quantile(column.astype(np.float64), np.linspace(0, 1, count + 1)))
            for column, count in zip(np.asarray(X).T, self.bins, strict=True)
        ]
        return self

    def transform(self, X: Floats | Features) -> Features:
        """Encode numbers; those beyond the outer edges are taken for these.

        Args:
            X: (row, column) finite numbers.

        Returns:
            (row, feature) in [0, 1], the bins of the first column first.
        """
        found = np.empty((len(X), sum(self.bins)), dtype=np.float32)
        start = 0
        for column, edges, count in zip(np.asarray(X).T, self.edges_, self.bins, strict=True):
            bins_passed = np.interp(column, edges, np.arange(len(edges)))
            np.clip(bins_passed[:, None] - np.arange(count), 0, 1, out=found[:, start : start + count])
            start += count
        return found
