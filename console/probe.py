"""Asking a role over HTTP whether it is well."""

import http.client
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Probe:
    """What a role said of itself."""

    is_well: bool
    text: str


def probed(*, host: str, port: int, timeout_s: float = 2.0) -> Probe:
    """Fetch /health: well is status 200, anything else (and nobody there) is not."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        text = response.read(4096).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return Probe(is_well=False, text=f"no answer from {host}:{port}: {error}")
    finally:
        connection.close()
    return Probe(is_well=response.status == 200, text=text or f"status {response.status}")
