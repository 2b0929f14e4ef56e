"""Charges of cards and the like that Stripe keeps: a PaymentIntent, confirmed while its owner is not there."""

from dataclasses import dataclass, field

import stripe
from stripe import PaymentIntent
from stripe.params import PaymentIntentCreateParams

from console.payments.port import ChargeOrder, ChargeOutcome, OutcomeUnknown, why_code
from console.payments.stripe_amounts import micros_from_stripe, stripe_from_micros
from ledger.values.errors import InvalidValue

# The process that asks is idle meanwhile, and would lose its office.
_TIMEOUT_S = 40.0
# What no later attempt with the same method changes.
_FOR_GOOD = frozenset(
    [
        "authentication_required",
        "expired_card",
        "incorrect_number",
        "invalid_account",
        "lost_card",
        "pickup_card",
        "stolen_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stop_payment_order",
        "transaction_not_allowed",
    ]
)
# The owner would have to be there.
_NOT_CHARGED = {
    "requires_action": "authentication_required",
    "requires_confirmation": "authentication_required",
    "requires_payment_method": "payment_method_refused",
    "canceled": "canceled",
}


@dataclass(frozen=True, slots=True)
class StripeCharges:
    """Charges over Stripe's API. A method's `token` is `cus_.../pm_...`, or `pm_...` alone; `base` is for tests."""

    api_key: str = field(repr=False)
    base: str = ""

    def charge(self, order: ChargeOrder) -> ChargeOutcome:
        """Charge a method; see `port.Charges`."""
        try:
            params = _params(order)
        except InvalidValue:
            return ChargeOutcome(state="failed", why="amount-not-chargeable", may_retry=False)
        try:
            intent = self._client().v1.payment_intents.create(params, {"idempotency_key": order.key})
        except stripe.CardError as error:
            return _declined(error)
        except stripe.InvalidRequestError as error:
            # Refused before anything was tried: an unknown method, a currency that the account does not take.
            return ChargeOutcome(state="failed", why=why_code(error.code or "invalid-request"), may_retry=False)
        except stripe.StripeError as error:
            # Its text may show part of the key; the kind and the status tell enough.
            raise _unknown(order, f"{type(error).__name__}, status {error.http_status}") from None
        try:
            outcome = _outcome(intent)
        except (AttributeError, TypeError) as error:
            raise _unknown(order, f"an answer that cannot be read: {type(error).__name__}") from None
        if outcome is None:
            raise _unknown(order, f"an intent that is {why_code(intent.status)}")
        return outcome

    def _client(self) -> stripe.StripeClient:
        # No retries of the library's own: whoever asks does that, with the same key.
        return stripe.StripeClient(
            self.api_key,
            base_addresses={"api": self.base} if self.base else None,
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=_TIMEOUT_S),
        )


def _params(order: ChargeOrder) -> PaymentIntentCreateParams:
    customer, _, method = order.token.rpartition("/")
    params: PaymentIntentCreateParams = {
        "amount": stripe_from_micros(order.amount_micros, order.currency),
        "currency": order.currency.lower(),
        "payment_method": method,
        "confirm": True,
        "off_session": True,
        "metadata": {"account": order.account, "charge": order.charge},
        "expand": ["latest_charge.balance_transaction"],
    }
    if customer:
        params["customer"] = customer
    return params


def _unknown(order: ChargeOrder, what: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"Stripe did not say what became of charge {order.charge} ({what}); it is asked again under the same key;"
        " check WATTLEDGER_STRIPE_API_KEY if that persists"
    )


def _outcome(intent: PaymentIntent) -> ChargeOutcome | None:
    if intent.status == "succeeded":
        return ChargeOutcome(state="succeeded", payment=intent.id, fee_micros=_fee_micros(intent))
    if intent.status in ("processing", "requires_capture"):
        return ChargeOutcome(state="pending", payment=intent.id)
    why = _NOT_CHARGED.get(intent.status)
    return None if why is None else ChargeOutcome(state="failed", payment=intent.id, why=why, may_retry=False)


def _fee_micros(intent: PaymentIntent) -> int:
    """Return what Stripe keeps, where it says so already and in the payment's own currency."""
    charge = intent.latest_charge
    transaction = None if charge is None or isinstance(charge, str) else charge.balance_transaction
    if transaction is None or isinstance(transaction, str) or transaction.currency != intent.currency:
        return 0
    return micros_from_stripe(transaction.fee, transaction.currency.upper())


def _declined(error: stripe.CardError) -> ChargeOutcome:
    told = error.error
    code = (getattr(told, "decline_code", None) if told else None) or error.code or "card_declined"
    intent = getattr(told, "payment_intent", None) if told else None
    return ChargeOutcome(
        state="failed",
        payment=str(getattr(intent, "id", "") or ""),
        why=why_code(code),
        may_retry=code not in _FOR_GOOD,
    )
