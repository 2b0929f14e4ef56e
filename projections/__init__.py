"""Read models fed from the ledger's log, their runner, rebuild and digests, and the relay decision."""
