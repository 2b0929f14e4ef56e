"""Use cases: what people may ask of the ledger. Each validates, appends its events once, and says what it did."""
