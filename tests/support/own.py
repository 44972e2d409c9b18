"""Somebody's own losses and models in tests that type several commands in one process."""

from focalbench.training.own.asking import module_process
from focalbench.training.own.custom import custom_constant, source_hash
from focalbench.training.own.fitting import about


def forget_modules() -> None:
    """Let the next command know no module, as one in a process of its own would not."""
    for cached in (about, custom_constant, module_process, source_hash):
        cached.cache_clear()
