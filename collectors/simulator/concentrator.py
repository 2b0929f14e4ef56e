"""The Modbus side of the simulator: one server per concentrator, one unit per meter."""

import ssl
from collections.abc import Callable, Coroutine

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from collectors.simulator.face import Face
from collectors.simulator.meter import SimulatedMeter

_WRONG = {"address": ExcCodes.ILLEGAL_ADDRESS, "value": ExcCodes.ILLEGAL_VALUE}
_WRITE = 16


def gateway_server(
    *,
    host: str,
    port: int,
    rtu: bool,
    context: ssl.SSLContext | None = None,
    meters: list[tuple[SimulatedMeter, Face]],
    catch_up: Callable[[], None],
) -> ModbusTcpServer:
    """Make a gateway for these meters, in TLS where there is a context.

    `catch_up` brings all meters to the present before each answer.
    """
    framer = FramerType.RTU if rtu else FramerType.SOCKET
    devices = [_nobody(_no_response), *(device_of(*meter, catch_up) for meter in meters)]
    if context is not None:
        return ModbusTlsServer(devices, framer=framer, address=(host, port), sslctx=context)
    return ModbusTcpServer(devices, framer=framer, address=(host, port))


def bus_server(*, meters: list[tuple[SimulatedMeter, Face]], catch_up: Callable[[], None]) -> ModbusTcpServer:
    """Make an RTU bus on a free local port, to be carried on from there; units that are not there are silent."""
    devices = [_nobody(_silent), *(device_of(*meter, catch_up) for meter in meters)]
    return ModbusTcpServer(devices, framer=FramerType.RTU, address=("127.0.0.1", 0), ignore_missing_devices=True)


def device_of(meter: SimulatedMeter, face: Face, catch_up: Callable[[], None]) -> SimDevice:
    """Make the device that answers for a meter, whatever server it is put into."""

    async def answer(
        function: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if function not in (3, 4, _WRITE) or not face.answers(function, address):
            return ExcCodes.ILLEGAL_FUNCTION
        catch_up()
        if values is not None:
            wrong = face.write(meter, address, tuple(int(value) for value in values))
            if wrong:
                return _WRONG[wrong]
        present = face.words(meter)
        for at in range(address, address + count):
            registers[at - start_address] = present.get(at, 0)
        return None

    blocks = [_block(address, count, readonly=False) for address, count in face.blocks]
    return SimDevice(id=meter.unit, simdata=blocks, action=answer)


def _nobody(action: Callable[..., Coroutine[None, None, ExcCodes | None]]) -> SimDevice:
    """Stand for all units that are not there."""
    return SimDevice(id=0, simdata=[_block(0, 65_536, readonly=False)], action=action)


async def _no_response(*_: object) -> ExcCodes | None:
    return ExcCodes.GATEWAY_NO_RESPONSE


async def _silent(*_: object) -> ExcCodes | None:
    raise NoSuchIdException


def _block(address: int, count: int, *, readonly: bool) -> SimData:
    return SimData(address=address, count=count, values=0, datatype=DataType.REGISTERS, readonly=readonly)
