"""A simulated serial port: a pseudo-terminal at the path that the site file gives, meters at its other end."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from collectors.errors import CollectorError

_PSEUDO = "/dev/pts/"
_CHUNK_BYTES = 512


@asynccontextmanager
async def pseudo_port(*, device: str, bus_port: int) -> AsyncIterator[None]:
    """Make `device` a serial port whose bytes go to and come from the RTU server on a local TCP port.

    Raises CollectorError where something else is at that path, or nothing can be made there.
    """
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    # Theirs stays open here too: a pseudo-terminal whose last user leaves makes ours fail for good.
    try:
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        _link(Path(device), name)
        carrying = asyncio.create_task(_carried(ours, bus_port))
        try:
            yield
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)
            _unlink(Path(device), name)
    finally:
        os.close(ours)
        os.close(theirs)


def _link(path: Path, name: str) -> None:
    try:
        if path.is_symlink() and os.readlink(path).startswith(_PSEUDO):
            path.unlink()  # Left by a simulator that was killed.
        path.symlink_to(name)
    except FileExistsError:
        raise CollectorError(
            f"{path} is there already and no simulated port; name one that is not, such as /tmp/bus-1"
        ) from None
    except OSError as error:
        raise CollectorError(
            f"cannot make a serial port at {path}: {error.strerror}; name a path where you may, such as /tmp/bus-1"
        ) from None


def _unlink(path: Path, name: str) -> None:
    with suppress(OSError):
        if os.readlink(path) == name:
            path.unlink()


async def _carried(ours: int, bus_port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bus_port)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, lambda: writer.write(os.read(ours, _CHUNK_BYTES)))
    try:
        while answer := await reader.read(_CHUNK_BYTES):
            with suppress(BlockingIOError):  # Nobody reads: on a wire the bytes would be gone too.
                os.write(ours, answer)
    finally:
        loop.remove_reader(ours)
        writer.close()
