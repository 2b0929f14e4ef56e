"""Two batches under way: one is prepared while the one before it is committed.

Pricing is Python's work and committing is PostgreSQL's, so each would otherwise wait for the other. A batch is
prepared as if the one before it, still in flight, were committed. Where that turns out wrong, the one in flight is
applied again by the applier alone, one step after the other, and what was prepared on top of it is thrown away.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psycopg
import structlog
from psycopg import Connection

from streams.applier import LOST, Applier, Moved, Prepared, Stale
from streams.message import Message

log = structlog.get_logger()

D = TypeVar("D")

# What says that the batch in flight was prepared on a wrong belief, or that its fate is not known.
_IN_VAIN = (Moved, Stale, psycopg.errors.UniqueViolation, *LOST)


class Unlanded(Exception):
    """To prepare this batch, what the one in flight writes must be read from the ledger: wait for it."""


@dataclass(frozen=True, slots=True)
class _Flight(Generic[D]):
    """A batch on its way into the ledger."""

    messages: Sequence[Message]
    prepared: Prepared[D]
    commit: "Future[None]"


class Pipeline(Generic[D]):
    """Applies batches through an applier, one ahead; used from one thread, and commits in another.

    `committed` is called with every committed draft, in order, from either thread. `failed` is called from the
    committing thread where a commit did not succeed: call `land` then, unless another batch is coming anyway.
    """

    def __init__(
        self,
        applier: Applier[D],
        *,
        connect: Callable[[], Connection[Any]],
        committed: Callable[[D], None],
        failed: Callable[[], None],
    ) -> None:
        self._applier = applier
        self._connect = connect
        self._connection: Connection[Any] | None = None
        self._committed = committed
        self._failed = failed
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._flight: _Flight[D] | None = None

    def apply(self, messages: Sequence[Message]) -> None:
        """Prepare a batch, wait for the one in flight, and send this one after it.

        Any error means that this process must end.
        """
        if self._applier.must_relearn:
            self.land()
        prepared = self._prepared(messages)
        if not self.land():
            self._apply_alone(messages)
        elif prepared is not None:
            self._applier.believe(prepared)
            commit = self._thread.submit(self._commit, prepared)
            self._flight = _Flight(messages, prepared, commit)
            commit.add_done_callback(self._done)

    def land(self) -> bool:
        """Wait for the batch in flight; tell whether what it was prepared on, and left behind, holds."""
        flight, self._flight = self._flight, None
        if flight is None:
            return True
        try:
            flight.commit.result()
        except LOST as error:
            self._applier.distrust(flight.prepared)
            if self._applier.was_committed(flight.prepared.target, error):
                self._committed(flight.prepared.draft)
            else:
                self._apply_alone(flight.messages)
            return False
        except _IN_VAIN as error:
            log.debug("the batch in flight is applied again", reason=str(error))
            self._applier.distrust(flight.prepared)
            self._apply_alone(flight.messages)
            return False
        self._applier.landed()
        return True

    def close(self) -> None:
        """Land, and close the connections."""
        self.land()
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
        self._applier.close()

    def _prepared(self, messages: Sequence[Message]) -> Prepared[D] | None:
        """Prepare a batch on what is believed; None where nothing is to be done, or must be done alone."""
        try:
            return self._applier.prepared(messages)
        except Unlanded:
            if self.land():
                return self._applier.prepared(messages)
            self._apply_alone(messages)
            return None
        except LOST as error:
            log.warning("the database did not answer while a batch was prepared", error=str(error))
            self.land()
            self._apply_alone(messages)
            return None

    def _apply_alone(self, messages: Sequence[Message]) -> None:
        draft = self._applier.apply(messages)
        if draft is not None:
            self._committed(draft)

    def _commit(self, prepared: Prepared[D]) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._applier.commit(self._connection, prepared)
        except LOST:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            raise
        self._committed(prepared.draft)

    def _done(self, commit: "Future[None]") -> None:
        if commit.exception() is not None:
            self._failed()
