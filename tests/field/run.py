"""One run of the campaign: a seed decides the harm, the kills, the full disk and the orders; nothing may be lost."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psycopg

from collectors.settings import CollectorSettings, KafkaSettings, PublishSettings
from collectors.simulator.run import Simulator, simulating
from collectors.site import Site, read_site
from console.installing import meter_facts
from ledger import wire
from ledger.store.batched import BatchedLedger
from ledger.usecases.equip import SupplyPoint, equip
from ledger.values.signing import OrderSigner, new_signing_key_hex
from tests.collectors.builders import SIGNER, free_ports
from tests.field import kafka_proxy
from tests.field.child import LoadProfile, fill_disk, free_disk, started
from tests.field.modbus_proxy import ModbusProxy
from tests.field.office import Office, booked
from tests.field.rtu_proxy import RtuProxy

# The first speaks Modbus TCP, the second passes RTU frames on.
PROXIES: tuple[type[ModbusProxy], ...] = (ModbusProxy, RtuProxy)
CONCENTRATORS = len(PROXIES)
METERS_EACH = 3
# Whose relays get good orders: one meter on each line.
SWITCHED = (1, METERS_EACH + 1)
_SPEED = 36_000
_FORGER = OrderSigner(new_signing_key_hex())
_OPEN, _CLOSE = bytes((0, 1, 0, 1)), bytes((0, 1, 0, 0))


@dataclass(slots=True)
class FieldRun:
    """Everything of one seed; ids carry the seed, so that thousands of runs share one ledger."""

    seed: int
    directory: Path
    office: Office
    connection: "psycopg.Connection[Any]"
    broker_port: int
    chance: random.Random = field(init=False)
    proxies: list[ModbusProxy] = field(default_factory=list)
    process: ForkServerProcess | None = None
    kills: int = 0
    _load_profile: LoadProfile = field(init=False)
    disk_filled: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def name(self) -> str:
        return f"f{self.seed}"

    def supply(self, number: int) -> str:
        return f"{self.name}-s{number}"

    @property
    def supplies(self) -> list[str]:
        return [self.supply(number) for number in range(CONCENTRATORS * METERS_EACH)]

    def serial(self, number: int) -> str:
        return f"{100_000_000_000 + self.seed * 100 + number}"

    async def play(self) -> dict[str, int]:
        """Play the run and check what must hold; returns what harm was done, by kind."""
        ports = free_ports(CONCENTRATORS)
        meters = self._site(ports, "meters.toml")
        kafka = kafka_proxy.KafkaProxy(
            broker_port=self.broker_port,
            chance=self.chance,
            harms=self._some(kafka_proxy.HARMS),
            rate=self.chance.uniform(0, 0.12),
        )
        await kafka.start()
        async with simulating(site=meters, speed=_SPEED, seed=self.seed) as simulator:
            self._equip(simulator)
            rate = self.chance.uniform(0.1, 0.7)
            for kind, port in zip(PROXIES, ports, strict=True):
                harms = self._some(list(kind.known))
                proxy = kind(target_port=port, chance=self.chance, harms=harms, rate=rate)
                await proxy.start()
                self.proxies.append(proxy)
            self._site([proxy.port for proxy in self.proxies], "site.toml")
            settings = self._settings(kafka.port)
            try:
                await self._trouble(settings)
                kafka.heal()
                for proxy in self.proxies:
                    proxy.heal()
                await self._settle(simulator, settings)
            finally:
                self._kill()
                self.office.forget_orders()
                for proxy in self.proxies:
                    await proxy.stop()
                await kafka.stop()
        done = dict(kafka.done)
        for proxy in self.proxies:
            for harm, count in proxy.done.items():
                done[harm] = done.get(harm, 0) + count
        return done | {"killed": self.kills, "disk-full": self.disk_filled}

    async def _trouble(self, settings: CollectorSettings) -> None:
        """Let the collector work under harm, now and then killed or without room on its disk."""
        self._start(settings)
        orders = self._orders()
        until_s = time.monotonic() + self.chance.uniform(0.5, 1.0)
        while time.monotonic() < until_s:
            next(orders, None)
            await asyncio.sleep(self.chance.uniform(0.02, 0.2))
            event = self.chance.random()
            if event < 0.25:
                self._kill()
                self._start(settings)
                self.kills += 1
            elif event < 0.35:
                self.disk_filled += 1
                await self._without_room(self.chance.uniform(0.05, 0.25))
        for _ in orders:
            pass

    async def _without_room(self, span_s: float) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            fill_disk(self.process)
            await asyncio.sleep(span_s)
            free_disk(self.process)

    async def _settle(self, simulator: Simulator, settings: CollectorSettings) -> None:
        """With all harm gone: every watt-hour is billed, and the relays are as the newest good order has them."""
        self._supervise(settings)
        simulator.freeze()
        truth = {
            supply: simulator.meters[self.serial(number)].register_counts * 10_000 - self._opening(simulator, number)
            for number, supply in enumerate(self.supplies)
        }
        await _until(
            lambda: (
                self._supervise(settings)
                and booked(self.connection, self.supplies) == truth
                and all(self._is_as_ordered(number) for number in SWITCHED)
            ),
            lambda: (
                f"billed {booked(self.connection, self.supplies)}, registers {truth}, office {self.office.failure}"
            ),
        )
        for number in SWITCHED:
            self._check_switched(simulator, number)
        self._check_bad_orders()
        self._check_intervals()

    def _is_as_ordered(self, number: int) -> bool:
        """Tell whether the newest good order was carried out; one that was not is signed anew, as `control` does."""
        newest = self._good[number][-1]
        result = self.office.results.get(str(newest.order))
        if result is None or result.outcome == "confirmed":
            return result is not None
        if result.outcome == "refused":
            # Signed before the spool was there, which is where the memory of orders begins.
            assert result.detail.startswith("memory: "), result
        order = self._order(number, newest.sequence + 1, "close")
        self._good[number].append(order)
        self.office.send(order)
        return False

    def _supervise(self, settings: CollectorSettings) -> bool:
        """Start a collector that ended again, as systemd would: where its spool has no room at its start, it ends."""
        assert self.process is not None
        if not self.process.is_alive():
            assert self.disk_filled, "the collector ended under harm; see its log"
            self._kill()
            self._start(settings)
        return True

    def _check_switched(self, simulator: Simulator, number: int) -> None:
        result = self.office.results[str(self._good[number][-1].order)]
        assert (result.outcome, result.readback) == ("confirmed", "closed"), result
        assert not simulator.meters[self.serial(number)].relay_open

    def _check_intervals(self) -> None:
        """Whatever sweeps the ledger took, each one's interval was billed, and none twice."""
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            rows = self.connection.execute(
                "SELECT sequence FROM ledger.sweeps WHERE concentrator = %s", (self._load_profile.concentrator,)
            ).fetchall()
            billed = booked(self.connection, [self._interval_supply])[self._interval_supply]
        assert len(rows) == 1, f"the spool was replaced: {rows}"
        assert billed == self._load_profile.total_milliwh(rows[0][0]) > 0

    def _check_bad_orders(self) -> None:
        for order in self._bad:
            answer = self.office.results.get(str(order.order))
            assert answer is None or answer.outcome in ("refused", "expired", "superseded"), answer
        written = {(index, unit) for index, proxy in enumerate(self.proxies) for unit, _, _ in proxy.writes}
        assert written <= {(0, 2), (1, 2)}, f"meters without a good order were written to: {written}"
        words = {words for proxy in self.proxies for _, _, words in proxy.writes}
        assert words <= {_OPEN, _CLOSE}

    _good: dict[int, list[wire.RelayCommand]] = field(default_factory=lambda: {number: [] for number in SWITCHED})
    _bad: list[wire.RelayCommand] = field(default_factory=list)

    def _orders(self) -> Iterator[None]:
        """Good orders for a meter of each line, in sequence; bad ones for every meter, in any order between them."""
        good = [
            (number, self._order(number, sequence, "open" if sequence % 2 else "close"))
            for sequence in (1, 2, 3, 4)
            for number in SWITCHED
        ]
        todo = self._bad_orders([order for number, order in good if number == 1])
        self.chance.shuffle(todo)
        for number, order in good:
            for _ in range(len(todo) // 4):
                self._bad.append(bad := todo.pop())
                self.office.send(bad)
                yield
            self._good[number].append(order)
            self.office.send(order)
            yield
        self.office.send_raw(self.chance.randbytes(40))

    def _bad_orders(self, good: list[wire.RelayCommand]) -> list[wire.RelayCommand]:
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        altered = msgspec.structs.replace(good[1], order=uuid4(), action="open", sequence=9)
        moved = msgspec.structs.replace(self._order(1, 9, "open"), supply=self.supply(0), meter=self.serial(0))
        return [
            self._order(0, 1, "open", signer=_FORGER),
            self._order(2, 1, "open", issued_at=long_ago),
            self._order(0, 2, "open", meter=self.serial(1)),
            self._order(3, 3, "open", concentrator=f"{self.name}-c1"),
            altered,
            moved,
        ]

    def _order(
        self,
        number: int,
        sequence: int,
        action: wire.RelayAction,
        *,
        meter: str = "",
        concentrator: str = "",
        issued_at: datetime | None = None,
        signer: OrderSigner = SIGNER,
    ) -> wire.RelayCommand:
        issued = issued_at or datetime.now(UTC)
        return signer.signed(
            wire.RelayCommand(
                order=uuid4(),
                sequence=sequence,
                concentrator=concentrator or f"{self.name}-c{number // METERS_EACH + 1}",
                supply=self.supply(number),
                meter=meter or self.serial(number),
                action=action,
                reason="test",
                ledger_position=1,
                issued_at=issued,
                expires_at=issued + timedelta(seconds=60),
            )
        )

    def _some(self, harms: "list[str] | tuple[str, ...]") -> list[str]:
        return self.chance.sample(list(harms), self.chance.randint(1, len(harms)))

    def _start(self, settings: CollectorSettings) -> None:
        self.process = started(settings, log=self.directory / "collector.log", load_profile=self._load_profile)

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process.close()
            self.process = None

    def _opening(self, simulator: Simulator, number: int) -> int:
        return simulator.meters[self.serial(number)].opening_milliwh

    @property
    def _interval_supply(self) -> str:
        return f"{self.name}-i"

    def _equip(self, simulator: Simulator) -> None:
        ledger = BatchedLedger(url=self.office.url)
        now = datetime.now(UTC)
        self._load_profile = LoadProfile(
            f"{self.name}-c1", self.serial(99), now.replace(microsecond=0) - timedelta(hours=2)
        )
        point = SupplyPoint(
            supply=self._interval_supply,
            site="north",
            concentrator=self._load_profile.concentrator,
            meter=meter_facts(serial=self._load_profile.serial, profile="nem12", max_power_w=10**9),
            account=f"{self._interval_supply}-a",
            tariff="flat",
            opening_milliwh=0,
            since=self._load_profile.begins,
        )
        with ledger.together():
            list(equip(ledger, point, now=now))
        for number, supply in enumerate(self.supplies):
            point = SupplyPoint(
                supply=supply,
                site="north",
                concentrator=f"{self.name}-c{number // METERS_EACH + 1}",
                meter=meter_facts(serial=self.serial(number), profile="acrel_ddsy1352", max_power_w=10**9),
                account=f"{supply}-a",
                tariff="flat",
                opening_milliwh=self._opening(simulator, number),
                since=now - timedelta(minutes=5),
            )
            with ledger.together():
                list(equip(ledger, point, now=now))
        list(ledger.commit())
        ledger.close()

    def _site(self, ports: list[int], file: str) -> Site:
        lines = ["[collector]", f'id = "{self.name}"', "poll_interval_s = 0.1", "request_timeout_s = 0.06"]
        lines += ["relay_timeout_s = 2.0", "request_retries = 1", 'spool = "spool.sqlite"']
        for index, port in enumerate(ports):
            lines += ["[[concentrators]]", f'id = "{self.name}-c{index + 1}"', 'host = "127.0.0.1"', f"port = {port}"]
            lines += ['transport = "rtu-over-tcp"'] if PROXIES[index] is RtuProxy else []
            for unit in range(1, METERS_EACH + 1):
                number = index * METERS_EACH + unit - 1
                lines += ["[[concentrators.meters]]", f'serial = "{self.serial(number)}"', f"unit = {unit}"]
                lines += [f'supply = "{self.supply(number)}"']
        path = self.directory / file
        path.write_text("\n".join(lines))
        return read_site(path)

    def _settings(self, kafka_port: int) -> CollectorSettings:
        return CollectorSettings(
            kafka=KafkaSettings(
                bootstrap=f"127.0.0.1:{kafka_port}",
                request_timeout_s=2.0,
                watch_interval_s=0.2,
                reconnect_pause_s=0.1,
            ),
            publish=PublishSettings(ack_timeout_s=0.7, ack_timeout_max_s=1.5, link_silence_s=2.5),
            site_file=self.directory / "site.toml",
            spool=None,
            order_public_key=SIGNER.public_key_hex,
            metrics_host="127.0.0.1",
            metrics_port=0,
        )


async def _until(condition: Callable[[], bool], told: Callable[[], str], *, within_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, told()
        await asyncio.sleep(0.05)
