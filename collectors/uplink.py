"""Uplinks of LoRaWAN and other radio meters, as network servers publish them in JSON, to register readings.

ChirpStack v4 (`deviceInfo`, `time`, `data`) and The Things Stack v3 (`end_device_ids`, `uplink_message`) are told
apart by their own fields. What a payload means, a codec says (`uplink_codec.py`).
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

import msgspec

from collectors.errors import DecodeError
from collectors.uplink_codec import UplinkCodec
from ledger.values.instants import in_utc
from ledger.wire import Reading, RegisterReading


class _DeviceInfo(msgspec.Struct):
    devEui: str  # noqa: N815 - ChirpStack's name


class _ChirpStack(msgspec.Struct):
    deviceInfo: _DeviceInfo  # noqa: N815 - ChirpStack's name
    time: datetime
    data: str = ""
    fPort: int = 0  # noqa: N815 - ChirpStack's name


class _EndDeviceIds(msgspec.Struct):
    dev_eui: str


class _UplinkMessage(msgspec.Struct):
    frm_payload: str = ""
    f_port: int = 0
    received_at: datetime | None = None


class _ThingsStack(msgspec.Struct):
    end_device_ids: _EndDeviceIds
    uplink_message: _UplinkMessage
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """A radio device's message: its EUI in small letters, when a gateway heard it, its port and bytes."""

    dev_eui: str
    heard_at: datetime
    port: int
    payload: bytes


def uplink_of(message: bytes) -> Uplink | None:
    """Read a network server's message, None for one that is no uplink with a payload (a join, a status).

    Raises DecodeError for what is no such message at all.
    """
    try:
        fields = msgspec.json.decode(message, type=dict[str, msgspec.Raw])
        if "deviceInfo" in fields and "data" in fields:
            chirp = msgspec.json.decode(message, type=_ChirpStack)
            return _uplink(chirp.deviceInfo.devEui, chirp.time, chirp.fPort, chirp.data)
        if "uplink_message" in fields:
            things = msgspec.json.decode(message, type=_ThingsStack)
            sent = things.uplink_message
            heard_at = sent.received_at or things.received_at
            if heard_at is None:
                raise DecodeError("the uplink has no received_at; without a time it is no reading")
            return _uplink(things.end_device_ids.dev_eui, heard_at, sent.f_port, sent.frm_payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError) as error:
        raise DecodeError(f"the message is no uplink of ChirpStack v4 or The Things Stack: {error}") from None
    return None


def reading_of_uplink(uplink: Uplink, *, serial: str, codec: UplinkCodec) -> Reading | None:
    """Return the reading in an uplink, None on another port than readings come on; raises DecodeError."""
    if uplink.port != codec.port:
        return None
    try:
        return Reading(
            register=RegisterReading(
                meter=serial,
                read_at=uplink.heard_at,
                import_milliwh=codec.total_milliwh(uplink.payload),
                profile=codec.name,
                raw=uplink.payload.hex(),
            )
        )
    except ValueError as error:
        raise DecodeError(str(error)) from None


def _uplink(dev_eui: str, heard_at: datetime, port: int, payload: str) -> Uplink | None:
    if heard_at.tzinfo is None:
        raise DecodeError(f"the uplink's time {heard_at.isoformat()} has no zone; it may be any of two instants")
    return Uplink(
        dev_eui=dev_eui.lower(),
        heard_at=in_utc(heard_at),
        port=port,
        payload=base64.b64decode(payload, validate=True),
    )
