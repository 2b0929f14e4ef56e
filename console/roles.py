"""The long-running roles: which command each one is, which database role it connects as, and what it may know."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A process of the system and what it is entitled to: no role is given a secret that it does not need."""

    name: str
    database_role: str | None = None
    uses_kafka: bool = False
    signs_orders: bool = False
    verifies_orders: bool = False
    signs_seals: bool = False
    tells_people: bool = False
    hears_providers: bool = False
    charges_methods: bool = False
    sells_tokens: bool = False
    serves_health: bool = True


PRICE = Role(name="price", database_role="wattledger_writer", uses_kafka=True)
PROJECT = Role(name="project", database_role="wattledger_projector")
CONTROL = Role(name="control", database_role="wattledger_control", signs_orders=True)
SEAL = Role(name="seal", database_role="wattledger_sealer", signs_seals=True)
CALENDAR = Role(name="calendar", database_role="wattledger_calendar", uses_kafka=True)
SERVE = Role(name="serve", database_role="wattledger_api", hears_providers=True, sells_tokens=True)
PAYMENTS = Role(name="payments", database_role="wattledger_payments", charges_methods=True)
NOTIFY = Role(name="notify", database_role="wattledger_notifier", tells_people=True)
SIMULATE = Role(name="simulate", serves_health=False)
COLLECT = Role(name="collect", uses_kafka=True, verifies_orders=True)
# For trying things; no stack starts it unless asked.
SANDBOX_PROVIDER = Role(name="sandbox-provider")

SERVER_ROLES = (PRICE, PROJECT, CONTROL, CALENDAR, SEAL, SERVE, PAYMENTS, NOTIFY)
EDGE_ROLES = (SIMULATE, COLLECT)
ROLES = {role.name: role for role in (*SERVER_ROLES, *EDGE_ROLES, SANDBOX_PROVIDER)}
