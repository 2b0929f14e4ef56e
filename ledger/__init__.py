"""The domain: money, energy, tariffs, supply points, accounts, postings, and the store that keeps them."""
