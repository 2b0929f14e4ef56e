"""Supply points that are billed by token."""
