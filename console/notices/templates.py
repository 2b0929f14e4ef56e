"""What people are told, in English and Chinese: a title and a sentence per kind, with figures in braces."""

from console.notices.kinds import Notice
from console.papers.paper import moment, money

TEMPLATES: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "low-balance": ("Low balance", "Account {account}: {balance} left (warning level {level}). Please top up."),
        "emergency": ("Emergency credit in use", "Account {account} uses emergency credit, up to {limit}."),
        "cut-ahead": ("Power will be switched off", "{supply} will be switched off after {until} without a top-up."),
        "cut-done": ("Power is off", "{supply} was switched off. Top account {account} up to bring it back."),
        "locked-off": ("Power is off", "{supply} was switched off: {cause}. It comes back when that is over."),
        "ready": ("Ready to reconnect", "Account {account} has credit again; {supply} may be switched on."),
        "reconnected": ("Power is on", "{supply} was switched on again."),
        "receipt": ("Top-up received", "Account {account} was topped up with {amount}. Receipt: {position}."),
        "top-up-failed": (
            "Automatic top-up failed",
            "The automatic top-up of account {account} with {amount} failed. It is tried again after {again}.",
        ),
        "top-up-given-up": (
            "Automatic top-up failed",
            "The automatic top-up of account {account} with {amount} failed and is not tried again."
            " Please top up, and check your payment method.",
        ),
        "top-up-capped": (
            "No automatic top-up: cap reached",
            "Account {account} was not topped up with {amount}: its cap on automatic top-ups is reached.",
        ),
        "tariff-change": ("Prices change", "Tariff {tariff} of account {account} changes from {from}."),
    },
    "zh": {
        "low-balance": ("余额不足", "账户 {account} 余额 {balance}（第 {level} 级提醒），请及时充值。"),
        "emergency": ("正在使用应急额度", "账户 {account} 正在使用应急额度，上限 {limit}。"),
        "cut-ahead": ("即将断电", "如未充值，用电点 {supply} 将在 {until} 之后断电。"),
        "cut-done": ("已断电", "用电点 {supply} 已断电，请为账户 {account} 充值以恢复供电。"),
        "locked-off": ("已断电", "用电点 {supply} 已断电（{cause}），解除后恢复供电。"),
        "ready": ("可以恢复供电", "账户 {account} 已有余额，用电点 {supply} 可以合闸。"),
        "reconnected": ("已恢复供电", "用电点 {supply} 已恢复供电。"),
        "receipt": ("充值成功", "账户 {account} 已充值 {amount}，收据号 {position}。"),
        "top-up-failed": ("自动充值失败", "账户 {account} 自动充值 {amount} 失败，将在 {again} 之后重试。"),
        "top-up-given-up": (
            "自动充值失败",
            "账户 {account} 自动充值 {amount} 失败，不再重试。请自行充值，并检查付款方式。",
        ),
        "top-up-capped": ("未自动充值：已达上限", "账户 {account} 未自动充值 {amount}：自动充值已达上限。"),
        "tariff-change": ("电价调整", "账户 {account} 的电价 {tariff} 自 {from} 起调整。"),
    },
}

CAUSES: dict[str, dict[str, str]] = {
    "en": {
        "over-power": "more power was drawn than is allowed",
        "safety": "for safety",
        "maintenance": "maintenance",
        "tamper": "the meter has to be inspected",
        "vacancy": "nobody is registered there",
        "operator": "the operator did so",
        "timetable": "its timetable says so",
    },
    "zh": {
        "over-power": "用电功率超限",
        "safety": "安全原因",
        "maintenance": "检修",
        "tamper": "电表需要检查",
        "vacancy": "无人登记入住",
        "operator": "由管理方操作",
        "timetable": "按时间表断电",
    },
}


def worded(
    notice: Notice, *, account: str, position: int, language: str, currency: str, zone: str
) -> tuple[str, str]:
    """Return a message's title and text: amounts to the currency's coin, moments in a zone."""
    title, text = TEMPLATES[language][notice.kind]
    values = {
        "account": account,
        "supply": notice.supply,
        "tariff": notice.tariff,
        "position": str(position),
        "cause": CAUSES[language].get(notice.cause, notice.cause),
    }
    values |= {
        name: f"{money(amount, currency=currency)} {currency}".rstrip() for name, amount in notice.amounts.items()
    }
    values |= {name: f"{moment(instant, zone=zone)} ({zone})" for name, instant in notice.moments.items()}
    return title, text.format(**values | notice.words)
