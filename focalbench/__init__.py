"""Which loss should I train with when positives are rare? Measured, not guessed."""

from focalbench.api.comparing import compare
from focalbench.api.comparison import Comparison, load
from focalbench.api.scores import ScoreComparison, compare_scores
from focalbench.runs.arm import Arm

__version__ = "0.1.0"
__all__ = ["Arm", "Comparison", "ScoreComparison", "compare", "compare_scores", "load"]
