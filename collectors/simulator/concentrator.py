"""The Modbus side of the simulator: one server per concentrator, one unit per meter."""

from collections.abc import Callable

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from collectors.simulator.face import Face
from collectors.simulator.meter import SimulatedMeter

_WRONG = {"address": ExcCodes.ILLEGAL_ADDRESS, "value": ExcCodes.ILLEGAL_VALUE}
_WRITE = 16


def concentrator_server(
    *, host: str, port: int, rtu: bool, meters: list[tuple[SimulatedMeter, Face]], catch_up: Callable[[], None]
) -> ModbusTcpServer:
    """Make a server for these meters; `catch_up` brings all meters to the present before each answer."""
    framer = FramerType.RTU if rtu else FramerType.SOCKET
    return ModbusTcpServer(
        [_nobody(), *(device_of(*meter, catch_up) for meter in meters)], framer=framer, address=(host, port)
    )


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


def _nobody() -> SimDevice:
    """Stand for all units that are not there: a gateway answers exception 11 for them."""

    async def silent(*_: object) -> ExcCodes | None:
        return ExcCodes.GATEWAY_NO_RESPONSE

    return SimDevice(id=0, simdata=[_block(0, 65_536, readonly=False)], action=silent)


def _block(address: int, count: int, *, readonly: bool) -> SimData:
    return SimData(address=address, count=count, values=0, datatype=DataType.REGISTERS, readonly=readonly)
