"""What somebody read off a meter that takes tokens: checked, and never money."""

from datetime import datetime

from ledger.store.application import Ledger
from ledger.store.token_registers import TokenRegister
from ledger.usecases.supply_life import supply_of
from ledger.values.errors import InvalidValue, Refused


def read_register(
    ledger: Ledger, *, supply: str, register_milliwh: int, at: datetime, now: datetime
) -> TokenRegister:
    """Return a reading of the meter's own register as it counts here; raises InvalidValue for one that cannot be."""
    state = supply_of(ledger, supply)
    if state.tokens is None:
        raise Refused(f"supply point {supply!r} is billed by readings: give them to a collector, or as a file")
    if at > now:
        raise InvalidValue(f"{at.isoformat()} is ahead; tell a register when it is read")
    if register_milliwh < 0:
        raise InvalidValue(f"a register of {register_milliwh} mWh is below zero; read it again")
    spell = state.spell_at(at) or state.spells[0]
    return TokenRegister(supply, at, spell.scaled(register_milliwh))
