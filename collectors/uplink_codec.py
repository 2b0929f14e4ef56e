"""Codecs: where a radio meter's cumulative register lies in its payload. A codec is a reviewable TOML file.

name = "acme-lora"
source = "ACME LoRa meter, payload description 1.2"
port = 2                    # the LoRaWAN port that readings come on
length = 9                  # bytes of such a payload; another length is refused

[total]
offset = 1
bytes = 4
byte_order = "big"          # or "little"
milliwh_per_count = 1000000
not_available = "ffffffff"  # optional: these bytes mean that there is no figure
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from collectors.errors import DecodeError
from collectors.tables import Table, read_file


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkCodec:
    """How a payload is read; the register is an unsigned count."""

    name: str
    source: str
    port: int
    length: int
    offset: int
    size: int
    byte_order: Literal["big", "little"]
    milliwh_per_count: int
    not_available: str

    def total_milliwh(self, payload: bytes) -> int:
        """Return the cumulative register in milliwatt-hours; raises DecodeError, never guesses."""
        if len(payload) != self.length:
            raise DecodeError(f"a payload of {len(payload)} bytes is none of {self.name}'s, which have {self.length}")
        counted = payload[self.offset : self.offset + self.size]
        if counted.hex() == self.not_available:
            raise DecodeError(f"{self.name}: the register is not available ({counted.hex()})")
        return int.from_bytes(counted, self.byte_order) * self.milliwh_per_count


def read_codec(path: Path) -> UplinkCodec:
    """Read a codec's file; raises BadFile with every error in it."""
    root = read_file(path)
    total = root.table("total")
    codec = UplinkCodec(
        name=root.code("name", remedy="name the codec"),
        source=root.text("source", remedy="cite the payload's description"),
        port=root.integer("port", minimum=1, maximum=223),
        length=root.integer("length", minimum=1, maximum=242),
        offset=total.integer("offset", minimum=0, maximum=241),
        size=total.integer("bytes", minimum=1, maximum=6),
        byte_order=_order(total),
        milliwh_per_count=total.integer("milliwh_per_count", minimum=1, maximum=10_000_000),
        not_available=total.text("not_available", default="none").lower(),
    )
    if codec.offset + codec.size > codec.length:
        total.wrong("offset", f"{codec.offset} + {codec.size} bytes lie beyond the payload's {codec.length}")
    root.check()
    return codec


def _order(total: Table) -> Literal["big", "little"]:
    return "little" if total.choice("byte_order", among=("big", "little"), default="big") == "little" else "big"
