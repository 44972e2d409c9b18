"""What is shown while a sweep goes on: how far it is, and the table so far."""
