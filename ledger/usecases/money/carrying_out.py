"""How a command on money is carried out: once per key, on the newest balance, by two people where it must be."""

from collections.abc import Sequence

from ledger.domain.event import Event
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.standing import Standing
from ledger.usecases.attempt import Booked, appended_on_standing, checked_key
from ledger.usecases.money.attempt import Attempt, By, MoneyCommand, content_of
from ledger.usecases.money.limits import check_limit, check_two_people


def carry_out(ledger: Ledger, command: MoneyCommand, *, by: By) -> Booked:
    """Carry a command out and return where it stands; the same key with the same content returns the first result.

    Raises Conflict for a key that came with other content, NeedsApproval where another person has to approve, and
    what the command itself refuses; nothing is changed then.
    """
    by.check()
    key = Command(key=f"{command.kind}/{checked_key(by.key)}", content=content_of(command, by))
    accounts = command.accounts(ledger)

    def decide(standing: Standing) -> Sequence[Event]:
        attempt = Attempt(ledger, by, standing)
        decide_checked(attempt, command, accounts[0])
        return attempt.events

    return appended_on_standing(ledger, decide, accounts=accounts, command=key)


def decide_checked(attempt: Attempt, command: MoneyCommand, account: str) -> None:
    """Let a command decide, and check that enough people did."""
    by = attempt.by
    check_two_people(operator=by.operator, approved_by=by.approved_by)
    command.decide(attempt)
    check_limit(
        attempt.ledger,
        weighed_micros=command.weighed_micros,
        site=attempt.account(account).site,
        approved_by=by.approved_by,
        now=by.now,
    )
