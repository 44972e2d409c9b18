"""From a file, or a library that fetches one, to a frame."""
