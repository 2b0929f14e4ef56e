"""That a supply point is billed by tokens: what its meter is told by digits is paid for before it is used."""

from typing import Literal

from ledger.domain.event import Fact, fact_type

# What the digits of a token can say: OpenPAYGO's standard ones, of nine digits, and its extended ones, of twelve.
TokenSize = Literal["standard", "extended"]
MOST_UNITS: dict[TokenSize, int] = {"standard": 995, "extended": 999_999}


@fact_type("supply.billed-by-token/1")
class BilledByToken(Fact, frozen=True, kw_only=True):
    """The supply point is billed when tokens are issued for its meter, by nothing else, from its first event on.

    An OpenPAYGO unit carries `unit_milliwh` of energy on this meter. The meter's secrets are not here.
    """

    supply: str
    unit_milliwh: int
    size: TokenSize
    operator: str
