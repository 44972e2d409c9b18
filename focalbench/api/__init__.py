"""The Python side: compare losses on arrays and frames, with the engine of the command line."""
