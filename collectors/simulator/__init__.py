"""Data concentrators with meters of any profile, for demonstrations and tests."""
