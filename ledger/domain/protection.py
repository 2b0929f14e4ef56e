"""Protected supplies: life support, lifts, fire pumps. Never cut for credit; what they use goes on to be owed."""

from datetime import date
from typing import Literal

from ledger.domain.event import Fact, fact_type

Category = Literal["life-support", "lift", "fire-pump", "hospital", "other"]


@fact_type("supply.protected/1")
class SupplyProtected(Fact, frozen=True, kw_only=True):
    """The supply point is not cut for credit until two people lift that; said again, it renews the review.

    `evidence` is an opaque id or the hash of what proves the need, never the proof itself. From `review_on`, a local
    date, somebody looks at it again; nobody is cut because nobody did.
    """

    supply: str
    category: Category
    evidence: str
    review_on: date
    operator: str


@fact_type("supply.protection-review-lapsed/1")
class ProtectionReviewLapsed(Fact, frozen=True, kw_only=True):
    """The review of a protected supply point is due since `review_on`: work for a person, and no more than that."""

    supply: str
    review_on: date


@fact_type("supply.protection-lifted/1")
class ProtectionLifted(Fact, frozen=True, kw_only=True):
    """Two people lifted the protection, for a reason (a code): credit decides again."""

    supply: str
    operator: str
    approved_by: str
    reason: str
