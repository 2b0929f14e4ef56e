"""`tokens`: meters without a link, whose energy is bought as digits that people type in."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast
from uuid import uuid4

import typer

if TYPE_CHECKING:
    from console.tokens.issued import Token
    from ledger.domain.token_billing import TokenSize
    from ledger.domain.vending import TokenKind

_Operator = Annotated[str, typer.Option(envvar="WATTLEDGER_OPERATOR", help="Your operator id.")]
_Key = Annotated[str | None, typer.Option(help="The idempotency key: the same key issues once; new if not given.")]
_Supply = Annotated[str, typer.Argument(help="The supply point's code.")]


def register(app: typer.Typer) -> None:
    """Add the group `tokens`."""
    group = typer.Typer(help="Meters without a link: energy sold as digits (OpenPAYGO).", no_args_is_help=True)
    for name, command in (
        ("set-up", set_up),
        ("issue", issue),
        ("tell", tell),
        ("show", show),
        ("list", show_all),
        ("read", read),
        ("reconcile", reconcile),
    ):
        group.command(name)(command)
    app.add_typer(group, name="tokens", rich_help_panel="Money")


def set_up(
    supply: _Supply,
    secrets: Annotated[Path, typer.Option(help="A file with the meter's starting code and key, in this order.")],
    operator: _Operator,
    unit_wh: Annotated[int, typer.Option(min=1, help="The watt-hours of an OpenPAYGO unit on this meter.")] = 100,
    extended: Annotated[bool, typer.Option("--extended", help="The meter takes tokens of twelve digits.")] = False,
) -> None:
    """Bill a supply point by token, for good: before anything was billed there by readings.

    The meter's secrets are kept sealed with WATTLEDGER_TOKEN_KEY (openssl rand -hex 32): lost with that key.
    """
    from console.connection import opened_ledger, writer_connection
    from console.errors import ConsoleError
    from console.tokens.secrets_kept import keep_secrets, sealing_key, secrets_from_text
    from ledger.usecases.tokens.setting_up import bill_by_token

    try:
        text = secrets.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConsoleError(f"{secrets} cannot be read: {error}") from None
    key, given = sealing_key(os.environ), secrets_from_text(text)
    size: TokenSize = "extended" if extended else "standard"
    with opened_ledger(os.environ) as ledger, writer_connection(os.environ) as devices:
        position = bill_by_token(
            ledger,
            supply=supply,
            unit_milliwh=unit_wh * 1_000,
            size=size,
            operator=operator,
            now=datetime.now(UTC),
        )
        keep_secrets(devices, supply=supply, secrets=given, key=key)
    what = f"position {position}" if position else "it was so before"
    typer.echo(f"{supply}: billed by {size} tokens of {unit_wh} Wh a unit ({what})")


def issue(
    supply: _Supply,
    operator: _Operator,
    amount: Annotated[str, typer.Option(help="For how much of the balance: 25.00; all of it if not given.")] = "",
    key: _Key = None,
) -> None:
    """Sell energy as a token, out of the balance: what is due for the days that are over first, then whole units.

    What buys no whole unit stays on the balance. An issued token cannot be taken back: adjust the account.
    """
    from console.connection import opened_ledger, writer_connection
    from console.tokens.issued import token_at
    from console.tokens.secrets_kept import kept_secrets, sealing_key
    from console.tokens.showing import told_token
    from ledger.usecases.tokens.issuing import issue_token
    from ledger.values.money import micros_from_text

    sealed_with, key = sealing_key(os.environ), str(uuid4()) if key is None else key
    amount_micros = micros_from_text(amount) if amount else None
    with opened_ledger(os.environ) as ledger, writer_connection(os.environ) as devices:
        # Before anything is sold: whose digits nobody can work out is not charged for them.
        kept_secrets(devices, supply=supply, key=sealed_with)
        booked = issue_token(
            ledger, supply=supply, amount_micros=amount_micros, operator=operator, key=key, now=datetime.now(UTC)
        )
        token = token_at(ledger, devices, position=booked.position, key=sealed_with)
    for line in told_token(token, is_repeat=booked.is_repeat, key=key):
        typer.echo(line)


def tell(
    supply: _Supply,
    kind: Annotated[str, typer.Argument(help="set, disable (unlock for good) or counter-sync.")],
    operator: _Operator,
    reason: Annotated[str, typer.Option(help="Why, as a code.")],
    units: Annotated[int, typer.Option(min=0, help="For set: the units that the meter has from then on.")] = 0,
    key: _Key = None,
) -> None:
    """Tell the meter something that moves no money. Tokens that were sold and not typed in are void then."""
    from console.connection import opened_ledger, writer_connection
    from console.tokens.issued import token_at
    from console.tokens.secrets_kept import kept_secrets, sealing_key
    from console.tokens.showing import told_token
    from ledger.usecases.tokens.issuing import tell_meter

    sealed_with, key = sealing_key(os.environ), str(uuid4()) if key is None else key
    with opened_ledger(os.environ) as ledger, writer_connection(os.environ) as devices:
        kept_secrets(devices, supply=supply, key=sealed_with)
        booked = tell_meter(
            ledger,
            supply=supply,
            kind=cast("TokenKind", kind),
            units=units,
            reason=reason,
            operator=operator,
            key=key,
            now=datetime.now(UTC),
        )
        token = token_at(ledger, devices, position=booked.position, key=sealed_with)
    for line in told_token(token, is_repeat=booked.is_repeat, key=key):
        typer.echo(line)


def show(
    position: Annotated[int, typer.Argument(min=1, help="Where the token stands in the ledger.")],
    form: Annotated[
        str, typer.Option("--format", help="pdf or html: a slip, for paper; the terminal if not given.")
    ] = "",
    language: Annotated[str, typer.Option(help="The slip's: en or zh; if not given as on a receipt.")] = "",
    out: Annotated[Path, typer.Option(help="The directory that the slip is written to.")] = Path(),
) -> None:
    """Print a token again: its digits are worked out from the ledger and the meter's secrets."""
    from console.connection import opened_ledger, writer_connection
    from console.tokens.issued import token_at
    from console.tokens.secrets_kept import sealing_key
    from console.tokens.showing import told_token
    from ledger.usecases.accounts import account_of

    with opened_ledger(os.environ) as ledger, writer_connection(os.environ) as devices:
        token = token_at(ledger, devices, position=position, key=sealing_key(os.environ))
        currency = account_of(ledger, token.account).currency if token.account else ""
    if form:
        _write_slip(token, currency, form, language, out)
        return
    for line in told_token(token, is_repeat=True, key=""):
        typer.echo(line)


def _write_slip(token: "Token", currency: str, form: str, language: str, out: Path) -> None:
    from console.commands.papers import language_of, write_file
    from console.connection import finance_connection
    from console.papers.writing import written_token

    language = language or (language_of(token.account) if token.account else "en")
    with finance_connection(os.environ) as connection:
        written = written_token(
            connection, token=token, currency=currency, form=form, language=language, now=datetime.now(UTC)
        )
    write_file(out, written.name, written.content)


def show_all(supply: _Supply) -> None:
    """List a supply point's tokens, without their digits."""
    from rich.console import Console

    from console.connection import finance_connection
    from console.tokens.showing import token_table
    from projections.tokens import tokens_of

    with finance_connection(os.environ) as connection:
        rows = tokens_of(cast("Any", connection), supply)
    if not rows:
        typer.echo(f"no token was issued for {supply}")
        return
    Console().print(token_table(rows))


def read(
    supply: _Supply,
    register_kwh: Annotated[str, typer.Argument(help="The register of the meter that is installed, in kWh.")],
    at: Annotated[str, typer.Option(help="When it was read: 2026-11-28T10:00+08:00; now if not given.")] = "",
) -> None:
    """Tell what the register of a meter that takes tokens shows, for `reconcile`. Nothing is billed by it."""
    from console.connection import opened_ledger, writer_connection
    from ledger.store.token_registers import keep_registers
    from ledger.usecases.tokens.reading import read_register
    from ledger.values.energy import milliwh_from_text
    from ledger.values.instants import parse_instant

    now = datetime.now(UTC)
    with opened_ledger(os.environ) as ledger, writer_connection(os.environ) as connection:
        register = read_register(
            ledger,
            supply=supply,
            register_milliwh=milliwh_from_text(register_kwh),
            at=parse_instant(at) if at else now,
            now=now,
        )
        keep_registers(cast("Any", connection.cursor()), [register])
    typer.echo(f"{supply}: {register_kwh} kWh at {register.read_at.isoformat()}")


def reconcile() -> None:
    """Compare what was sold with what registers show, of every supply point that is billed by token.

    Exit code 1 where a meter has used more than it was sold: it is bypassed, or somebody else makes its tokens.
    """
    from rich.console import Console

    from console.connection import finance_connection
    from console.tokens.reconciling import reconciled
    from console.tokens.showing import reconciled_table

    with finance_connection(os.environ) as connection:
        rows = reconciled(cast("Any", connection), now=datetime.now(UTC))
    if not rows:
        typer.echo("no supply point is billed by token")
        return
    Console().print(reconciled_table(rows))
    raise typer.Exit(1 if any(row.is_wrong for row in rows) else 0)
