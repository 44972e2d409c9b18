"""From a run to its numbers: models, batches, the loop, references, and what is measured."""
