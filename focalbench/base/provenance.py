"""What a number was made with: library versions, and the platform. Recorded beside results, never hashed."""

import json
import platform
from importlib import metadata
from pathlib import Path

LIBRARIES = ("focalbench", "torch", "numpy", "scipy", "scikit-learn", "pandas")


def versions() -> dict[str, str]:
    """Python's and the libraries' versions."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES}


def versions_text() -> str:
    """This process's versions and its processor, as JSON: what the store keeps with every run.

    The model, because two with the same vector instructions were seen to round otherwise in every run of 289.
    """
    import torch

    cpu = f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}"
    return json.dumps(versions() | {"cpu": cpu}, sort_keys=True)


def other_versions(made_with: str) -> bool:
    """Whether a run's versions, as the store keeps them, differ from this process's."""
    made, here = json.loads(made_with), versions()
    return any(made.get(name) != version for name, version in here.items())


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
