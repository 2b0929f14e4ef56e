"""Connections to the ledger that notice when the other side is gone, instead of waiting for it for hours."""

import os
import socket
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Over TCP a server that vanished is noticed in half a minute; what the URL says goes first. Milliseconds and seconds.
_PATIENCE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
# Of ten megabytes that a batch may have the default takes 0.2 at a time. The system may allow less than is asked for.
_SEND_BUFFER_BYTES = 4 * 2**20
# An office held by a process that does nothing (stopped, or its machine gone) is free again after this long.
_OFFICE_IDLE_S = 15


def connected(url: str, *, name: str) -> Connection[Any]:
    """Open a connection in autocommit mode, shown under `name` in pg_stat_activity."""
    given = {key: value for key, value in conninfo_to_dict(url).items() if value is not None}
    connection = psycopg.connect(
        make_conninfo("", **{**_PATIENCE, **given}), autocommit=True, application_name=f"wattledger {name}"
    )
    _widen(connection)
    return connection


def _widen(connection: Connection[Any]) -> None:
    """Let a Unix socket take most of a batch at once; a TCP connection's buffer grows by itself."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        if same.family == socket.AF_UNIX:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)


def connected_for_office(url: str, *, name: str) -> Connection[Any]:
    """Open a connection that holds an advisory lock: the server ends it when its process falls silent."""
    connection = connected(url, name=name)
    for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
        connection.execute("SELECT set_config(%s, %s, false)", (setting, f"{_OFFICE_IDLE_S}s"))
    return connection
