"""Every command on accounts' money, as it waits in a proposal and as it is read back."""

from ledger.usecases.credit.commands import AgreeDebt, TakeEmergencyCredit
from ledger.usecases.money.disputing import OpenDispute, ResolveDispute
from ledger.usecases.money.paying_out import CloseAccount, CollectDebt, Refund
from ledger.usecases.money.putting_right import Adjust, CorrectDebit, WriteOff
from ledger.usecases.money.undoing import ChargeBack, ReverseTopUp, TransferTopUp

AnyMoneyCommand = (
    Adjust
    | AgreeDebt
    | ChargeBack
    | CloseAccount
    | CollectDebt
    | CorrectDebit
    | OpenDispute
    | Refund
    | ResolveDispute
    | ReverseTopUp
    | TakeEmergencyCredit
    | TransferTopUp
    | WriteOff
)
