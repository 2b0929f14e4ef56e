"""Statements and receipts: what an account is told of its month and of a top-up, as the ledger has it."""
