"""What every room uses and that knows nothing of losses: files, memory, randomness, intervals, text."""
