"""A token as a slip: the digits to type in, what they are for and what they cost."""

from console.papers.paper import Paper, kwh, moment, money
from console.papers.words import words_of
from console.tokens.digits import grouped
from console.tokens.issued import Token


def token_paper(token: Token, *, currency: str, language: str, zone: str) -> Paper:
    """Return a token's slip, with times of a zone; raises InvalidValue for an unknown language.

    `currency` is the account's; a token that moves no money has neither.
    """
    words = words_of(language)
    facts = [
        (words["token-digits"], grouped(token.digits)),
        (words["token-for"], words[f"token-{token.kind}"].format(units=token.units)),
        (words["supply"].format(supply="").strip(), token.supply),
        (words["time"], f"{moment(token.at, zone=zone)} ({zone})"),
    ]
    if token.kind == "add":
        facts += [
            (words["account"], token.account),
            (words["energy"], kwh(token.energy_milliwh)),
            (words["amount"], f"{money(token.amount_micros, currency=currency)} {currency}"),
        ]
    facts.append((words["event"], str(token.position)))
    note = "token-once" if token.kind == "add" else "token-voids"
    return Paper(language, words["token"], facts, [], [words[note]], words["page"])
