"""A statement as a page: the balance, each supply point's registers and lines, taxes, money, and the proof."""

from console.papers.paper import Column, Paper, Row, Table, exact, kwh, moment, money
from console.papers.proof_words import proof_notes
from console.papers.words import Words, channel_name, component_name, kind_name, unit_name, words_of
from projections.statements.statement import LineKey, LineSum, Standing, Statement, SupplyPart


def statement_paper(statement: Statement, *, language: str) -> Paper:
    """Return a statement's page; raises InvalidValue for an unknown language."""
    words = words_of(language)
    facts = [
        (words["account"], statement.account),
        (words["site"], statement.site),
        (words["month"], f"{statement.month} ({statement.zone})"),
        (words["currency"], statement.currency),
        (words["ledger"], words["position"].format(position=statement.position)),
    ]
    tables = [_balance(statement, words)]
    for part in statement.supplies:
        if part.registers:
            tables.append(_registers(statement, part, words))
        tables.append(_lines(statement, part, words, language))
    if statement.taxes:
        tables.append(_taxes(statement, words, language))
    if statement.money:
        tables.append(_money(statement, words, language))
    carried = words["carry-forward"].format(
        micros=f"{statement.carry_forward_micros:+,}",
        exact=exact(statement.closing.balance_micros),
        currency=statement.currency,
    )
    notes = [
        carried,
        words["final" if statement.is_final else "open"],
        *proof_notes(statement.proof, position=statement.last_position, zone=statement.zone, words=words),
    ]
    return Paper(language, words["statement"], facts, tables, notes, words["page"])


def _standing(statement: Statement, standing: Standing) -> tuple[str, str, str]:
    amounts = (standing.balance_micros, standing.debt_micros, standing.accrued_micros)
    shown = [money(amount, currency=statement.currency) for amount in amounts]
    return shown[0], shown[1], shown[2]


def _balance(statement: Statement, words: Words) -> Table:
    columns = [
        Column(words["item"], "left", 40),
        Column(words["number"], "right", 12),
        *(Column(words[name], "right", 16) for name in ("balance", "debt", "accrued")),
    ]
    rows = [Row([words["opening"], "", *_standing(statement, statement.opening)], is_strong=True)]
    for movement in statement.movements:
        name = kind_name(movement.kind, words)
        rows.append(Row([name, f"{movement.events:,}", *_standing(statement, movement.change)]))
    rounding = money(statement.rounding_micros, currency=statement.currency)
    if statement.rounding_micros:
        rows.append(Row([words["rounding"], "", rounding, "", ""]))
    rows.append(Row([words["closing-balance"], "", *_standing(statement, statement.closing)], is_strong=True))
    return Table(words["summary"], columns, rows)


def _registers(statement: Statement, part: SupplyPart, words: Words) -> Table:
    columns = [
        Column(words["meter"], "left", 22),
        Column(words["from"], "left", 17),
        Column(words["until"], "left", 17),
        Column(words["multiplier"], "right", 12),
        Column(words["opening-register"], "right", 16),
        Column(words["closing-register"], "right", 16),
    ]
    rows = [
        Row(
            [
                row.meter,
                moment(row.started_at, zone=statement.zone),
                moment(row.ended_at, zone=statement.zone),
                row.multiplier,
                kwh(row.opening_milliwh),
                kwh(row.closing_milliwh),
            ]
        )
        for row in part.registers
    ]
    return Table(words["registers"].format(supply=part.supply), columns, rows)


def _lines(statement: Statement, part: SupplyPart, words: Words, language: str) -> Table:
    columns = [
        Column(words["component"], "left", 40),
        Column(words["quantity"], "right", 18),
        Column(words["unit"], "left", 10),
        Column(words["price"], "right", 14),
        Column(words["amount"], "right", 18),
    ]
    rows = [_line(statement, key, row, words, language) for key, row in part.ordered_lines]
    total = money(part.amount_micros, currency=statement.currency)
    rows.append(Row([words["usage-total"].format(kwh=kwh(part.usage_milliwh)), "", "", "", total], is_strong=True))
    return Table(words["supply"].format(supply=part.supply), columns, rows)


def _line(statement: Statement, key: LineKey, row: LineSum, words: Words, language: str) -> Row:
    name = component_name(key.component, language=language)
    if key.is_at_payment:
        name = words["at-payment"].format(component=name)
    if key.is_correction:
        name = words["correction-line"].format(component=name)
    if key.time_of_use:
        name += f" · {key.time_of_use}"
    if key.block:
        name += " · " + words["block"].format(block=key.block)
    quantity = "" if key.is_correction else f"{row.quantity.normalize():,f}"
    unit = unit_name(key.unit, language=language)
    return Row([name, quantity, unit, key.price, money(row.amount_micros, currency=statement.currency)])


def _taxes(statement: Statement, words: Words, language: str) -> Table:
    columns = [
        Column(words["component"], "left", 40),
        *(Column(words[name], "right", 20) for name in ("at-supply", "due-at-payment", "released")),
    ]
    rows = []
    for tax in statement.taxes:
        amounts = (tax.at_supply_micros, tax.at_payment_micros, tax.released_micros)
        shown = [money(amount, currency=statement.currency) for amount in amounts]
        rows.append(Row([component_name(tax.component, language=language), *shown]))
    return Table(words["taxes"], columns, rows)


def _money(statement: Statement, words: Words, language: str) -> Table:
    columns = [
        Column(words["time"], "left", 18),
        Column(words["item"], "left", 28),
        Column(words["channel"], "left", 14),
        Column(words["event"], "right", 10),
        Column(words["balance"], "right", 15),
        Column(words["debt"], "right", 15),
    ]
    rows = []
    for row in statement.money:
        balance, debt, _ = _standing(statement, row.change)
        name = kind_name(row.kind, words)
        when = moment(row.at, zone=statement.zone)
        rows.append(Row([when, name, channel_name(row.channel, language=language), str(row.position), balance, debt]))
    return Table(words["money"], columns, rows)
