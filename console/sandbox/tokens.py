"""Test tokens: what the sandbox answers to a charge of each, and what it tells afterwards."""

from dataclasses import dataclass
from typing import Literal

from ledger.usecases.money.payments import News

Answer = Literal["succeeded", "pending", "failed", "none", "late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What happens to a charge: `answer` is `none` where it is charged and the connection then breaks, once.

    `tells` is the news that follow, in order; each is delivered `times` times. `why` is a failure's code.
    """

    answer: Answer
    tells: tuple[News, ...] = ()
    times: int = 1
    why: str = ""
    may_retry: bool = True


TOKENS: dict[str, Conduct] = {
    "tok_succeeds": Conduct(answer="succeeded", tells=("succeeded",)),
    "tok_pending": Conduct(answer="pending", tells=("succeeded",)),
    "tok_pending_fails": Conduct(answer="pending", tells=("failed",), why="insufficient_funds"),
    "tok_stays_pending": Conduct(answer="pending"),
    "tok_declined": Conduct(answer="failed", why="card_declined"),
    "tok_stolen": Conduct(answer="failed", why="stolen_card", may_retry=False),
    "tok_no_answer": Conduct(answer="none"),
    "tok_late": Conduct(answer="late", tells=("succeeded",)),
    "tok_twice": Conduct(answer="succeeded", tells=("succeeded", "succeeded"), times=2),
    "tok_charged_back": Conduct(answer="succeeded", tells=("succeeded", "charged-back")),
    "tok_dispute_won": Conduct(answer="succeeded", tells=("succeeded", "charged-back", "dispute-won")),
}
"""What each test token does; any other token is declined for good, as `unknown_token`."""

UNKNOWN = Conduct(answer="failed", why="unknown_token", may_retry=False)
