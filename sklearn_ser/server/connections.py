"""TCP connections: how many of whom, and how long one may do nothing.

uvicorn ends a connection that is idle after a response. What it does not end is one that never
sends a whole request, one that takes nothing of its answer, and one too many.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sklearn_ser.server.guard import client_of, security_headers
from sklearn_ser.server.limits import Limits

__all__ = ["Connections", "make_server"]

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
MOST_UNREAD = 1 << 20  # bytes of answers and pongs that wait for a client to read them
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n"
    b"content-length: 0\r\n\r\n"
)


class Connection:
    """One connection.

    Attributes
    ----------
    client : str
    waiting : float or None
        Since when it owes the head of a request.
    stalled : float or None
        Since when it has taken nothing of what is sent to it, or not been closed though it should.
    """

    def __init__(self, transport: asyncio.Transport):
        self.transport = transport
        self.client = client_of({"client": transport.get_extra_info("peername")})
        self.waiting: float | None = time.monotonic()
        self.stalled: float | None = None


class Connections:
    """All connections that are open.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self.most = min(limits.connections, _files_for_connections())
        self.open: dict[asyncio.Transport, Connection] = {}
        self.of_client: Counter[str] = Counter()

    def add(self, transport: asyncio.Transport) -> bool:
        """Take a connection in, or refuse it; one that only waits makes room for it."""
        new = Connection(transport)
        if self.of_client[new.client] < self.limits.connections_per_client:
            if len(self.open) >= self.most:
                self._make_room()
            if len(self.open) < self.most:
                self.open[transport] = new
                self.of_client[new.client] += 1
                return True
        logger.warning("Connections are refused: too many are open, or too many of one address")
        transport.write(REFUSAL)
        transport.close()
        return False

    def remove(self, transport: asyncio.Transport) -> None:
        """Forget a connection that is closed."""
        if (gone := self.open.pop(transport, None)) is not None:
            self.of_client[gone.client] -= 1
            if not self.of_client[gone.client]:
                del self.of_client[gone.client]

    def _make_room(self) -> None:
        """Cut the connection that has waited longest."""
        waiting = [one for one in self.open.values() if one.waiting is not None]
        if waiting:
            oldest = min(waiting, key=lambda one: one.waiting or 0.0)
            self.remove(oldest.transport)
            oldest.transport.abort()

    async def sweep(self) -> None:
        """End connections that do nothing, for as long as the server runs."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for one in list(self.open.values()):
                if one.transport.is_closing() and one.stalled is None:
                    one.stalled = now
                if one.stalled is not None and now - one.stalled > self.limits.stall_seconds:
                    one.transport.abort()
                elif one.waiting is not None and now - one.waiting > self.limits.head_seconds:
                    one.transport.close()


def _files_for_connections() -> int:
    """Return how many connections this process has files for, with one more for each upload."""
    try:
        import resource

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except ImportError:  # not on Windows
        return 1 << 20
    return max(16, (files - 100) // 2) if files != resource.RLIM_INFINITY else 1 << 20


class _Counted:
    """What both protocols below note of their connection."""

    transport: asyncio.Transport
    connections_open: Connections
    _noted: Connection | None = None

    def pause_writing(self) -> None:
        if self._noted is not None:
            self._noted.stalled = time.monotonic()
        super().pause_writing()  # type: ignore[misc]

    def resume_writing(self) -> None:
        if self._noted is not None:
            self._noted.stalled = None
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._noted is None:
            return
        self.connections_open.remove(self._noted.transport)
        super().connection_lost(exc)  # type: ignore[misc]


def make_protocols(connections: Connections) -> tuple[type[asyncio.Protocol], ...]:
    """Return the protocols of HTTP and of WebSockets that count into `connections`."""

    class Http(_Counted, H11Protocol):
        connections_open = connections

        def connection_made(self, transport: Any) -> None:
            if connections.add(transport):
                self._noted = connections.open[transport]
                super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            if self._noted is None:
                return
            if self._idle() and self._noted.waiting is None:
                self._noted.waiting = time.monotonic()
            super().data_received(data)
            if not self._idle():
                self._noted.waiting = None

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._noted is not None and self._idle():
                self._noted.waiting = time.monotonic()

        def _idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def send_400_response(self, msg: str) -> None:
            body = b'{"detail": "This is not a request as HTTP has it."}'
            headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
            headers += [(b"content-length", b"%d" % len(body)), *security_headers()]
            lines = b"".join(b"%s: %s\r\n" % header for header in headers)
            if self._idle() or not self.cycle.response_started:
                self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + lines + b"\r\n" + body)
            if self.cycle is not None:
                self.cycle.disconnected = True
            self.transport.close()

    class WebSocket(_Counted, WebSocketsSansIOProtocol):
        connections_open = connections

        def connection_made(self, transport: Any) -> None:
            self._noted = connections.open.get(transport)
            if self._noted is not None:
                self._noted.waiting = None
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.transport.get_write_buffer_size() > MOST_UNREAD:  # pings, and nothing is read
                self.transport.abort()

        def keepalive_timeout(self) -> None:
            super().keepalive_timeout()
            self.transport.abort()  # it reads nothing, so it will not read a farewell either

    return Http, WebSocket


class _Server(uvicorn.Server):
    """uvicorn's server, which looks after its connections and stops in good order."""

    def __init__(self, config: uvicorn.Config, connections: Connections, on_started, on_stop):
        super().__init__(config)
        self._connections, self._on_started, self._on_stop = connections, on_started, on_stop

    async def startup(self, sockets=None) -> None:
        asyncio.get_running_loop().set_exception_handler(_note_errors)
        await super().startup(sockets)
        self._sweeping = asyncio.create_task(self._connections.sweep())
        if self.started:
            self._on_started(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets=None) -> None:
        self._on_stop()
        await super().shutdown(sockets)
        self._sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sweeping


def _note_errors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if "socket.accept()" in context.get("message", ""):
        logger.error("No more connections can be accepted: %s", context.get("exception"))
    else:
        loop.default_exception_handler(context)


def make_server(app, limits: Limits, *, on_started) -> uvicorn.Server:
    """Return a server for the application, to be run with a socket that is bound.

    Parameters
    ----------
    app : FastAPI
        Of `make_app`; its `state.stop` is called when the server has to stop.
    limits : Limits
    on_started : callable
        Called with the port once requests are answered.
    """
    connections = Connections(limits)
    http, web_socket = make_protocols(connections)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=http,
        ws=web_socket,
        ws_max_size=1 << 20,
        # A stream that is ahead of the clock is not read from meanwhile, its pongs neither.
        ws_ping_timeout=limits.ahead_seconds + 10,
        ws_per_message_deflate=False,  # a megabyte of zeros takes a kilobyte to send
        log_config=log_settings(),
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a client could write any address there
        backlog=128,
        timeout_keep_alive=int(limits.head_seconds),
        timeout_graceful_shutdown=int(limits.stop_seconds) + 2,
    )
    return _Server(config, connections, on_started, app.state.stop)


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
            for name in ("uvicorn", "sklearn_ser.server")
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
            record.msg = f"{record.getMessage()} ({left_out} more in the last minutes)"
            record.args = ()
        return True
