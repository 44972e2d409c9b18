"""What can go wrong by the user's hand. Every message says what is wrong, where, and the remedy."""


class InputError(ValueError):
    """Something the user asked for cannot be done; the command line prints the message and exits with 2."""


class StoreError(InputError):
    """A results folder holds something this version must not touch."""
