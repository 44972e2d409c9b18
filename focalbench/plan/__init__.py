"""From what is asked for to the runs that answer it."""
