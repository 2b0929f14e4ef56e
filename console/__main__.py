"""`python -m console` is `wattledger`: how the supervisor starts each role with this very interpreter."""

from console.cli import main

if __name__ == "__main__":
    main()
