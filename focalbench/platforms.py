"""What a number was made with: library versions, and the platform. Recorded beside results, never hashed."""

import platform
from importlib import metadata
from pathlib import Path

LIBRARIES = ("focalbench", "torch", "numpy", "scipy", "scikit-learn", "pandas")


def versions() -> dict[str, str]:
    """Python's and the libraries' versions."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES}


def machine() -> dict[str, str]:
    """Operating system, processor, and the vector instructions torch uses there."""
    import torch

    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
