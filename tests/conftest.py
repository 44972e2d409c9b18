"""Every test process: one thread, as the suite runs one process a core; no deadlines, which only load breaks."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads torch

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
