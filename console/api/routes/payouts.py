"""What providers pay out of what they received for us."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.api.orders import FinanceOrders
from console.api.problems import responses
from console.api.values import Body, Code, PaidAmount, UnsignedAmount
from ledger.usecases.money.receipts import settle_clearing
from ledger.values.errors import InvalidValue, Refused
from ledger.values.money import micros_from_text

router = APIRouter(prefix="/v1/payouts", tags=["finance"])


class NewPayout(Body):
    """What a channel's provider paid out: all that it had, less what it keeps."""

    channel: Code
    gross: PaidAmount = Field(description="What it had received for us.")
    fees: UnsignedAmount = Field(default="0", description="What the provider keeps of it.")
    commission: UnsignedAmount = Field(default="0", description="What its agents keep of it.")
    bank: Code = Field(description="Where the money went.")
    operator: Code


class PayoutBooked(BaseModel):
    """Where the payout stands in the ledger."""

    position: int
    is_repeat: bool = Field(description="Whether this key had booked it before.")


@router.post("", status_code=201, responses=responses(401, 403, 409, 422, 429))
def settle(
    body: NewPayout,
    orders: FinanceOrders,
) -> PayoutBooked:
    """Book that a provider paid out what it had received for us, once per Idempotency-Key of this API key."""
    try:
        booked = settle_clearing(
            orders.ledger,
            channel=body.channel,
            gross_micros=micros_from_text(body.gross),
            fees_micros=micros_from_text(body.fees),
            commission_micros=micros_from_text(body.commission),
            bank=body.bank,
            by=orders.by(reason="payout", operator=body.operator),
        )
    except InvalidValue as error:
        # Each amount is one; it is together that they are not.
        raise Refused(str(error)) from None
    return PayoutBooked(position=booked.position, is_repeat=booked.is_repeat)
