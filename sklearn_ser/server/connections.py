"""Limits on TCP connections: their number per address, and idle time.

uvicorn ends a connection that is idle after a response. What it does not end is one that never
sends a whole request, one that takes nothing of its answer, and one too many.
"""

import asyncio
import contextlib
import functools
import logging
import socket
import time
from collections import Counter
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sklearn_ser.server.guard import client_of, security_headers
from sklearn_ser.server.limits import Limits
from sklearn_ser.server.server_log import log_settings

__all__ = ["Connections", "make_server"]

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
MOST_FRAGMENTS = 1000  # of a message
SEND_BUFFER = 1 << 16  # bytes of a WebSocket
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

    def add(self, transport: asyncio.Transport) -> Connection | None:
        """Take a connection in, or refuse it; one that only waits makes room for it."""
        new = Connection(transport)
        if self.of_client[new.client] < self.limits.connections_per_client:
            if len(self.open) >= self.most:
                self._make_room()
            if len(self.open) < self.most:
                self.open[transport] = new
                self.of_client[new.client] += 1
                return new
        logger.warning("Connections are refused: too many are open, or too many of one address")
        transport.write(REFUSAL)
        transport.close()
        return None

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


class _Bounded(asyncio.Protocol):
    """What both protocols below note of their connection."""

    transport: asyncio.Transport
    all_open: Connections
    noted: Connection | None = None

    def pause_writing(self) -> None:
        if self.noted is not None:
            self.noted.stalled = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        if self.noted is not None:
            self.noted.stalled = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.noted is not None:
            self.all_open.remove(self.noted.transport)
            super().connection_lost(exc)


class _Http(_Bounded, H11Protocol):
    """HTTP on a connection that was taken in."""

    def __init__(self, all_open: Connections, **options: Any):
        super().__init__(**options)
        self.all_open = all_open

    def connection_made(self, transport: Any) -> None:
        self.noted = self.all_open.add(transport)
        if self.noted is not None:
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.noted is None:
            return
        if self._idle() and self.noted.waiting is None:
            self.noted.waiting = time.monotonic()
        super().data_received(data)
        if not self._idle():
            self.noted.waiting = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.noted is not None and self._idle():
            self.noted.waiting = time.monotonic()

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


class _WebSocket(_Bounded, WebSocketsSansIOProtocol):
    """A WebSocket, to which a connection of HTTP was raised."""

    def __init__(self, all_open: Connections, **options: Any):
        super().__init__(**options)
        self.all_open = all_open

    def connection_made(self, transport: Any) -> None:
        self.noted = self.all_open.open[transport]
        self.noted.waiting = None
        # Or the system takes in megabytes of events for a client that reads none.
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER
        )
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > MOST_UNREAD:  # pings, and nothing is read
            self.transport.abort()

    def handle_cont(self, event: Any) -> None:
        super().handle_cont(event)
        if len(self.frames) > MOST_FRAGMENTS:  # none of which need hold a byte
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()  # it reads nothing, so it will not read a farewell either


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
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=cast(type, functools.partial(_Http, connections)),
        ws=cast(type, functools.partial(_WebSocket, connections)),
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
