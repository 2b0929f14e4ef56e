"""Exports: the ledger, or one account's part of it, as files with a manifest of their digests."""
