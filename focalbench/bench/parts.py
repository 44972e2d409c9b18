"""The parts of the benchmark: training, ranking, and whole processes. Each returns rows of one table."""
