"""How much of whatever bytes the tests try: little with the other tests, much by `make fuzz`."""

import os

EXAMPLES = int(os.environ.get("WATTLEDGER_FUZZ_EXAMPLES", "300"))
