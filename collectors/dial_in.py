"""Terminals that dial in: many on one port, each known by its registration packet, alive by its heartbeats.

A GPRS or 4G terminal has no address of its own, so it comes to us, says who it is in a packet of its maker's
fashion, sends a heartbeat now and then, and between those passes RTU frames through.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from collectors.channel import Channel
from collectors.errors import CollectorError
from collectors.tls import Tls

log = structlog.get_logger(__name__)

# A registration is a few dozen bytes; more without one is not a terminal.
_REGISTRATION_MAX_BYTES = 512
_WATCH_S = 1.0
# Heartbeats that nobody asked for pile up between two sweeps; no RTU frame is longer than the rest kept.
_UNREAD_MAX_BYTES, _KEPT_BYTES = 4096, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerPlan:
    """One port for terminals, as the site file tells it.

    `registration` is matched against the first bytes, one character a byte (latin-1); its group `id` names the
    terminal. `heartbeat_timeout_s` is how long a terminal may send nothing at all. Durations in seconds.
    """

    id: str
    host: str
    port: int
    registration: re.Pattern[str]
    registration_timeout_s: float
    registration_reply: bytes
    heartbeat_timeout_s: float
    terminals_max: int
    tls: Tls | None = None


class DialIn:
    """One listening port and the terminals that are on it now."""

    def __init__(
        self,
        *,
        plan: ListenerPlan,
        terminals: frozenset[str],
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`terminals` are those that the site knows; `refused` is told why each caller was sent away."""
        self._plan = plan
        self._known = terminals
        self._tls = plan.tls.context(server=True) if plan.tls else None
        self._refused = refused
        self._here: dict[str, Channel] = {}
        self._callers: set[_Caller] = set()
        self._server: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def place(self) -> str:
        """Where it listens, for messages."""
        return f"{self._plan.id} ({self._plan.host}:{self.port})"

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._plan.port

    @property
    def terminals_here(self) -> tuple[str, ...]:
        """The terminals that are connected now."""
        return tuple(sorted(name for name, channel in self._here.items() if not channel.closed))

    @property
    def all_here(self) -> bool:
        """Whether every terminal that the site knows is connected now."""
        return self._known <= set(self.terminals_here)

    def know(self, terminals: frozenset[str]) -> None:
        """Take in other terminals from now on; those that are no longer known are hung up on."""
        self._known = terminals
        for name, channel in self._here.items():
            if name not in terminals:
                channel.close()

    async def start(self) -> None:
        """Begin to listen; raises CollectorError where the port is taken."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self.caller, self._plan.host, self._plan.port, ssl=self._tls)
        except OSError as error:
            raise CollectorError(
                f"listener {self._plan.id}: cannot listen on {self._plan.host}:{self._plan.port}: {error}; "
                "free it or change the site"
            ) from None
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        for caller in [*self._callers, *self._here.values()]:
            caller.close()
        if self._server is not None:
            self._server.close()

    def caller(self) -> Channel:
        """Make the protocol for one connection from outside."""
        return _Caller(self)

    def channel_of(self, terminal: str) -> Channel:
        """Return a terminal's newest connection; raises CollectorError where it has not dialled in."""
        channel = self._here.get(terminal)
        if channel is None or channel.closed:
            raise CollectorError(f"terminal {terminal} has not dialled in to {self.place}")
        return channel

    def _came(self, caller: "_Caller") -> None:
        if len(self._callers) + len(self.terminals_here) >= self._plan.terminals_max:
            self._send_away(caller, "too-many", f"more than {self._plan.terminals_max} connections")
            return
        self._callers.add(caller)

    def _said(self, caller: "_Caller") -> None:
        """Look at what an unknown caller has sent so far."""
        text = caller.buffer.decode("latin-1")
        found = self._plan.registration.match(text)
        if found is None:
            if len(caller.buffer) > _REGISTRATION_MAX_BYTES:
                self._send_away(caller, "no-registration", "many bytes and no registration")
            return
        terminal = found.group("id").strip()
        if terminal not in self._known and found.end() == len(text):
            return  # Perhaps the rest of its name is still on the way; if not, the time to register runs out.
        if terminal not in self._known:
            self._send_away(caller, "unknown-terminal", f"{terminal!r} is not in the site file")
            return
        del caller.buffer[: found.end()]
        self._register(caller, terminal)

    def _register(self, caller: "_Caller", terminal: str) -> None:
        before = self._here.get(terminal)
        if before is not None and not before.closed:
            # A terminal that lost its radio link comes again long before its old connection is seen to be dead.
            log.info("terminal came again", terminal=terminal, listener=self._plan.id)
            before.close()
        self._callers.discard(caller)
        caller.terminal = terminal
        self._here[terminal] = caller
        if self._plan.registration_reply:
            caller.send(self._plan.registration_reply)
        log.info("terminal registered", terminal=terminal, listener=self._plan.id, peer=caller.peer)

    def _send_away(self, caller: "_Caller", reason: str, detail: str) -> None:
        self._callers.discard(caller)
        self._refused(reason)
        log.warning("caller refused", listener=self._plan.id, peer=caller.peer, reason=reason, detail=detail)
        caller.close()

    async def _watch(self) -> None:
        """Hang up on callers that do not say who they are, and on terminals that fell silent."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(
                min(_WATCH_S, self._plan.registration_timeout_s / 2, self._plan.heartbeat_timeout_s / 2)
            )
            for caller in [*self._callers]:
                if clock() - caller.came_s > self._plan.registration_timeout_s:
                    self._send_away(caller, "no-registration", "did not say who it is in time")
            for terminal, channel in [*self._here.items()]:
                if channel.closed:
                    del self._here[terminal]
                elif clock() - channel.heard_s > self._plan.heartbeat_timeout_s:
                    log.warning("terminal silent", terminal=terminal, listener=self._plan.id)
                    channel.close()
                    del self._here[terminal]


@dataclass(eq=False)
class _Caller(Channel):
    """A connection from outside: nobody until it has registered."""

    listener: DialIn
    terminal: str = ""
    came_s: float = field(default=0.0)

    def __post_init__(self) -> None:
        Channel.__init__(self)
        self.came_s = self.heard_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it among those that have not said who they are (asyncio's)."""
        super().connection_made(transport)
        self.listener._came(self)

    def data_received(self, data: bytes) -> None:
        """Take in a registration, and after it what every line carries (asyncio's)."""
        super().data_received(data)
        if not self.terminal and not self.closed:
            self.listener._said(self)
        elif len(self.buffer) > _UNREAD_MAX_BYTES:
            del self.buffer[:-_KEPT_BYTES]

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it (asyncio's)."""
        super().connection_lost(exc)
        self.listener._callers.discard(self)
