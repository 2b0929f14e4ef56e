"""The HTTP API: what programs ask the ledger and tell it, under `/v1`."""
