"""Supply points that are billed by token: set one up, issue its tokens. Nothing else writes their meter streams."""
