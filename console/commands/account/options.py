"""The arguments and options that commands on money share."""

from typing import Annotated

import typer

Account = Annotated[str, typer.Argument(help="The account's code.")]
Amount = Annotated[str, typer.Argument(help="How much, in currency units: 25.00")]
TopUp = Annotated[int, typer.Argument(min=1, metavar="POSITION", help="The top-up's position in the ledger.")]
Channel = Annotated[str, typer.Option(help="How the money goes: kiosk, bank, ...")]
Reason = Annotated[str, typer.Option(help="Why, as a code: wrong-account, meter-fault, moving-out ...")]
ReasonCode = Annotated[str, typer.Option(help="Why, as a code.")]
Operator = Annotated[str, typer.Option(envvar="WATTLEDGER_OPERATOR", help="Your operator id.")]
ApprovedBy = Annotated[
    str, typer.Option(help="The other person who approved it, where it takes two; without one it is proposed.")
]
Key = Annotated[str | None, typer.Option(help="The idempotency key: the same key books once; new if not given.")]
