"""Statements as JSON: amounts as decimal texts with all their micro-units, and as shown; energies in kWh."""

from typing import Any

import msgspec

from ledger.values.energy import kwh_from_milliwh
from ledger.values.money import decimal_from_micros
from projections.statements.receipt import Receipt
from projections.statements.statement import LineKey, LineSum, Standing, Statement, SupplyPart, shown_micros

FORMAT = "wattledger statement 1"
RECEIPT_FORMAT = "wattledger receipt 1"


def statement_json(statement: Statement) -> dict[str, Any]:
    """Return a statement as JSON values."""
    return {
        "format": FORMAT,
        "account": statement.account,
        "site": statement.site,
        "currency": statement.currency,
        "month": statement.month,
        "time_zone": statement.zone,
        "is_final": statement.is_final,
        "position": statement.position,
        "events": statement.events,
        "last_position": statement.last_position,
        "opening": standing_json(statement.opening, currency=statement.currency),
        "movements": [
            {"kind": row.kind, "events": row.events} | standing_json(row.change, currency=statement.currency)
            for row in statement.movements
        ],
        "closing": standing_json(statement.closing, currency=statement.currency),
        "rounding": amount_text(statement.rounding_micros),
        "carry_forward_micros": statement.carry_forward_micros,
        "supplies": [_supply_json(part) for part in statement.supplies],
        "taxes": [
            {
                "component": tax.component,
                "at_supply": amount_text(tax.at_supply_micros),
                "at_payment": amount_text(tax.at_payment_micros),
                "released": amount_text(tax.released_micros),
            }
            for tax in statement.taxes
        ],
        "money": [
            {
                "position": row.position,
                "at": row.at.isoformat(),
                "kind": row.kind,
                "channel": row.channel,
                "about_position": row.about_position,
            }
            | standing_json(row.change, currency=statement.currency)
            for row in statement.money
        ],
        "proof": None if statement.proof is None else msgspec.to_builtins(statement.proof),
    }


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as JSON values."""
    return {
        "format": RECEIPT_FORMAT,
        "number": receipt.number or None,
        "position": receipt.position,
        "account": receipt.account,
        "site": receipt.site,
        "currency": receipt.currency,
        "at": receipt.at.isoformat(),
        "channel": receipt.channel,
        "amount": amount_text(receipt.amount_micros),
        "applied": [{"part": row.part, "amount": amount_text(row.amount_micros)} for row in receipt.applied],
        "taxes": [{"component": row.component, "amount": amount_text(row.amount_micros)} for row in receipt.taxes],
        "to_balance": amount_text(receipt.to_balance_micros),
        "balance_after": amount_text(receipt.balance_micros),
        "buys": [
            {
                "supply": row.supply,
                "tariff": row.tariff,
                "version": row.version,
                "energy_kwh": kwh_text(row.energy_milliwh),
                "change": amount_text(row.change_micros),
            }
            for row in receipt.bought
        ],
        "days_left": receipt.days_left,
        "undone_by": receipt.undone_by,
        "proof": None if receipt.proof is None else msgspec.to_builtins(receipt.proof),
    }


def standing_json(standing: Standing, *, currency: str) -> dict[str, str]:
    """Return a standing, or a change of one, with the balance as it is shown beside."""
    return {
        "balance": amount_text(standing.balance_micros),
        "balance_shown": amount_text(shown_micros(standing.balance_micros, currency=currency)),
        "debt": amount_text(standing.debt_micros),
        "accrued": amount_text(standing.accrued_micros),
        "advance_tax": amount_text(standing.advance_tax_micros),
    }


def amount_text(amount_micros: int) -> str:
    """Write an amount with all its micro-units."""
    return f"{decimal_from_micros(amount_micros):.6f}"


def kwh_text(energy_milliwh: int) -> str:
    """Write an energy in kilowatt-hours, exactly."""
    return f"{kwh_from_milliwh(energy_milliwh):.6f}"


def _supply_json(part: SupplyPart) -> dict[str, Any]:
    return {
        "supply": part.supply,
        "usage_kwh": kwh_text(part.usage_milliwh),
        "amount": amount_text(part.amount_micros),
        "registers": [
            {
                "meter": row.meter,
                "multiplier": row.multiplier,
                "from": row.started_at.isoformat(),
                "until": row.ended_at.isoformat(),
                "opening_kwh": None if row.opening_milliwh is None else kwh_text(row.opening_milliwh),
                "closing_kwh": None if row.closing_milliwh is None else kwh_text(row.closing_milliwh),
            }
            for row in part.registers
        ],
        "lines": [_line_json(key, row) for key, row in part.ordered_lines],
    }


def _line_json(key: LineKey, row: LineSum) -> dict[str, Any]:
    return {
        "component": key.component,
        "quantity": None if key.is_correction else f"{row.quantity:f}",
        "unit": key.unit,
        "price": key.price,
        "block": key.block,
        "period": key.time_of_use,
        "tariff": key.tariff,
        "version": key.version,
        "tax": key.is_tax,
        "allowance": key.is_allowance,
        "at_payment": key.is_at_payment,
        "correction": key.is_correction,
        "amount": amount_text(row.amount_micros),
    }
