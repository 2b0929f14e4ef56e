"""The Modbus TCP side of the simulator: one server per concentrator, one unit per meter."""

from collections.abc import Callable

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from collectors.simulator.meter import CONTROL, ENERGY, MEASURES, NUMBER, RUN_STATE, SimulatedMeter

# Registers by first address and number of words; all others answer exception 2.
_READ_ONLY = ((ENERGY, 10), (MEASURES, 3), (RUN_STATE, 1), (NUMBER, 3))


def concentrator_server(
    *, host: str, port: int, meters: list[SimulatedMeter], catch_up: Callable[[], None]
) -> ModbusTcpServer:
    """Make a server for these meters; `catch_up` brings all meters to the present before each answer."""
    devices = [_device(meter, catch_up) for meter in meters]
    return ModbusTcpServer([_nobody(), *devices], address=(host, port))


def _device(meter: SimulatedMeter, catch_up: Callable[[], None]) -> SimDevice:
    async def answer(
        function: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if function not in (3, 16):
            return ExcCodes.ILLEGAL_FUNCTION
        catch_up()
        if values is not None:
            if (address, count) != (CONTROL, 2):
                return ExcCodes.ILLEGAL_ADDRESS
            if not meter.write_control(int(values[0]), int(values[1])):
                return ExcCodes.ILLEGAL_VALUE
        present = meter.registers()
        registers[: len(present)] = present[start_address:]
        return None

    simdata = [_block(address, count, readonly=True) for address, count in _READ_ONLY]
    return SimDevice(id=meter.unit, simdata=[*simdata, _block(CONTROL, 2, readonly=False)], action=answer)


def _nobody() -> SimDevice:
    """Stand for all units that are not there: a gateway answers exception 11 for them."""

    async def silent(*_: object) -> ExcCodes | None:
        return ExcCodes.GATEWAY_NO_RESPONSE

    return SimDevice(id=0, simdata=[_block(0, 65_536, readonly=False)], action=silent)


def _block(address: int, count: int, *, readonly: bool) -> SimData:
    return SimData(address=address, count=count, values=0, datatype=DataType.REGISTERS, readonly=readonly)
