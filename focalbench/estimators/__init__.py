"""Classifiers for scikit-learn, trained by the sweeps' own trainer with any loss of the catalogue."""

from focalbench.estimators.classifiers import FocalLogisticClassifier, FocalMLPClassifier

# full names of what a skops file holds of ours: skops.io.load(path, trusted=TRUSTED)
TRUSTED = [f"{each.__module__}.{each.__qualname__}" for each in (FocalMLPClassifier, FocalLogisticClassifier)]
__all__ = ["TRUSTED", "FocalLogisticClassifier", "FocalMLPClassifier"]
