"""The edge: device profiles, Modbus, polling, the spool, publishing, relay execution, importers, the simulator."""
