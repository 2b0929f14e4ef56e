"""The witness: every seal once more, outside the database, so that rewriting the database is not enough."""
