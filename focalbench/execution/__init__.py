"""Runs on workers, and the store that keeps them."""
