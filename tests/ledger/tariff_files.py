"""Tariff files for tests, put together from parts."""

from ledger.rating.rate import CompiledTariff, compile_tariff
from ledger.rating.tariff import parse_tariff

HOURS = """
[[time_of_use.hours]]
period = "峰"
times = ["08:00-22:00"]
[[time_of_use.hours]]
period = "谷"
times = ["22:00-08:00"]
"""

ENERGY = """
[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "1"
"""


def tariff_file(*parts: str, zone: str = "Asia/Shanghai", prices: str = "tax-exclusive") -> str:
    head = f"""
code = "t"
currency = "CNY"
time_zone = "{zone}"
billing_period = "month"
prices = "{prices}"
tax_point = "supply"
"""
    return head + "\n".join(parts)


def compiled(
    *parts: str, zone: str = "Asia/Shanghai", prices: str = "tax-exclusive", account_class: str = "", version: int = 1
) -> CompiledTariff:
    text = tariff_file(*parts, zone=zone, prices=prices)
    return compile_tariff(parse_tariff(text), version=version, account_class=account_class)


def block_charge(*blocks: tuple[str, str] | tuple[str, str, str], more: str = "") -> str:
    """A charge of blocks, each its end (empty: none), price and entry fee."""
    text = f'[[charges]]\ncomponent = "energy"\nkind = "blocks"\n{more}\n'
    for up_to, price, *fee in blocks:
        text += "[[charges.blocks]]\n"
        text += f'up_to_kwh = "{up_to}"\n' if up_to else ""
        text += f'price_per_kwh = "{price}"\n'
        text += f'entry_fee = "{fee[0]}"\n' if fee else ""
    return text
