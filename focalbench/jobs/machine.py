"""What this machine has for a plan: workers that its memory holds, and a device."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from typing import Literal

from focalbench.base.memory import free_bytes
from focalbench.errors import InputError
from focalbench.execution.pools import Backend
from focalbench.plan.planning import Plan
from focalbench.plan.stacks import worker_bytes

logger = logging.getLogger(__name__)


def fitting_all(backend: Backend, plans: Sequence[Plan]) -> Backend:
    """The backend with as many local workers as memory is free for, whichever plan they train."""
    for plan in plans:
        backend = fitting(backend, plan)
    return backend


def fitting(backend: Backend, plan: Plan) -> Backend:
    """The backend with as many local workers as memory is free for, at least one."""
    free, each = free_bytes(), worker_bytes(plan.runs)
    if free is None or backend.scheduler is not None:
        return backend
    workers = max(1, min(backend.workers, free // each))
    if each > free:
        logger.warning(
            f"a worker may need {each / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free: fewer `rows`"
        )
    elif workers < backend.workers:
        logger.warning(f"memory is free for {workers} of {backend.workers} workers, {each / 1e9:.1f} GB each")
    return replace(backend, workers=workers)


def resolve_device(name: str) -> Literal["cpu", "cuda"]:
    """Turn auto into what this machine has. Raises InputError for cuda where there is none, and for no device."""
    if name == "cpu" or (name == "auto" and metadata.version("torch").endswith("+cpu")):  # told without loading it
        return "cpu"
    if name not in ("auto", "cuda"):
        raise InputError(f"unknown `device` {name!r}; choose auto, cpu or cuda")
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise InputError("`device=cuda`: this torch sees no CUDA device; use `device=cpu`")
    return "cpu"
