"""What was vended against what registers say: a meter that used more than it was sold is somebody's to look at."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row, tuple_row

from ledger.domain import supply as supply_stream_of
from ledger.domain.supply import Supply
from ledger.domain.vending import EnergyVended
from ledger.store.mapper import fact_of
from ledger.store.token_registers import TokenRegister, newest_registers
from ledger.values.identity import meter_stream, supply_stream

# In the terms of the index of events that are not of meters.
_SUPPLIES = """
SELECT convert_from(state, 'UTF8')::jsonb ->> 'supply' FROM ledger.events
WHERE topic NOT LIKE 'meter.%%' AND topic = 'supply.billed-by-token/1' ORDER BY 1
"""
_STREAM = "SELECT topic, state FROM ledger.events WHERE originator_id = %s ORDER BY originator_version"
_VENDED = """
SELECT state FROM ledger.events WHERE originator_id = %s AND topic = %s AND originator_version > 0
ORDER BY originator_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """A supply point: energies in milliwatt-hours; `used` and `read_at` are None where no register was read."""

    supply: str
    tokens: int
    vended_milliwh: int
    unit_milliwh: int
    used_milliwh: int | None
    read_at: datetime | None

    @property
    def left_milliwh(self) -> int | None:
        """What was vended and not used yet: in the meter, or on tokens that were not entered."""
        return None if self.used_milliwh is None else self.vended_milliwh - self.used_milliwh

    @property
    def is_wrong(self) -> bool:
        """Whether more was used than was vended; a register counts on to its next step before the meter opens."""
        left = self.left_milliwh
        return left is not None and left < -self.unit_milliwh


def reconciled(connection: Connection[Any], *, now: datetime) -> list[Reconciled]:
    """Return every supply point that is billed by token, by code, by what was read until now."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        supplies: list[str] = cursor.execute(_SUPPLIES).fetchall()
    registers = newest_registers(connection, supplies, until=now)
    found = []
    for code in supplies:
        supply = _supply(connection, code)
        vended = _vended(connection, code)
        register = registers.get(code)
        used = None if register is None else _used(supply, register)
        found.append(
            Reconciled(
                supply=code,
                tokens=len(vended),
                vended_milliwh=sum(fact.usage_milliwh for fact in vended),
                unit_milliwh=supply.tokens.unit_milliwh if supply.tokens is not None else 0,
                used_milliwh=used,
                read_at=None if register is None else register.read_at,
            )
        )
    return found


def _used(supply: Supply, register: TokenRegister) -> int:
    """Return what was counted until a register was read: in the spells before, and in the one of then."""
    *gone, last = [one for one in supply.spells if one.starts <= register.read_at] or supply.spells[:1]
    before = sum((one.closing_milliwh or one.opening_milliwh) - one.opening_milliwh for one in gone)
    return before + register.register_milliwh - last.opening_milliwh


def _supply(connection: Connection[Any], code: str) -> Supply:
    supply: Supply | None = None
    with connection.cursor(row_factory=tuple_row) as cursor:
        for topic, state in cursor.execute(_STREAM, (supply_stream(code),)):
            supply = supply_stream_of.evolve(supply, fact_of(topic, bytes(state)))
    if supply is None:
        raise AssertionError(f"supply point {code} is billed by token, and has no events")
    return supply


def _vended(connection: Connection[Any], code: str) -> list[EnergyVended]:
    with connection.cursor(row_factory=scalar_row) as cursor:
        rows = cursor.execute(_VENDED, (meter_stream(code), EnergyVended.topic)).fetchall()
    facts = [fact_of(EnergyVended.topic, bytes(state)) for state in rows]
    return [fact for fact in facts if isinstance(fact, EnergyVended)]
