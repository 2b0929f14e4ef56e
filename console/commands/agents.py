"""`agents`: who sells top-ups for us, on what terms; what they sold, hold and deposit."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from console.command_groups import add_group
from console.commands.account.options import Key, Operator, ReasonCode

_Agent = Annotated[str, typer.Argument(help="The agent's code.")]
_Percent = Annotated[str, typer.Option(help="What they earn with a sale, in percent: 1.5")]
_Fixed = Annotated[str, typer.Option(help="And so much with each sale, in currency units.")]
_FloatLimit = Annotated[
    str, typer.Option(help="How much cash they may hold before they deposit; 0: they deposit before they sell.")
]


def register(app: typer.Typer) -> None:
    """Add the group `agents`."""
    add_group(
        app,
        "agents",
        {
            "register": sign_on,
            "terms": set_terms,
            "list": show_all,
            "entries": show_entries,
            "deposit": take_deposit,
        },
        about="Agents who sell top-ups: terms, sales, deposits.",
        panel="Finance",
    )


def sign_on(
    agent: _Agent,
    currency: Annotated[str, typer.Option(help="What they take in: ISO 4217.")],
    float_limit: _FloatLimit,
    operator: Operator,
    commission: _Percent = "0",
    commission_fixed: _Fixed = "0",
) -> None:
    """Register an agent; `api-keys create NAME --scope kiosk --agent AGENT` makes the key that they sell with."""
    from console.agents import terms_from
    from console.connection import opened_ledger
    from ledger.usecases.money.agents import register_agent

    terms = terms_from(commission=commission, commission_fixed=commission_fixed, float_limit=float_limit)
    with opened_ledger(os.environ) as ledger:
        position = register_agent(
            ledger, agent=agent, currency=currency, terms=terms, operator=operator, now=datetime.now(UTC)
        )
    typer.echo(f"{agent}: registered (position {position})")


def set_terms(
    agent: _Agent,
    operator: Operator,
    commission: Annotated[str | None, typer.Option(help="In percent; as it stands if not given.")] = None,
    commission_fixed: Annotated[str | None, typer.Option(help="As it stands if not given.")] = None,
    float_limit: Annotated[str | None, typer.Option(help="As it stands if not given.")] = None,
    is_open: Annotated[
        bool | None, typer.Option("--open/--closed", help="Whether they may sell; as it stands if not given.")
    ] = None,
) -> None:
    """Set an agent's terms from the next sale on; what is not given stays."""
    from console.agents import changed_terms
    from console.connection import opened_ledger
    from ledger.usecases.money.agents import agent_state, change_agent_terms

    with opened_ledger(os.environ) as ledger:
        terms = changed_terms(
            agent_state(ledger, agent)[0].terms,
            commission=commission,
            commission_fixed=commission_fixed,
            float_limit=float_limit,
            is_open=is_open,
        )
        position = change_agent_terms(ledger, agent=agent, terms=terms, operator=operator, now=datetime.now(UTC))
    typer.echo(f"{agent}: terms set (position {position})" if position else f"{agent}: nothing changed")


def show_all() -> None:
    """Show every agent: what they sold, earned and deposited, and the cash that they hold of ours."""
    from rich.console import Console

    from console.agents import agents_table
    from console.connection import finance_connection
    from projections.agents import agents

    with finance_connection(os.environ) as connection:
        rows = agents(connection)
    if not rows:
        typer.echo("no agent is registered; `wattledger agents register`")
        return
    Console().print(agents_table(rows))


def show_entries(
    agent: _Agent,
    month: Annotated[str, typer.Option(help="Only of this month (UTC): 2026-11")] = "",
) -> None:
    """Show an agent's sales with their receipt numbers, undone sales and deposits, and what they come to."""
    from rich.console import Console

    from console.agents import entries_table, entries_total, of_month
    from console.connection import finance_connection, opened_ledger
    from ledger.usecases.money.agents import agent_state
    from projections.agents import agent_entries

    with opened_ledger(os.environ) as ledger:
        agent_state(ledger, agent)
    with finance_connection(os.environ) as connection:
        rows = of_month(agent_entries(connection, agent=agent), month)
    Console().print(entries_table(rows))
    typer.echo(entries_total(rows))


def take_deposit(
    agent: _Agent,
    amount: Annotated[str, typer.Argument(help="How much they handed over, in currency units.")],
    operator: Operator,
    bank: Annotated[str, typer.Option(help="Where it went.")] = "bank",
    reason: ReasonCode = "settled",
    key: Key = None,
) -> None:
    """Book that an agent handed over cash that they held for us; more than that is paid ahead."""
    from console.connection import opened_ledger
    from console.ordering import given_by
    from ledger.usecases.money.agents import agent_state, deposit
    from ledger.values.money import micros_from_text, text_from_micros

    by = given_by(operator=operator, reason=reason, key=key)
    with opened_ledger(os.environ) as ledger:
        booked = deposit(ledger, agent=agent, amount_micros=micros_from_text(amount), bank=bank, by=by)
        held = text_from_micros(agent_state(ledger, agent)[0].held_micros)
    what = "was booked before, nothing changed" if booked.is_repeat else "deposited"
    typer.echo(f"{agent}: {what} (position {booked.position}, key {by.key}); holds {held}")
