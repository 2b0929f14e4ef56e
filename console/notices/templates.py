"""What people are told, in English and Chinese: a title and a sentence per kind, with figures in braces."""

TEMPLATES: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "low-balance": ("Low balance", "Account {account}: {balance} left (warning level {level}). Please top up."),
        "emergency": ("Emergency credit in use", "Account {account} uses emergency credit, up to {limit}."),
        "cut-ahead": ("Power will be switched off", "{supply} will be switched off after {until} without a top-up."),
        "cut-done": ("Power is off", "{supply} was switched off. Top account {account} up to bring it back."),
        "ready": ("Ready to reconnect", "Account {account} has credit again; {supply} may be switched on."),
        "reconnected": ("Power is on", "{supply} was switched on again."),
        "receipt": ("Top-up received", "Account {account} was topped up with {amount}. Receipt: {position}."),
        "top-up-failed": ("Automatic top-up failed", "The automatic top-up of account {account} failed."),
        "tariff-change": ("Prices change", "Tariff {tariff} of account {account} changes from {from}."),
    },
    "zh": {
        "low-balance": ("余额不足", "账户 {account} 余额 {balance}（第 {level} 级提醒），请及时充值。"),
        "emergency": ("正在使用应急额度", "账户 {account} 正在使用应急额度，上限 {limit}。"),
        "cut-ahead": ("即将断电", "如未充值，用电点 {supply} 将在 {until} 之后断电。"),
        "cut-done": ("已断电", "用电点 {supply} 已断电，请为账户 {account} 充值以恢复供电。"),
        "ready": ("可以恢复供电", "账户 {account} 已有余额，用电点 {supply} 可以合闸。"),
        "reconnected": ("已恢复供电", "用电点 {supply} 已恢复供电。"),
        "receipt": ("充值成功", "账户 {account} 已充值 {amount}，收据号 {position}。"),
        "top-up-failed": ("自动充值失败", "账户 {account} 的自动充值失败。"),
        "tariff-change": ("电价调整", "账户 {account} 的电价 {tariff} 自 {from} 起调整。"),
    },
}


def worded(kind: str, *, language: str, values: dict[str, str]) -> tuple[str, str]:
    """Return a message's title and text."""
    title, text = TEMPLATES[language][kind]
    return title, text.format(**values)
