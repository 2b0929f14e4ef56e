"""The sandbox beside a stack: where it is, and what the stack's processes are told of it."""

import secrets

from console.embedded.ports import LOOPBACK, free_port
from console.stack import Stack

PROVIDER = "sandbox"
SIGNED_WITH = "WATTLEDGER_WEBHOOK_SECRETS_SANDBOX"
CHARGE_URL = "WATTLEDGER_CHARGE_URL_SANDBOX"


def provider_settings() -> dict[str, str]:
    """Return the settings of a sandbox at a free port, with a secret of this run: those of a payment provider."""
    return {SIGNED_WITH: secrets.token_hex(32), CHARGE_URL: f"http://{LOOPBACK}:{free_port()}/charges"}


def start_sandbox(stack: Stack) -> None:
    """Start the sandbox that the stack's settings name; `serve` has to be started."""
    providers = stack.settings.providers
    port = providers[CHARGE_URL].removesuffix("/charges").rpartition(":")[2]
    stack.start_role(
        "sandbox-provider",
        extra={
            SIGNED_WITH: providers[SIGNED_WITH],
            "WATTLEDGER_SANDBOX_PORT": port,
            "WATTLEDGER_SANDBOX_WEBHOOK_URL": f"http://{LOOPBACK}:{stack.health_ports['serve']}/v1/webhooks/{PROVIDER}",
        },
    )
