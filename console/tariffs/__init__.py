"""What the `wattledger tariff` commands do: read files, ask the ledger, rate, compare, and show it."""
