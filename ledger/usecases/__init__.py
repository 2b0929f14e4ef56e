"""The ledger's usecases."""
