"""Read models fed from the ledger's log, and the relay decision that is taken on them.

What happens to an event, one file per step: `runner` (tails the log) → `project` (one batch, one transaction) →
`balances`, `journal`, `supplies`, `relay`, `sites`, `held` (the read models) → `control` → `candidates` → `picture`
(the ledger's head) → `decide` (pure) → `order` (signed, booked). Beside that walk: `rebuild` and `overview`
(digests), `outline` (what they read of a debit) and `arrays` (how they write rows), `queries` and `latencies` (for
finance, console and demo).

Nothing here writes events but `control`, inside the gate, and only to Relay streams.
"""
