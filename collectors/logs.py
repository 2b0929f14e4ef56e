"""What the edge's processes say, on standard error: JSON for machines, plain lines for a terminal."""

import logging
import sys

import structlog


def configure_logs() -> None:
    """Set up logging for a process of its own; call it once, before anything is logged."""
    # These tell the same story as our own lines, many times a second, for as long as a broker or a meter is away.
    for noisy in ("aiokafka", "pymodbus", "pymodbus_internal"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    plain = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if plain else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
