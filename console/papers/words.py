"""The words of statements and receipts, in English and Chinese; the tests hold every language to the same keys."""

from ledger.values.errors import InvalidValue

LANGUAGES = ("en", "zh")
Words = dict[str, str]

_EN: Words = {
    "statement": "Electricity statement",
    "receipt": "Top-up receipt",
    "receipt-number": "Receipt no.",
    "account": "Account",
    "site": "Site",
    "month": "Month",
    "currency": "Currency",
    "ledger": "Ledger",
    "position": "up to position {position}",
    "final": "The month is closed: nothing can change this statement.",
    "open": "The month is still open: this statement is provisional.",
    "summary": "Balance",
    "balance": "Balance",
    "debt": "Debt",
    "accrued": "Accrued charges",
    "opening": "Opening balance",
    "closing-balance": "Closing balance",
    "rounding": "Rounding of the figures above",
    "number": "Number",
    "item": "Item",
    "amount": "Amount",
    "supply": "Supply point {supply}",
    "meter": "Meter",
    "multiplier": "Multiplier",
    "opening-register": "Opening kWh",
    "closing-register": "Closing kWh",
    "from": "From",
    "until": "Until",
    "registers": "Registers of {supply}",
    "component": "Component",
    "quantity": "Quantity",
    "unit": "Unit",
    "price": "Price",
    "usage-total": "Total of {kwh} kWh",
    "correction-line": "{component} (corrections)",
    "block": "block {block}",
    "at-payment": "{component} (paid with top-ups)",
    "taxes": "Taxes and levies",
    "at-supply": "At supply",
    "due-at-payment": "At payment",
    "released": "Used up of it",
    "money": "Top-ups and other movements of money",
    "time": "Time",
    "channel": "Channel",
    "event": "Event",
    "proof": "Proof",
    "sealed": "Event {position} is under seal {seal} of {time}, root {root}.",
    "how-checked": "The JSON form of this page holds the proof; “wattledger audit check-proof” checks it offline.",
    "unsealed": "Event {position} is not under a seal yet (that takes seconds); ask again for the proof.",
    "carry-forward": "Carry-forward: {micros} micro-units ({exact} {currency} exactly).",
    "page": "page {page} of {pages}",
    "paid": "Paid",
    "applied": "How it was applied",
    "below-threshold": "Credit used beyond the limit",
    "emergency": "Emergency credit paid back",
    "to-balance": "To the balance",
    "balance-after": "Balance after",
    "buys": "What it buys",
    "tariff": "Tariff",
    "energy": "Energy kWh",
    "change": "Change",
    "days-left": "Lasts about",
    "days": "{days} days at the pace of the last 30 days",
    "undone": "This top-up was taken away again: {how}.",
    "tax-due": "Tax due with the payment: {component}",
    "top-up": "Top-up",
    "reversal": "Top-up reversed",
    "chargeback": "Top-up charged back",
    "transfer": "Top-up moved to another account",
    "refund": "Refund",
    "adjustment": "Adjustment",
    "given-back": "Charges given back",
    "write-off": "Written off",
    "debt-payment": "Debt paid",
    "debt-agreed": "Debt agreed",
    "instalment": "Instalment on debt",
    "accrued-kind": "Charges set aside while off",
    "closing": "Account closed",
    "usage": "Electricity used",
    "time-charge": "Daily charges",
    "minimum": "Minimum charge",
    "correction": "Corrections of usage",
}
_ZH: Words = {
    "statement": "电费账单",
    "receipt": "充值收据",
    "receipt-number": "收据编号",
    "account": "账户",
    "site": "站点",
    "month": "月份",
    "currency": "币种",
    "ledger": "账本",
    "position": "截至第 {position} 号事件",
    "final": "本月已结账，账单不会再有变动。",
    "open": "本月尚未结账，本账单为暂定。",
    "summary": "余额",
    "balance": "余额",
    "debt": "欠款",
    "accrued": "应计费用",
    "opening": "期初余额",
    "closing-balance": "期末余额",
    "rounding": "以上金额的舍入差",
    "number": "笔数",
    "item": "项目",
    "amount": "金额",
    "supply": "用电点 {supply}",
    "meter": "电表",
    "multiplier": "倍率",
    "opening-register": "起始示数 kWh",
    "closing-register": "截止示数 kWh",
    "from": "开始",
    "until": "结束",
    "registers": "用电点 {supply} 的示数",
    "component": "费用项",
    "quantity": "数量",
    "unit": "单位",
    "price": "单价",
    "usage-total": "合计 {kwh} kWh",
    "correction-line": "{component}（更正）",
    "block": "第 {block} 档",
    "at-payment": "{component}（充值时已缴）",
    "taxes": "税费",
    "at-supply": "供电时",
    "due-at-payment": "充值时",
    "released": "其中已使用",
    "money": "充值及其他资金变动",
    "time": "时间",
    "channel": "渠道",
    "event": "事件",
    "proof": "证明",
    "sealed": "第 {position} 号事件已由 {time} 的第 {seal} 号封印覆盖，根为 {root}。",
    "how-checked": "本页的 JSON 形式含有证明，可用 “wattledger audit check-proof” 离线核验。",
    "unsealed": "第 {position} 号事件尚未封印（需数秒），请稍后再取证明。",
    "carry-forward": "结转：{micros} 微单位（精确值 {exact} {currency}）。",
    "page": "第 {page} 页，共 {pages} 页",
    "paid": "充值金额",
    "applied": "充值的分配",
    "below-threshold": "补足超限用电",
    "emergency": "归还应急额度",
    "to-balance": "计入余额",
    "balance-after": "充值后余额",
    "buys": "可购电量",
    "tariff": "电价",
    "energy": "电量 kWh",
    "change": "零头",
    "days-left": "预计可用",
    "days": "按近 30 天用量约 {days} 天",
    "undone": "该笔充值已被撤回：{how}。",
    "tax-due": "随充值缴纳的税：{component}",
    "top-up": "充值",
    "reversal": "充值冲销",
    "chargeback": "充值拒付",
    "transfer": "充值转至其他账户",
    "refund": "退款",
    "adjustment": "调整",
    "given-back": "费用退还",
    "write-off": "核销",
    "debt-payment": "偿还欠款",
    "debt-agreed": "约定欠款",
    "instalment": "欠款分期",
    "accrued-kind": "断电期间暂记费用",
    "closing": "销户",
    "usage": "用电",
    "time-charge": "按日费用",
    "minimum": "最低消费",
    "correction": "用电更正",
}
WORDS: dict[str, Words] = {"en": _EN, "zh": _ZH}
# What tariffs and tills often call things; any other is shown by its own name.
_COMPONENTS = {
    "energy": {"en": "Energy", "zh": "电量电费"},
    "vat": {"en": "VAT", "zh": "增值税"},
    "gst": {"en": "GST", "zh": "商品及服务税"},
    "standing": {"en": "Standing charge", "zh": "基本电费"},
    "capacity": {"en": "Capacity charge", "zh": "容量电费"},
    "demand": {"en": "Demand charge", "zh": "需量电费"},
    "fixed": {"en": "Fixed charge", "zh": "固定费用"},
    "levy": {"en": "Levy", "zh": "附加费"},
    "fund": {"en": "Fund", "zh": "基金"},
    "rebate": {"en": "Rebate", "zh": "优惠"},
    "allowance": {"en": "Allowance", "zh": "补贴"},
    "minimum": {"en": "Minimum charge", "zh": "最低消费"},
}
_CHANNELS = {
    "kiosk": {"en": "Kiosk", "zh": "自助终端"},
    "agent": {"en": "Agent", "zh": "代售点"},
    "bank": {"en": "Bank", "zh": "银行"},
    "online": {"en": "Online", "zh": "在线支付"},
    "phone": {"en": "Phone", "zh": "手机"},
    "stripe": {"en": "Stripe", "zh": "Stripe"},
}
_UNITS = {
    "day": {"en": "day", "zh": "天"},
    "kW·day": {"en": "kW·day", "zh": "kW·天"},
    "entry": {"en": "entry", "zh": "次"},
    "period": {"en": "period", "zh": "期"},
    "allowance": {"en": "allowance", "zh": "补贴"},
}


def words_of(language: str) -> Words:
    """Return a language's words; raises InvalidValue for one that there is not."""
    if language not in WORDS:
        raise InvalidValue(f"language {language!r} is not known; use {' or '.join(LANGUAGES)}")
    return WORDS[language]


def component_name(component: str, *, language: str) -> str:
    """Return what a component is called in a language."""
    return _COMPONENTS.get(component, {}).get(language, component)


def channel_name(channel: str, *, language: str) -> str:
    """Return what a channel is called in a language."""
    return _CHANNELS.get(channel, {}).get(language, channel)


def unit_name(unit: str, *, language: str) -> str:
    """Return what a line is counted in."""
    return _UNITS.get(unit, {}).get(language, unit)


def kind_name(kind: str, words: Words) -> str:
    """Return what a kind of movement is called; its own name where there is no word."""
    return words.get("accrued-kind" if kind == "accrued" else kind, kind)
