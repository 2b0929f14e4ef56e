"""What an auditor is shown: an account's history, and exports of the ledger with their digests."""
