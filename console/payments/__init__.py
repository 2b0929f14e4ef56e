"""Online payments: what providers tell by webhooks, kept and booked; `port` is what a provider is."""
