"""Any order of commands on a real ledger, against a plain model: the books sum to zero, balances are the model's."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases.money.paying_out import CloseAccount, CollectDebt, Refund
from ledger.usecases.money.putting_right import Adjust, WriteOff
from ledger.usecases.money.undoing import ReverseTopUp, TransferTopUp
from ledger.values.errors import LedgerError
from tests.ledger.till import Till, head

_ACCOUNTS = st.sampled_from(["x", "y"])
_MOVES = st.sampled_from(["pay", "use", "refund", "reverse", "transfer", "adjust", "collect", "write-off", "close"])
steps = st.lists(st.tuples(_MOVES, _ACCOUNTS, st.integers(1, 90_000_000)), min_size=3, max_size=12)


class Model:
    """Balances and debts as a clerk would keep them on paper."""

    def __init__(self) -> None:
        self.balance, self.debt = {"x": 0, "y": 0}, {"x": 0, "y": 0}

    def take_away(self, account: str, amount: int) -> None:
        unspent = min(amount, max(self.balance[account], 0))
        self.balance[account] -= unspent
        self.debt[account] += amount - unspent


@pytest.fixture
def numbers() -> Iterator[int]:
    return iter(range(1_000_000))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps)
def test_balances_and_debts_are_those_of_a_clerk_and_the_books_sum_to_zero(
    ledger: Ledger, writer: Connection[object], numbers: Iterator[int], of: list[tuple[str, str, int]]
) -> None:
    run = next(numbers)
    till, model = Till(ledger), Model()
    till.prefix = f"run-{run}-"
    codes = {name: f"{name}-{run}" for name in ("x", "y")}
    till.opens(*codes.values())
    top_ups: list[tuple[int, str, int]] = []
    for move, name, amount in of:
        before = head(writer)
        try:
            _take(till, model, top_ups, codes, move, name, amount)
        except LedgerError:
            assert head(writer) == before, "a refused command changed something"
        for owner, code in codes.items():
            standing = ledger.standing([code])
            assert standing.balance_micros(code) == model.balance[owner]
            assert standing.debt_micros(code) == model.debt[owner]
    log = read_log(writer, after=0, limit=100_000)
    assert all(sum(p.amount_micros for p in getattr(row.fact, "postings", ())) == 0 for row in log)


def _take(
    till: Till,
    model: Model,
    top_ups: list[tuple[int, str, int]],
    codes: dict[str, str],
    move: str,
    name: str,
    amount: int,
) -> None:
    code = codes[name]
    match move:
        case "pay":
            top_ups.append((till.tops_up(code, Decimal(amount).scaleb(-6)), name, amount))
            model.balance[name] += amount
        case "use":
            till.uses(code, Decimal(amount).scaleb(-6))
            model.balance[name] -= amount
        case "refund":
            till.orders(Refund(account=code, amount_micros=amount, channel="bank"))
            model.balance[name] -= amount
        case "reverse" if top_ups:
            position, owner, paid = top_ups[amount % len(top_ups)]
            till.orders(ReverseTopUp(top_up_position=position))
            model.take_away(owner, paid)
        case "transfer" if top_ups:
            position, owner, paid = top_ups[amount % len(top_ups)]
            taker = "y" if owner == "x" else "x"
            till.orders(TransferTopUp(top_up_position=position, to_account=codes[taker]))
            model.take_away(owner, paid)
            model.balance[taker] += paid
        case "adjust":
            till.orders(Adjust(account=code, amount_micros=amount - 45_000_000))
            model.balance[name] += amount - 45_000_000
        case "collect":
            till.orders(CollectDebt(account=code, amount_micros=amount, channel="bank"))
            model.debt[name] -= amount
        case "write-off":
            till.orders(WriteOff(account=code, amount_micros=amount))
            of_debt = min(amount, model.debt[name])
            model.debt[name] -= of_debt
            model.balance[name] += amount - of_debt
        case "close" if amount % 5 == 0:
            till.orders(CloseAccount(account=code, channel="bank"))
            credit, owed = max(model.balance[name], 0), max(-model.balance[name], 0)
            model.debt[name] += owed - min(credit, model.debt[name])
            model.balance[name] = 0
