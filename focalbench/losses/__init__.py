"""The losses, elementwise: reference (NumPy), binary (torch), inverse (back to probabilities)."""
