"""The commands, a module per kind of user; each module's `register` adds its own to the app."""
