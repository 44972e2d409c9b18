"""From finished runs to the rows of a table: choose, average, compare, decide. It computes and prints nothing."""
