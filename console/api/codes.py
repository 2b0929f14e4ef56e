"""Codes in paths: a `/` in a code is written `~`, which no code contains."""

from typing import Annotated

from fastapi import Depends, Path

_IN_PATH = r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,63}$"
_Text = Annotated[
    str,
    Path(min_length=1, max_length=64, pattern=_IN_PATH, description="A code; a `/` in it is written `~`."),
]


def _account(account: _Text) -> str:
    return account.replace("~", "/")


def _supply(supply: _Text) -> str:
    return supply.replace("~", "/")


def _tariff(tariff: _Text) -> str:
    return tariff.replace("~", "/")


def _receipt(receipt: _Text) -> str:
    return receipt.replace("~", "/")


def _agent(agent: _Text) -> str:
    return agent.replace("~", "/")


AccountInPath = Annotated[str, Depends(_account)]
SupplyInPath = Annotated[str, Depends(_supply)]
TariffInPath = Annotated[str, Depends(_tariff)]
ReceiptInPath = Annotated[str, Depends(_receipt)]
AgentInPath = Annotated[str, Depends(_agent)]
