"""What the edge's processes say, on standard error: JSON for machines, plain lines for a terminal."""

import logging
import sys

import structlog


def configure_logs() -> None:
    """Set up logging for a process of its own; call it once, before anything is logged."""
    _silence_libraries()
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


def quiet_logs() -> None:
    """Say nothing on the way: for a command whose outcome, printed or raised, is all that its user asked for."""
    _silence_libraries()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _silence_libraries() -> None:
    # These tell the same story as our own lines, many times a second, for as long as a broker or a meter is away.
    for noisy in ("aiokafka", "pymodbus", "pymodbus_internal", "nemreader"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
