"""How good a run is: inputs (run, sample), one float64 value per run."""

from focalbench.metrics.calibration import *
from focalbench.metrics.ranking import *
from focalbench.metrics.threshold import *
