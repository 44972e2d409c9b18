"""Which loss should I train with when positives are rare? Measured, not guessed."""

__version__ = "0.1.0"
