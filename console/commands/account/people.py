"""`account set-contact`, `show-contact` and `erase-personal-data`: who people are, beside the ledger."""

import os
from typing import Annotated

import typer

from console.commands.account.options import Account

_PANEL = "Personal data"


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command("set-contact", rich_help_panel=_PANEL)(set_contact)
    group.command("show-contact", rich_help_panel=_PANEL)(show_contact)
    group.command("erase-personal-data", rich_help_panel=_PANEL)(erase)


def set_contact(  # noqa: PLR0913, PLR0917 - an option each
    account: Account,
    name: Annotated[str | None, typer.Option(help="Whose account it is.")] = None,
    phone: Annotated[str | None, typer.Option(help="A telephone number.")] = None,
    email: Annotated[str | None, typer.Option(help="An e-mail address.")] = None,
    address: Annotated[str | None, typer.Option(help="Where they are.")] = None,
    note: Annotated[str | None, typer.Option(help="What else there is to know.")] = None,
    locale: Annotated[str | None, typer.Option(help="The language of messages and papers: en or zh.")] = None,
    channels: Annotated[
        str | None, typer.Option(help="How they want to be told: email,sms,chat,webhook; all known if empty.")
    ] = None,
    chat: Annotated[
        str | None, typer.Option(help="Where they are reached in the chat of WATTLEDGER_NOTIFY_CHAT.")
    ] = None,
    webhook: Annotated[str | None, typer.Option(help="An apprise URL of theirs.")] = None,
) -> None:
    """Keep who is behind an account: beside the ledger, never in it. An empty value ('') erases that detail.

    Only the database role wattledger_people may (WATTLEDGER_PEOPLE_DATABASE_URL).
    """
    from console.connection import opened_ledger, people_connection
    from console.errors import ConsoleError
    from ledger.store.people import keep_details
    from ledger.usecases.accounts import account_of

    given = {"name": name, "phone": phone, "email": email, "address": address, "note": note}
    given |= {"locale": locale, "channels": channels, "chat": chat, "webhook": webhook}
    details = {kind: detail for kind, detail in given.items() if detail is not None}
    if not details:
        raise ConsoleError(
            "nothing to keep; give --name, --phone, --email, --address, --locale, --channels, --chat, --webhook"
            " or --note"
        )
    with opened_ledger(os.environ) as ledger:
        account_of(ledger, account)
    with people_connection(os.environ) as connection:
        keep_details(connection, account=account, details=details)
    typer.echo(f"{account}: kept {', '.join(sorted(details))}")


def show_contact(account: Account) -> None:
    """Show what is kept of the person behind an account."""
    from console.connection import people_connection
    from ledger.store.people import person_of

    with people_connection(os.environ) as connection:
        person = person_of(connection, account=account)
    for kind, detail in person.details.items():
        typer.echo(f"{kind}: {detail}")
    for hashed, reference in person.references.items():
        typer.echo(f"reference: {reference} (in the ledger as {hashed[:16]}…)")
    if not person.details and not person.references:
        typer.echo(f"{account}: nothing is kept")


def erase(
    account: Account,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do it without asking; it cannot be undone.")] = False,
) -> None:
    """Erase everything that is kept of the person behind an account; the ledger itself holds none of it.

    Events, balances, seals and proofs stay as they are: they name the account's code and keyed hashes only.
    """
    from console.connection import opened_ledger, people_connection
    from ledger.store.people import erase_person
    from ledger.usecases.accounts import references_of

    if not is_sure:
        typer.confirm(f"Erase all that is kept of the person behind {account}?", abort=True)
    with opened_ledger(os.environ) as ledger:
        references = references_of(ledger, account)
    with people_connection(os.environ) as connection:
        count = erase_person(connection, account=account, reference_hashes=references)
    typer.echo(f"{account}: {count} rows erased")
