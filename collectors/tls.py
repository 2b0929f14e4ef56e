"""TLS on the way to a gateway, and from a terminal to us."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import CollectorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Whom we trust at the other end, and how we show who we are (Modbus/TCP Security V3.6: both sides do)."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""

    def context(self, *, server: bool = False) -> ssl.SSLContext:
        """Make a context of TLS 1.2 or newer; raises CollectorError where a file cannot be used."""
        try:
            purpose = ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH
            context = ssl.create_default_context(purpose, cafile=str(self.ca))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if server:
                context.verify_mode = ssl.CERT_REQUIRED
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(file) for file in (self.ca, self.certificate, self.key) if file)
            raise CollectorError(f"TLS: {files} cannot be used: {error}") from None
        return context
