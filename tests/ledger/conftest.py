"""How many examples a property gets: a hundred, or with WATTLEDGER_HYPOTHESIS=long a thousand and more."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("ledger", max_examples=100, deadline=None)
settings.register_profile("long", max_examples=1_500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("long" if os.environ.get("WATTLEDGER_HYPOTHESIS") == "long" else "ledger")
