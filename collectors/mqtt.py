"""Meters that are heard over MQTT: their uplinks go the way of any sweep, from the spool to the ledger.

    [mqtt]                      # a file of its own, named by the site file's `collector.mqtt`
    host = "10.0.0.9"
    port = 1883
    topic = "application/+/device/+/event/up"   # The Things Stack: "v3/+/devices/+/up"
    concentrator = "radio-1"    # under which the ledger knows these supplies

    [[meters]]
    dev_eui = "70b3d57ed0051234"
    serial = "400000000001"
    codec = "acme.toml"         # relative to this file

Needs the extra `mqtt`. An uplink lost on the way is a gap; the next one's register closes it.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from collectors.errors import CollectorError, DecodeError
from collectors.lines import tcp
from collectors.metrics import CollectorMetrics
from collectors.site import Concentrator
from collectors.tables import read_file
from collectors.uplink import reading_of_uplink, uplink_of
from collectors.uplink_codec import UplinkCodec, read_codec
from ledger.wire import Reading

log = structlog.get_logger(__name__)

_RECONNECT_PAUSE_S = 2.0
# Beyond this the oldest are dropped: registers are cumulative, and memory is not.
_WAITING_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioMeter:
    """A meter by its device's EUI."""

    serial: str
    codec: UplinkCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSite:
    """Where uplinks come from, and whose they are."""

    host: str
    port: int
    topic: str
    concentrator: str
    meters: dict[str, RadioMeter]


def read_mqtt(path: Path) -> MqttSite:
    """Read the file; raises BadFile with every error in it."""
    root = read_file(path)
    mqtt = root.table("mqtt")
    meters: dict[str, RadioMeter] = {}
    for table in root.tables("meters"):
        dev_eui = table.text("dev_eui").lower()
        serial = table.code("serial", remedy="give the meter's number as printed on it")
        codec = read_codec(path.parent / table.text("codec", remedy="name the codec's file"))
        if dev_eui in meters or serial in {meter.serial for meter in meters.values()}:
            table.wrong("dev_eui", f"{dev_eui} or serial {serial} is there twice; each must be there once")
        meters[dev_eui] = RadioMeter(serial=serial, codec=codec)
    site = MqttSite(
        host=mqtt.text("host"),
        port=mqtt.integer("port", minimum=1, maximum=65_535, default=1883),
        topic=mqtt.text("topic"),
        concentrator=mqtt.code("concentrator", remedy="name it as the ledger knows it"),
        meters=meters,
    )
    root.check()
    return site


@dataclass(slots=True, kw_only=True)
class MqttSweeper:
    """What was heard since the last sweep is the next one; `listen` must run beside it."""

    site: MqttSite
    metrics: CollectorMetrics
    concentrator: Concentrator = field(init=False)
    failing: set[str] = field(default_factory=set)
    _heard: deque[Reading] = field(default_factory=lambda: deque(maxlen=_WAITING_MAX))
    _newest: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        line = tcp(host=self.site.host, port=self.site.port)
        self.concentrator = Concentrator(id=self.site.concentrator, line=line, meters=())

    async def sweep(self, *, all_meters: bool = False) -> list[Reading]:  # noqa: ARG002 - nobody can be asked
        """Return the readings heard since the last sweep, each meter's in the order of their times."""
        readings = list(self._heard)
        self._heard.clear()
        return readings

    async def listen(self) -> None:
        """Take uplinks in until cancelled; a broker that is away is tried again."""
        try:
            import aiomqtt
        except ModuleNotFoundError:
            raise CollectorError("meters over MQTT need the extra: pip install 'wattledger[mqtt]'") from None
        while True:
            try:
                async with aiomqtt.Client(self.site.host, self.site.port) as client:
                    await client.subscribe(self.site.topic, qos=1)
                    log.info("listening to MQTT", host=self.site.host, topic=self.site.topic)
                    async for message in client.messages:
                        self.take(message.payload if isinstance(message.payload, bytes) else b"")
            except (aiomqtt.MqttError, OSError) as error:
                log.warning("MQTT broker away", error=str(error), retry_in_s=_RECONNECT_PAUSE_S)
            await asyncio.sleep(_RECONNECT_PAUSE_S)

    def take(self, message: bytes) -> None:
        """Take one message in; what is no reading of a meter of ours is counted with its reason."""
        try:
            uplink = uplink_of(message)
            if uplink is None:
                return
            meter = self.site.meters.get(uplink.dev_eui)
            if meter is None:
                self._gap("unknown-device", f"no meter here has the EUI {uplink.dev_eui}")
                return
            reading = reading_of_uplink(uplink, serial=meter.serial, codec=meter.codec)
        except DecodeError as error:
            self._gap("decode", str(error))
            return
        if reading is None:
            return
        newest = self._newest.get(meter.serial)
        if newest is not None and uplink.heard_at <= newest:
            # Heard by two gateways, or delivered again: the register at a later time is known already.
            self._gap("repeated", f"{meter.serial} was heard at {newest.isoformat()} already")
            return
        self._newest[meter.serial] = uplink.heard_at
        self.metrics.readings.labels(self.site.concentrator).inc()
        self.metrics.last_reading.labels(self.site.concentrator, meter.serial).set(uplink.heard_at.timestamp())
        self._heard.append(reading)

    def _gap(self, reason: str, problem: str) -> None:
        self.metrics.read_failures.labels(self.site.concentrator, reason).inc()
        log.warning("uplink passed over", concentrator=self.site.concentrator, reason=reason, error=problem)
