"""What lets a stranger audit the ledger: seals over its events, a witness outside it, proofs, and the verification.

`merkle`, `seals`, `keys`, `proof` and `witness` need the base install only: whoever checks a proof has no database.
"""
