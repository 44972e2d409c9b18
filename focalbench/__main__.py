"""`python -m focalbench`."""

from focalbench.cli.app import main

main()
