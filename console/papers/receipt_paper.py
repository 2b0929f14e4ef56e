"""A receipt as a page: what was paid, what it went to, what it buys, and the proof."""

from console.papers.paper import Column, Paper, Row, Table, kwh, moment, money
from console.papers.proof_words import proof_notes
from console.papers.words import Words, channel_name, component_name, kind_name, words_of
from projections.statements.gathering import KINDS
from projections.statements.receipt import Receipt

_PARTS = {"balance": "to-balance"}


def receipt_paper(receipt: Receipt, *, language: str, zone: str) -> Paper:
    """Return a receipt's page, with times of a zone; raises InvalidValue for an unknown language."""
    words = words_of(language)
    facts = [
        (words["account"], receipt.account),
        (words["site"], receipt.site),
        (words["time"], f"{moment(receipt.at, zone=zone)} ({zone})"),
        (words["channel"], channel_name(receipt.channel, language=language)),
        (words["paid"], f"{money(receipt.amount_micros, currency=receipt.currency)} {receipt.currency}"),
        (words["event"], str(receipt.position)),
    ]
    if receipt.number:
        facts.insert(0, (words["receipt-number"], receipt.number))
    if receipt.days_left is not None:
        facts.append((words["days-left"], words["days"].format(days=receipt.days_left)))
    tables = [_applied(receipt, words, language)]
    if receipt.bought:
        tables.append(_bought(receipt, words))
    notes = [
        words["undone"].format(how=kind_name(KINDS[topic.partition("/")[0]], words)) for topic in receipt.undone_by
    ]
    notes += proof_notes(receipt.proof, position=receipt.position, zone=zone, words=words)
    return Paper(language, words["receipt"], facts, tables, notes, words["page"])


def _applied(receipt: Receipt, words: Words, language: str) -> Table:
    def shown(amount_micros: int) -> str:
        return money(amount_micros, currency=receipt.currency)

    rows = [Row([words[_PARTS.get(row.part, row.part)], shown(row.amount_micros)]) for row in receipt.applied]
    if not receipt.applied:
        rows.append(Row([words["to-balance"], shown(receipt.amount_micros)]))
    for tax in receipt.taxes:
        name = component_name(tax.component, language=language)
        rows.append(Row([words["tax-due"].format(component=name), shown(tax.amount_micros)]))
    rows.append(Row([words["balance-after"], shown(receipt.balance_micros)], is_strong=True))
    columns = [Column(words["item"], "left", 70), Column(words["amount"], "right", 30)]
    return Table(words["applied"], columns, rows)


def _bought(receipt: Receipt, words: Words) -> Table:
    columns = [
        Column(words["supply"].format(supply="").strip(), "left", 40),
        Column(words["tariff"], "left", 24),
        Column(words["energy"], "right", 20),
        Column(words["change"], "right", 16),
    ]
    rows = [
        Row(
            [
                row.supply,
                f"{row.tariff}@{row.version}",
                kwh(row.energy_milliwh),
                money(row.change_micros, currency=receipt.currency),
            ]
        )
        for row in receipt.bought
    ]
    return Table(words["buys"], columns, rows)
