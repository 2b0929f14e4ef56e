"""Relay orders at the edge: signed by the ledger, for a meter that is here, in time, and newer than the last."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.order_memory import OrderMemory
from collectors.relay import RelayLane
from collectors.site import Site
from collectors.spool import Spool
from collectors.verify import OrderDesk
from ledger import wire
from ledger.values.signing import OrderSigner, OrderVerifier, new_signing_key_hex
from tests.collectors.builders import SIGNER, a_site, an_order, answer_to, serial_of, stub_concentrator


@dataclass(slots=True)
class StubRelay:
    """A meter whose relay obeys, or does not; every control word written is kept."""

    open: bool = False
    jammed: bool = False
    silent: bool = False
    writes: int = 0

    async def answer(self, request: bytes) -> bytes | None:
        if self.silent:
            return None
        if request[7] == 0x10:
            self.writes += 1
            if not self.jammed:
                self.open = request[13:17] == b"\x00\x01\x00\x01"
            return answer_to(request, "10 0057 0002")
        return answer_to(request, "03 02 0001" if self.open else "03 02 0000")


@dataclass(slots=True)
class Edge:
    """A relay lane on a stub meter, restartable on the same spool."""

    lane: RelayLane
    spool: Spool
    relay: StubRelay

    async def obey(self, order: wire.RelayCommand) -> list[wire.RelayResult]:
        """Take an order and return the results that it brought."""
        before = len(self.results())
        await self.lane.take(order)
        await self.lane.settled()
        return self.results()[before:]

    def results(self) -> list[wire.RelayResult]:
        return [wire.decode_result(kept.message) for kept in self.spool.results_kept(limit=1000)]


@asynccontextmanager
async def _edge(
    directory: Path, relay: StubRelay, *, now: Callable[[], datetime] | None = None
) -> AsyncIterator[Edge]:
    async with stub_concentrator(relay.answer) as (port, _):
        site = a_site(directory, ports=[port])
        spool = Spool(directory / "spool")
        lane = _lane(site, spool, port, now or (lambda: datetime.now(UTC)))
        try:
            yield Edge(lane, spool, relay)
        finally:
            await lane.stop()
            lane.buses["C1"].close()
            spool.close()


def _lane(site: Site, spool: Spool, port: int, now: Callable[[], datetime]) -> RelayLane:
    memory = OrderMemory(spool)
    return RelayLane(
        desk=OrderDesk(
            verifier=OrderVerifier(SIGNER.public_key_hex), memory=memory, concentrators=site.concentrators
        ),
        memory=memory,
        buses={"C1": Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=0.1)},
        timeout_s=0.8,
        metrics=CollectorMetrics(),
        results_wake=asyncio.Event(),
        now=now,
    )


def _scene(directory: Path, play: Callable[[Edge], Awaitable[None]], relay: StubRelay | None = None) -> None:
    async def scene() -> None:
        async with _edge(directory, relay or StubRelay()) as edge:
            await play(edge)

    asyncio.run(scene())


def test_an_order_is_confirmed_by_what_was_read(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        order = an_order("open")
        (result,) = await edge.obey(order)
        assert (result.order, result.supply, result.meter) == (order.order, "S1", serial_of(1))
        assert (result.outcome, result.readback) == ("confirmed", "open")
        assert edge.relay.open

    _scene(tmp_path, play)


def test_a_forged_order_switches_nothing(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        forged = an_order("open", signer=OrderSigner(new_signing_key_hex()))
        altered = msgspec.structs.replace(an_order("close"), action="open")
        unsigned = msgspec.structs.replace(an_order("open"), signature="")
        for order in (forged, altered, unsigned):
            (result,) = await edge.obey(order)
            assert (result.outcome, result.readback) == ("refused", "unknown")
            assert result.detail.startswith("signature:")
        assert edge.relay.writes == 0
        # Nor does a forged order with a high sequence keep the ledger's own from being obeyed.
        (result,) = await edge.obey(an_order("open", sequence=1))
        assert result.outcome == "confirmed"

    _scene(tmp_path, play)


@pytest.mark.parametrize("elsewhere", [{"meter": serial_of(9)}, {"supply": 9, "meter": serial_of(1)}])
def test_an_order_for_a_meter_that_is_not_here_is_refused(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    async def play(edge: Edge) -> None:
        (result,) = await edge.obey(an_order("open", **elsewhere))  # type: ignore[arg-type]
        assert result.outcome == "refused"
        assert result.detail.startswith("place:")
        assert edge.relay.writes == 0

    _scene(tmp_path, play)


def test_an_order_for_another_collectors_concentrator_is_none_of_ours(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        assert await edge.obey(an_order("open", concentrator="C7")) == []
        assert edge.relay.writes == 0

    _scene(tmp_path, play)


def test_an_expired_order_switches_nothing(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        order = an_order("open", issued_at=datetime.now(UTC) - timedelta(minutes=5), lifetime_s=60)
        (result,) = await edge.obey(order)
        assert result.outcome == "expired"
        assert edge.relay.writes == 0

    _scene(tmp_path, play)


def test_a_lower_sequence_is_superseded_even_after_a_restart(tmp_path: Path) -> None:
    older = an_order("open", sequence=4)

    async def first(edge: Edge) -> None:
        (result,) = await edge.obey(an_order("close", sequence=5))
        assert result.outcome == "confirmed"

    async def after_restart(edge: Edge) -> None:
        (result,) = await edge.obey(older)
        assert (result.order, result.outcome) == (older.order, "superseded")
        assert not edge.relay.open
        assert edge.relay.writes == 0

    _scene(tmp_path, first)
    _scene(tmp_path, after_restart)


def test_another_order_with_the_same_sequence_is_superseded(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        await edge.obey(an_order("close", sequence=5))
        writes = edge.relay.writes
        (result,) = await edge.obey(an_order("open", sequence=5))
        assert result.outcome == "superseded"
        assert edge.relay.writes == writes

    _scene(tmp_path, play)


def test_an_interrupted_order_that_a_newer_one_has_overtaken_is_superseded(tmp_path: Path) -> None:
    older = an_order("open", sequence=1, lifetime_s=0.4)

    async def interrupted(edge: Edge) -> None:
        await edge.lane.take(older)
        await edge.lane.stop()

    async def again(edge: Edge) -> None:
        await edge.obey(an_order("open", sequence=2))
        await asyncio.sleep(0.4)
        (result,) = await edge.obey(older)
        assert (result.order, result.outcome) == (older.order, "superseded")

    _scene(tmp_path, interrupted, StubRelay(silent=True))
    _scene(tmp_path, again)


def test_an_expired_order_still_supersedes_the_older_ones(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        await edge.obey(an_order("close", sequence=5, issued_at=datetime.now(UTC) - timedelta(hours=1)))
        (result,) = await edge.obey(an_order("open", sequence=4))
        assert result.outcome == "superseded"

    _scene(tmp_path, play)


def test_a_repeated_order_is_answered_again_with_its_result_and_switches_nothing(tmp_path: Path) -> None:
    order = an_order("open", sequence=3)

    async def first(edge: Edge) -> None:
        await edge.obey(order)
        await edge.obey(an_order("close", sequence=4))

    async def repeated(edge: Edge) -> None:
        (result,) = await edge.obey(order)
        assert (result.order, result.outcome, result.readback) == (order.order, "confirmed", "open")
        assert edge.relay.writes == 0

    _scene(tmp_path, first)
    _scene(tmp_path, repeated)


def test_a_relay_that_does_not_move_is_a_failure_with_the_state_that_was_read(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        (result,) = await edge.obey(an_order("open"))
        assert (result.outcome, result.readback) == ("failed", "closed")
        assert "the relay reads closed (word 0000)" in result.detail
        assert edge.relay.writes > 1

    _scene(tmp_path, play, StubRelay(jammed=True))


def test_a_meter_that_cannot_be_read_back_is_never_confirmed(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        (result,) = await edge.obey(an_order("open"))
        assert (result.outcome, result.readback) == ("failed", "unknown")
        assert "read-back failed" in result.detail

    _scene(tmp_path, play, StubRelay(silent=True))


def test_a_newer_order_ends_the_older_ones_attempts(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        older, newer = an_order("open", sequence=1), an_order("close", sequence=2)
        await edge.lane.take(older)
        await edge.lane.take(newer)
        await edge.lane.settled()
        outcomes = {result.order: result.outcome for result in edge.results()}
        assert outcomes == {older.order: "superseded", newer.order: "confirmed"}
        assert not edge.relay.open

    _scene(tmp_path, play, StubRelay(jammed=True))


def test_an_order_interrupted_by_a_restart_is_carried_out_when_it_is_sent_again(tmp_path: Path) -> None:
    order = an_order("open")

    async def interrupted(edge: Edge) -> None:
        await edge.lane.take(order)
        await edge.lane.stop()
        assert edge.results() == []

    async def again(edge: Edge) -> None:
        (result,) = await edge.obey(order)
        assert (result.outcome, result.readback) == ("confirmed", "open")

    _scene(tmp_path, interrupted, StubRelay(silent=True))
    _scene(tmp_path, again)


@pytest.mark.parametrize(("was_switched", "outcome"), [(True, "confirmed"), (False, "expired")])
def test_an_interrupted_order_that_expired_meanwhile_is_answered_by_what_the_meter_shows(
    tmp_path: Path, was_switched: bool, outcome: str
) -> None:
    order = an_order("open", lifetime_s=0.5)

    async def interrupted(edge: Edge) -> None:
        await edge.lane.take(order)
        await edge.lane.stop()

    async def again(edge: Edge) -> None:
        await asyncio.sleep(0.5)
        (result,) = await edge.obey(order)
        assert (result.outcome, result.readback) == (outcome, "open" if was_switched else "closed")
        assert edge.relay.writes == 0

    _scene(tmp_path, interrupted, StubRelay(silent=True))
    _scene(tmp_path, again, StubRelay(open=was_switched))


def test_a_collector_whose_clock_is_behind_refuses_to_cut_but_may_restore(tmp_path: Path) -> None:
    async def scene() -> None:
        behind = datetime.now(UTC) - timedelta(hours=1)
        relay = StubRelay(open=True)
        async with _edge(tmp_path, relay, now=lambda: behind) as edge:
            (cut,) = await edge.obey(an_order("open", sequence=1))
            assert cut.outcome == "refused"
            assert cut.detail.startswith(f"clock: {behind.isoformat()} at the edge")
            assert "differ by 3600 s" in cut.detail
            assert "check both" in cut.detail
            (restored,) = await edge.obey(an_order("close", sequence=2))
            assert (restored.outcome, restored.readback) == ("confirmed", "closed")

    asyncio.run(scene())


def test_the_newest_signed_time_is_remembered_across_restarts(tmp_path: Path) -> None:
    signed = datetime.now(UTC) + timedelta(minutes=10)

    async def ahead(edge: Edge) -> None:
        await edge.obey(an_order("close", sequence=1, issued_at=signed))

    async def after_restart(edge: Edge) -> None:
        (result,) = await edge.obey(an_order("open", sequence=2))
        assert result.outcome == "refused"
        assert signed.isoformat() in result.detail
        assert edge.relay.writes == 0

    _scene(tmp_path, ahead)
    _scene(tmp_path, after_restart)


def test_a_result_is_kept_until_the_broker_has_it(tmp_path: Path) -> None:
    async def first(edge: Edge) -> None:
        await edge.obey(an_order("open"))

    async def after_restart(edge: Edge) -> None:
        assert [result.outcome for result in edge.results()] == ["confirmed"]

    _scene(tmp_path, first)
    _scene(tmp_path, after_restart)


def test_an_order_from_before_the_memory_of_orders_began_is_refused(tmp_path: Path) -> None:
    """The memory went with a damaged spool: the order may have been obeyed, and newer ones since."""

    async def play(edge: Edge) -> None:
        (result,) = await edge.obey(an_order("open", issued_at=datetime.now(UTC) - timedelta(seconds=30)))
        assert result.outcome == "refused"
        assert result.detail.startswith("memory: signed at")
        assert edge.relay.writes == 0
        (result,) = await edge.obey(an_order("open", sequence=2))
        assert result.outcome == "confirmed"

    _scene(tmp_path, play)


def test_a_protected_supply_is_not_cut_for_credit_but_may_be_for_safety(tmp_path: Path) -> None:
    async def play(edge: Edge) -> None:
        desk = edge.lane.desk
        (concentrator,) = desk.concentrators
        meters = tuple(dataclasses.replace(meter, protected=True) for meter in concentrator.meters)
        desk.concentrators = (dataclasses.replace(concentrator, meters=meters),)
        cut = SIGNER.signed(msgspec.structs.replace(an_order("open", sequence=1), reason="no-credit"))
        (result,) = await edge.obey(cut)
        assert result.outcome == "refused"
        assert result.detail.startswith("protected: S1 is never cut for credit")
        assert edge.relay.writes == 0
        safe = SIGNER.signed(msgspec.structs.replace(an_order("open", sequence=2), reason="locked-safety"))
        (result,) = await edge.obey(safe)
        assert result.outcome == "confirmed"

    _scene(tmp_path, play)
