"""The `wattledger` command: one module of commands per kind of user, errors without tracebacks."""


def main() -> None:
    """Run the command line."""
    raise SystemExit("being built")
