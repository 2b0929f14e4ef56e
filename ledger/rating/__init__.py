"""The ledger's rating."""
