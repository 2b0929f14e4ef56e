"""Bank files: what was paid into our bank account, line by line; `importing` books it."""
