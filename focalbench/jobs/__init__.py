"""What a command does: compute first, then write."""
