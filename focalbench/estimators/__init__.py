"""Classifiers for scikit-learn, trained by the sweeps' own trainer with any loss of the catalogue."""

from focalbench.estimators.classifiers import FocalLogisticClassifier, FocalMLPClassifier
from focalbench.estimators.table import Clip, TableReader

# full names of what a skops file holds of ours: skops.io.load(path, trusted=TRUSTED)
# numpy.dtype is what scikit-learn's imputers remember of numbers
OURS = (FocalMLPClassifier, FocalLogisticClassifier, TableReader, Clip)
TRUSTED = [f"{each.__module__}.{each.__qualname__}" for each in OURS] + ["numpy.dtype"]
__all__ = ["TRUSTED", "FocalLogisticClassifier", "FocalMLPClassifier", "TableReader"]
