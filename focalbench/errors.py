"""What can go wrong outside this code. Every message says what is wrong, where, and the remedy."""

# exit codes of the command line; a signal's is 128 + its number: 130 for Ctrl-C, 143 for SIGTERM
MOVED, USAGE, MACHINE, FAULT = 1, 2, 3, 70  # numbers that should be the same are not; 70: a fault of this program


class InputError(ValueError):
    """Something the user asked for cannot be done; the command line prints the message and exits with USAGE."""


class TooFewPositivesError(InputError):
    """A table, or a rate, leaves a split with too few positives; folds may do with less."""


class AbsentDataError(InputError):
    """The files of a real table are not available on this machine: no package, no network."""


class StoreError(InputError):
    """A file is no store of runs that this version may touch."""


class MachineError(RuntimeError):
    """A disk, a worker or a cluster failed; what was finished is safe; the command line exits with MACHINE."""


class Terminated(BaseException):
    """SIGTERM: end at once; not an Exception, so that nothing takes it for a failure."""
