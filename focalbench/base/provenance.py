"""What a number was made with: library versions, and the platform. Recorded beside results, never hashed."""

import json
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path

LIBRARIES = ("focalbench", "torch", "numpy", "scipy", "scikit-learn", "pandas")


def versions(also: Iterable[str] = ()) -> dict[str, str]:
    """Python's and the libraries' versions. also: libraries that some runs alone take."""
    own = {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES}
    return own | {name: _version(name) for name in also}


def _version(library: str) -> str:
    """Of a library that may have a distribution for processors only; "" where there is neither."""
    for name in (library, f"{library}-cpu"):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return ""


def versions_text(also: Iterable[str] = ()) -> str:
    """This process's versions and its processor, as JSON: what the store keeps with every run. also: see versions.

    The model, because two with the same vector instructions were seen to round otherwise in every run of 289.
    """
    import torch

    cpu = f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}"
    return json.dumps(versions(also) | {"cpu": cpu}, sort_keys=True)


def other_versions(made_with: str) -> bool:
    """Whether a run's versions, as the store keeps them, differ from this process's."""
    made = json.loads(made_with)
    return any(made.get(name) != version for name, version in versions(_others(made)).items())


def made_here(made_with: Mapping[str, str]) -> bool:
    """Whether runs of these versions, and of this processor, are of what this process has."""
    here: dict[str, str] = json.loads(versions_text(_others(made_with)))
    return dict(made_with) == here


def _others(made_with: Iterable[str]) -> set[str]:
    """The libraries that these runs alone took."""
    return {*made_with} - {*LIBRARIES, "python", "cpu"}


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
