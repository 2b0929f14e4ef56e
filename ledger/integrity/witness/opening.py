"""From the setting WATTLEDGER_WITNESS to a witness."""

from pathlib import Path
from urllib.parse import urlsplit

from ledger.integrity.witness.file import FileWitness
from ledger.integrity.witness.records import Witness
from ledger.values.errors import InvalidValue


def open_witness(setting: str) -> Witness:
    """Return the witness that a setting names: a path, `kafka://host:port/topic`, or an http(s) address.

    A topic that is not there is made with one copy, or as many as `?replication=3` behind it says.
    Raises InvalidValue for anything else.
    """
    parts = urlsplit(setting)
    match parts.scheme:
        case "":
            return FileWitness(Path(setting))
        case "file":
            return FileWitness(Path(setting.removeprefix("file:").replace("//", "", 1)))
        case "kafka" if parts.netloc and parts.path.strip("/"):
            from ledger.integrity.witness.kafka import KafkaWitness

            copies = parts.query.removeprefix("replication=") or "1"
            if copies.isdecimal() and int(copies) > 0:
                return KafkaWitness(bootstrap=parts.netloc, topic=parts.path.strip("/"), replication=int(copies))
        case "http" | "https" if parts.netloc:
            from ledger.integrity.witness.http import HttpWitness

            return HttpWitness(setting)
    raise InvalidValue(
        f"WATTLEDGER_WITNESS={setting!r} names no witness; use a file's path, kafka://host:port/topic or"
        " https://host/path"
    )


def open_existing(setting: str) -> Witness:
    """Do the same for reading; raises InvalidValue where a file is named that is not there."""
    witness = open_witness(setting)
    if isinstance(witness, FileWitness) and not witness.path.is_file():
        raise InvalidValue(f"there is no witness at {witness.path}")
    return witness
