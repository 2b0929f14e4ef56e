"""Codes in paths: a `/` in a code is written `~`, which no code contains."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Path

_IN_PATH = r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,63}$"


def _in_path(name: str) -> Callable[[str], str]:
    """Return a dependency that reads the code which stands in the path under a name."""

    def code(
        text: Annotated[
            str,
            Path(
                alias=name,
                min_length=1,
                max_length=64,
                pattern=_IN_PATH,
                description="A code; a `/` in it is written `~`.",
            ),
        ],
    ) -> str:
        return text.replace("~", "/")

    return code


AccountInPath = Annotated[str, Depends(_in_path("account"))]
AgentInPath = Annotated[str, Depends(_in_path("agent"))]
DisputeInPath = Annotated[str, Depends(_in_path("dispute"))]
MeterInPath = Annotated[str, Depends(_in_path("meter"))]
MethodInPath = Annotated[str, Depends(_in_path("method"))]
PayerInPath = Annotated[str, Depends(_in_path("payer"))]
ProposalInPath = Annotated[str, Depends(_in_path("proposal"))]
ReceiptInPath = Annotated[str, Depends(_in_path("receipt"))]
SiteInPath = Annotated[str, Depends(_in_path("site"))]
SupplyInPath = Annotated[str, Depends(_in_path("supply"))]
TariffInPath = Annotated[str, Depends(_in_path("tariff"))]
