"""`latency`: reading published → balance visible, top-up → relay order published, and a top-up beside a full worker.

The first two at a steady rate of readings, the third while the worker prices what waits for it as fast as it can.
All times are of one machine's clock.
"""

import asyncio
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from benchmarks.errors import BenchmarkFailed
from benchmarks.estate import METERS_PER_SWEEP, SITE, account, concentrator, found, serial, supply
from benchmarks.load import Load, Message, publish, publisher, sent
from benchmarks.pace import paced
from benchmarks.priced_tariffs import EVERYTHING
from benchmarks.report import Report, Row
from benchmarks.stand import Stand, connected, standing
from ledger import wire
from ledger.domain.event import Event, Fact
from ledger.domain.relay import LockSet, OrderConcluded, OrderIssued
from ledger.store.application import Ledger
from ledger.store.gate import gated
from ledger.store.mapper import stored
from ledger.usecases.accounts import top_up
from ledger.values.identity import order_id, relay_stream
from projections.checkpoint import checkpoint

READINGS_PER_S = 5_000
_METERS = 10_000
_TOP_UP_EVERY_S = 0.25
_TOP_UP_BESIDE_EVERY_S = 0.05
_LOOK_EVERY_S = 0.005
_ONE_IN = 20  # of the debits that are looked at; they come in sweeps of a hundred


def measure(*, quick: bool) -> Report:
    """Measure all three."""
    seconds, waiting = (20, 200_000) if quick else (120, 1_000_000)
    return measure_of(meters=_METERS, seconds=seconds, readings_per_s=READINGS_PER_S, waiting=waiting)


def measure_of(*, meters: int, seconds: int, readings_per_s: int, waiting: int) -> Report:
    """Measure at a rate, for so many seconds, on an estate of so many meters; then with so many readings waiting."""
    report = Report("latency", f"Latencies at {readings_per_s:,} readings a second, {seconds} s")
    with standing() as stand:
        found(stand.connection, meters=meters, tariff=EVERYTHING)
        switched_off = range(meters, meters + int(seconds / _TOP_UP_EVERY_S) + 1)
        found(stand.connection, meters=switched_off.stop, tariff=EVERYTHING, first=meters, credit_micros=0)
        _lock(stand, switched_off)
        for role in ("price", "project", "control"):
            stand.launch(role)
        stand.stack.await_healthy()
        load = Load(meters)
        before = stand.head()
        readings = asyncio.run(publish(stand.stack.bootstrap, load.sweeps(1)))
        # All of them: what is left of this round would be waited for by the first that are measured.
        paced(lambda: _projected(stand), until=before + readings, check=stand.stack.supervisor.check)
        first = stand.head()
        with _watched(stand) as seen, _topping_up(stand, switched_off) as paid:
            ordered = asyncio.run(_steady(stand, load, seconds, readings_per_s))
            _wait_for_the_rest(stand)
        report.rows.append(_row("reading_to_balance", _reading_to_balance(stand, first, seen)))
        orders = [ordered[code] - began for code, (began, _) in paid.items() if code in ordered]
        report.rows.append(_row("top_up_to_order", orders))
        stand.stop("control")
        report.rows.append(
            _row("top_up_beside_a_full_worker", _beside_a_full_worker(stand, load, switched_off, waiting))
        )
    report.figures |= {f"{row.name}_p99_s": row.figures["p99_s"] for row in report.rows}
    return report


def _beside_a_full_worker(stand: Stand, load: Load, meters: range, waiting: int) -> list[float]:
    """Top up while a worker prices what waits for it; what tops up has nothing else to do meanwhile."""
    stand.stop("price")
    before = stand.head()
    readings = asyncio.run(publish(stand.stack.bootstrap, load.sweeps(max(1, waiting // load.meters))))
    # Until its first checkpoint a server makes every WAL file anew; one that has run for minutes uses its old ones.
    stand.connection.execute("CHECKPOINT")
    stand.start("price")
    check = stand.stack.supervisor.check
    paced(stand.head, until=before + readings // 10, check=check)
    with _topping_up(stand, meters, every_s=_TOP_UP_BESIDE_EVERY_S) as paid:
        paced(stand.head, until=before + readings * 9 // 10, check=check)
    return [end - begin for begin, end in paid.values()]


def _lock(stand: Stand, meters: range) -> None:
    """Have supplies cut for credit, as control and the edge do it: a top-up makes control order them on."""
    now, head = datetime.now(UTC), stand.head()
    events = []
    for meter in meters:
        code = supply(meter)
        about: dict[str, Any] = {
            "supply": code,
            "account": account(meter),
            "balance_micros": 0,
            "ledger_position": head,
        }
        order = order_id(supply=code, sequence=2)
        told: tuple[Fact, ...] = (
            LockSet(cause="credit", site=SITE, recorded_at=now, **about),
            OrderIssued(
                order=order,
                sequence=2,
                action="open",
                reason="no-credit",
                concentrator=concentrator(meter // METERS_PER_SWEEP),
                meter=serial(meter),
                issued_at=now,
                expires_at=now,
                signature="",
                recorded_at=now,
                **about,
            ),
            OrderConcluded(
                supply=code,
                order=order,
                sequence=2,
                outcome="confirmed",
                readback="open",
                concluded_at=now,
                recorded_at=now,
            ),
        )
        events += [Event(relay_stream(code), version, fact) for version, fact in enumerate(told, 1)]
    with gated(stand.connection) as gate:
        gate.append([stored(event) for event in events])


@contextmanager
def _watched(stand: Stand) -> Iterator[list[tuple[int, float]]]:
    """Look all the time how far the balances are: positions and when each was seen first."""
    seen: list[tuple[int, float]] = []
    stop = threading.Event()

    def look() -> None:
        with connected(stand.url) as connection:
            while not stop.wait(_LOOK_EVERY_S):
                row = connection.execute(
                    "SELECT position FROM projections.tracking WHERE name = 'balances'"
                ).fetchone()
                if row is not None and (not seen or row[0] > seen[-1][0]):
                    seen.append((row[0], time.time()))

    with _running(look, stop):
        yield seen


@contextmanager
def _topping_up(
    stand: Stand, meters: range, *, every_s: float = _TOP_UP_EVERY_S
) -> Iterator[dict[str, tuple[float, float]]]:
    """Top accounts up, one after the other, again and again; give each supply's last begin and end."""
    paid: dict[str, tuple[float, float]] = {}
    stop = threading.Event()

    def pay() -> None:
        ledger = Ledger(url=stand.url, checkpoint=checkpoint)
        number = 0
        while not stop.wait(every_s):
            meter = meters[number % len(meters)]
            number += 1
            began = time.time()
            top_up(
                ledger,
                account=account(meter),
                amount_micros=10_000_000,
                channel="bank",
                key=f"bench-{began}",
                now=datetime.now(UTC),
            )
            paid.setdefault(supply(meter), (began, time.time()))
        ledger.close()

    with _running(pay, stop):
        yield paid


@contextmanager
def _running(work: Callable[[], None], stop: threading.Event) -> Iterator[None]:
    failed: list[Exception] = []

    def told() -> None:
        try:
            work()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=told)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise BenchmarkFailed(f"what was to be measured ended: {failed[0]}") from failed[0]


async def _steady(stand: Stand, load: Load, seconds: int, readings_per_s: int) -> dict[str, float]:
    """Publish at a steady rate; return when an order came for each supply."""
    ordered: dict[str, float] = {}
    listening = asyncio.create_task(_listen(stand.stack.bootstrap, ordered))
    messages = iter(_without_end(load))
    began, published = time.monotonic(), 0
    async with publisher(stand.stack.bootstrap) as producer:
        while (elapsed_s := time.monotonic() - began) < seconds:
            if listening.done():
                break
            while published < elapsed_s * readings_per_s:
                message = next(messages)
                await sent(producer, message)
                published += message.readings
            await asyncio.sleep(0.01)
        await producer.flush()
        await asyncio.sleep(2)
    if listening.done():
        await listening
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    return ordered


def _without_end(load: Load) -> Iterator[Message]:
    while True:
        yield from load.sweeps(1)


async def _listen(bootstrap: str, ordered: dict[str, float]) -> None:
    consumer = AIOKafkaConsumer(
        wire.RELAY_COMMANDS, bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    )
    await consumer.start()
    try:
        async for message in consumer:
            command = msgspec.json.decode(message.value, type=wire.RelayCommand)
            ordered.setdefault(command.supply, time.time())
    finally:
        await consumer.stop()


def _projected(stand: Stand) -> int:
    return stand.number("SELECT min(position) FROM projections.tracking")


def _wait_for_the_rest(stand: Stand) -> None:
    paced(lambda: _projected(stand), until=stand.head(), check=stand.stack.supervisor.check)
    time.sleep(0.5)


def _reading_to_balance(stand: Stand, first: int, seen: Sequence[tuple[int, float]]) -> list[float]:
    """Return for some of the debits how long after its message was published its balance was seen."""
    rows = stand.connection.execute(
        "SELECT notification_id, extract(epoch FROM"
        "   (convert_from(state, 'UTF8')::jsonb -> 'source' ->> 'published_at')::timestamptz)::float8"
        " FROM ledger.events WHERE notification_id > %s AND notification_id %% %s = 0"
        " AND topic = 'meter.usage-debited/1'",
        (first, _ONE_IN),
    ).fetchall()
    positions = [position for position, _ in seen]
    found_s = []
    for position, published_s in rows:
        number = bisect_left(positions, position)
        if number < len(seen):
            found_s.append(seen[number][1] - published_s)
    return found_s


def _row(name: str, seconds: list[float]) -> Row:
    if not seconds:
        raise BenchmarkFailed(f"nothing was seen of {name.replace('_', ' ')}; see the roles' logs")
    ordered = sorted(seconds)

    def quantile(share: float) -> float:
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    return Row(
        name,
        {"p50_s": quantile(0.5), "p99_s": quantile(0.99), "p99_9_s": quantile(0.999), "measured": len(ordered)},
    )
