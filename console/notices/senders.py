"""Sending through apprise: how each channel is reached comes from the environment, secrets included."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import apprise

from ledger.values.errors import InvalidValue

SETTINGS = {
    "email": "WATTLEDGER_NOTIFY_EMAIL",
    "sms": "WATTLEDGER_NOTIFY_SMS",
    "chat": "WATTLEDGER_NOTIFY_CHAT",
}
# Where each channel's address lies among an account's personal data.
ADDRESSES = {"email": "email", "sms": "phone", "chat": "chat", "webhook": "webhook"}


@dataclass(frozen=True, slots=True)
class Senders:
    """Apprise URLs by channel, with `{to}` in the place of the address; a webhook's address is its own URL."""

    urls: Mapping[str, str]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Senders":
        """Read the URLs; raises InvalidValue for one without `{to}`, and does not show it: it holds a secret."""
        urls = {"webhook": "{to}"}
        for channel, name in SETTINGS.items():
            url = environ.get(name, "")
            if url and "{to}" not in url:
                raise InvalidValue(
                    f"{name} has no {{to}} for the address; write mailto://user:password@host?to={{to}}"
                )
            if url:
                urls[channel] = url
        return cls(urls)

    def channels_of(self, details: Mapping[str, str]) -> list[str]:
        """Return the channels by which a person can and wants to be told."""
        wanted = [one for one in details.get("channels", "").split(",") if one] or list(ADDRESSES)
        return [one for one in wanted if one in self.urls and details.get(ADDRESSES[one])]

    def send(self, channel: str, *, to: str, title: str, text: str) -> bool:
        """Send a message; tell whether it was taken."""
        address = to if channel == "webhook" else quote(to, safe="@+")
        sender = apprise.Apprise()
        if not sender.add(self.urls[channel].replace("{to}", address)):
            return False
        return bool(sender.notify(body=text, title=title))
