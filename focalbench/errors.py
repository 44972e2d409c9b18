"""What can go wrong outside this code. Every message says what is wrong, where, and the remedy."""


class InputError(ValueError):
    """Something the user asked for cannot be done; the command line prints the message and exits with 2."""


class StoreError(InputError):
    """A file is no store of runs that this version may touch."""


class MachineError(RuntimeError):
    """A disk, a worker or a cluster failed; what was finished is safe; the command line exits with 1."""
