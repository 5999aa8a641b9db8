"""The server's log: clients must not be able to fill it, nor to write lines of their own."""

import logging
import time
from typing import Any

__all__ = ["LogLine", "OnceAMinute", "log_settings"]


def log_settings() -> dict[str, Any]:
    """Return how the server's log is written: warnings and errors, each kind once a minute."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"()": LogLine, "format": "%(asctime)s %(levelname)s %(message)s"},
        },
        "filters": {"seldom": {"()": OnceAMinute}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["seldom"],
            }
        },
        "loggers": {
            name: {"handlers": ["stderr"], "level": "WARNING", "propagate": False}
            for name in ("uvicorn", "asyncio", "sklearn_ser.server")
        },
    }


class LogLine(logging.Formatter):
    """Writes a message so that nothing in it looks like another, or reaches a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a message: all but the first are indented."""
        text = super().format(record).replace("\n", "\n    ")
        return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class OnceAMinute(logging.Filter):
    """Lets each kind of message through once a minute: clients must not be able to fill a disk."""

    def __init__(self, seconds: float = 60.0):
        super().__init__()
        self.seconds = seconds
        self.last: dict[Any, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether to write a message, and in it how many like it were left out."""
        kind = (record.name, record.msg, record.exc_info[0] if record.exc_info else None)
        now = time.monotonic()
        at, left_out = self.last.get(kind, (-self.seconds, 0))
        if now - at < self.seconds:
            self.last[kind] = (at, left_out + 1)
            return False
        if len(self.last) > 1000:
            self.last.clear()
        self.last[kind] = (now, 0)
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more like it before)"
            record.args = ()
        return True
