"""Setting up a whole estate from one file."""
