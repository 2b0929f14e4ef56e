"""Account names as beancount takes them, made from our codes so that the way back is exact.

A code's parts become components with a capital first letter; a consumer's account follows as a component of its own
after `Of`: `liabilities:prepayment` of `room-1` is `Liabilities:Prepayment:Of:Room-1`. Whatever a component cannot
hold as it is stands as `Z…Z`, its code point in hexadecimal between; `Z` itself, too.
"""

import re

from projections.errors import ProjectionsError

ROOTS = ("assets", "liabilities", "equity", "income", "expenses")

_OF = "Of"
_PLAIN = re.compile(r"[a-zA-Y0-9-]")
_ESCAPED = re.compile(r"Z([0-9A-F]*)Z")


class NoBeancountName(ProjectionsError):
    """A code that beancount has no account for."""


def beancount_name(code: str, account: str) -> str:
    """Return the name of a code, of a consumer's account where one is given; raises NoBeancountName."""
    root, *parts = code.split(":")
    if root not in ROOTS or not parts:
        raise NoBeancountName(f"code {code!r} does not begin with one of {', '.join(ROOTS)} and go on")
    names = [root.capitalize(), *(_component(part, reserved=_OF.lower()) for part in parts)]
    if account:
        names += [_OF, _component(account)]
    return ":".join(names)


def code_and_account(name: str) -> tuple[str, str]:
    """Return the code and the consumer's account, empty where there is none, that a name was made from."""
    root, *parts = name.split(":")
    account = ""
    if len(parts) >= 2 and parts[-2] == _OF:
        account = _decoded(parts[-1])
        parts = parts[:-2]
    return ":".join([root.lower(), *(_decoded(part) for part in parts)]), account


def _component(text: str, *, reserved: str = "") -> str:
    if not text:
        return "ZZ"
    first, rest = text[0], text[1:]
    if "a" <= first <= "y" and text != reserved:
        begin = first.upper()
    else:
        # A capital that stood there must be told from one that we put there.
        begin = first if first in "0123456789" else _escaped(first)
    return begin + "".join(letter if _PLAIN.fullmatch(letter) else _escaped(letter) for letter in rest)


def _escaped(letter: str) -> str:
    return f"Z{ord(letter):X}Z"


def _decoded(component: str) -> str:
    if component[0] != "Z":
        component = component[0].lower() + component[1:]
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", component)
