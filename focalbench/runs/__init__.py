"""What is trained: arms, recipes, runs, and their identity."""
