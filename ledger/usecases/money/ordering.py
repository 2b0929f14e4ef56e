"""A command is carried out at once, or proposed where it takes two people: the one way in, whoever asks."""

from ledger.domain.proposal import Proposal
from ledger.store.application import Ledger
from ledger.usecases.attempt import Booked
from ledger.usecases.money.attempt import By, MoneyCommand
from ledger.usecases.money.carrying_out import carry_out
from ledger.usecases.money.limits import NeedsApproval
from ledger.usecases.money.proposals import earlier_proposal, propose


def order(ledger: Ledger, command: MoneyCommand, *, by: By) -> Booked | Proposal:
    """Carry a command out, or propose it where another person has to approve it.

    The same key with the same content returns the first result, be it a proposal that is decided by now. Raises
    Conflict for a key that came with other content, and what the command itself refuses.
    """
    earlier = earlier_proposal(ledger, command, by=by)
    if earlier is not None:
        return earlier
    try:
        return carry_out(ledger, command, by=by)
    except NeedsApproval as error:
        return propose(ledger, command, by=by, why=str(error))
