"""The checks of every request before anything else sees it: origin, token, number and size."""

import asyncio
import contextlib
import hmac
import ipaddress
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from sklearn_ser.server.limits import Limits
from sklearn_ser.server.page_files import OPEN_PATHS, POLICY

__all__ = [
    "Gate",
    "Guard",
    "TooLargeError",
    "TooLateError",
    "allowed_origin",
    "bearer",
    "client_of",
    "same_token",
    "security_headers",
]

logger = logging.getLogger(__name__)

MOST_HEADERS = 16_384  # bytes

HEADERS = {
    "content-security-policy": POLICY,
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class TooLargeError(HTTPException):
    """An upload is larger than allowed."""

    def __init__(self, limits: Limits):
        why = f"The upload is larger than {limits.max_bytes / 1e6:g} MB."
        super().__init__(413, why, {"Connection": "close"})


class TooLateError(HTTPException):
    """An upload did not arrive in time."""

    def __init__(self) -> None:
        super().__init__(408, "The upload took too long.", {"Connection": "close"})


class Gate:
    """Counts what is under way, all together and of each address.

    Parameters
    ----------
    total, per_client : int
        How many may be under way at once.
    """

    def __init__(self, total: int, per_client: int):
        self.total, self.per_client = total, per_client
        self.inside: Counter[str] = Counter()

    def enter(self, client: str) -> int:
        """Count one more of a client and return 0, or return the HTTP status that says why not."""
        if self.inside[client] >= self.per_client:
            return 429
        if self.inside.total() >= self.total:
            return 503
        self.inside[client] += 1
        return 0

    def leave(self, client: str) -> None:
        """Count one less of a client."""
        self.inside[client] -= 1
        if self.inside[client] <= 0:
            del self.inside[client]


class Guard:
    """ASGI middleware that refuses requests not meant for this server, or too many.

    Parameters
    ----------
    app : ASGI application
    hosts : iterable of str
        Names under which this server may be addressed, without ports; `"*"` for any.
    origins : iterable of str
        Origins of other pages that may use it, such as `https://example.org`.
    token : str or None
        What requests must send.
    limits : Limits
    count : callable
        Called with the HTTP status of each response to an upload.
    """

    def __init__(
        self,
        app,
        hosts: Iterable[str],
        origins: Iterable[str],
        token: str | None,
        limits: Limits,
        count: Callable[[int], None],
    ):
        self.app = app
        self.hosts = {host.lower().strip("[]") for host in hosts}
        self.origins = {origin.rstrip("/") for origin in origins}
        self.token = token
        self.limits = limits
        self.count = count
        self.gate = Gate(limits.workers + limits.queue, limits.per_client)

    async def __call__(self, scope, receive, send):
        """Answer a request, or hand it on; whatever goes wrong, it has an answer."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if _is_upload(scope):
            send = self._counting(send)
        begun = False

        async def noted(message):
            nonlocal begun
            begun = begun or message["type"] != "http.response.start" or message["status"] >= 200
            await send(message)

        try:
            await self._serve(scope, receive, noted)
        except (asyncio.CancelledError, Exception) as error:
            stopping = isinstance(error, asyncio.CancelledError)  # this took too long for it
            if not stopping:
                logger.exception("A request failed, by a fault of this program")
            if scope["type"] == "websocket":
                with contextlib.suppress(Exception):
                    await send({"type": "websocket.close", "code": 1012 if stopping else 1011})
            elif begun:
                raise
            elif stopping:
                await _turn_away(scope, receive, noted, 503, "The server is stopping.")
            else:
                why = "Something went wrong in the server, whose log says what."
                await _turn_away(scope, receive, noted, 500, why)

    async def _serve(self, scope, receive, send) -> None:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        refusal = self._refuse(scope, headers)
        if refusal:
            await _turn_away(scope, receive, send, *refusal)
        elif _is_upload(scope):
            await self._admit(scope, receive, send, headers)
        else:
            await self.app(scope, receive, _with_headers(send))

    def _counting(self, send):
        async def counting(message):
            if message["type"] == "http.response.start":
                self.count(message["status"])
            await send(message)

        return counting

    def _refuse(self, scope, headers: dict[str, str]) -> tuple[int, str] | None:
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > MOST_HEADERS:
            return 431, f"The headers are longer than {MOST_HEADERS} bytes."
        if "content-length" in headers and "transfer-encoding" in headers:
            # A server before this one may have believed the other of the two.
            return 400, "Give a Content-Length or a Transfer-Encoding, not both."
        host = headers.get("host", "")
        if "*" not in self.hosts and host_name(host) not in self.hosts:
            return 400, "This host name is not served: start the server with `allow_host=NAME`."
        if not allowed_origin(headers.get("origin"), host, self.origins):
            return 403, "This origin is not allowed: start the server with `allow_origin=ORIGIN`."
        # Browsers cannot set headers of a WebSocket: it brings its token in its first message.
        if self.token is None or scope["type"] == "websocket" or scope["path"] in OPEN_PATHS:
            return None
        if scope["method"] == "OPTIONS" and "origin" in headers:
            return None  # a browser asks whether it may ask
        given = bearer(headers)
        if not given:
            return 401, "A token is needed: send Authorization: Bearer TOKEN."
        if not same_token(given, self.token):
            return 401, "The token is wrong: send the one that the server was started with."
        return None

    async def _admit(self, scope, receive, send, headers: dict[str, str]) -> None:
        client = client_of(scope)
        status = self.gate.enter(client)
        if status:
            why = "You have too many requests open" if status == 429 else "All workers are busy"
            await _turn_away(scope, receive, send, status, f"{why}: try again in a second.")
            return
        try:
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > self.limits.max_bytes:
                error = TooLargeError(self.limits)
                await _turn_away(scope, receive, send, error.status_code, error.detail)
                return
            await self.app(scope, _counted(receive, self.limits), _with_headers(send))
        finally:
            self.gate.leave(client)


def _is_upload(scope) -> bool:
    return scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", "/predict")


def _counted(receive, limits: Limits):
    """Return `receive` that counts bytes and looks at the clock."""
    taken = 0
    deadline = asyncio.get_running_loop().time() + limits.time_limit
    whole = False

    async def counted():
        nonlocal taken, whole
        if whole:  # now it waits for the client to go away
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            raise TooLateError from error
        taken += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if taken > limits.max_bytes:
            raise TooLargeError(limits)
        return message

    return counted


def security_headers() -> list[tuple[bytes, bytes]]:
    """Return the headers that every response bears."""
    return [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def client_of(scope) -> str:
    """Return whose request this is: an address, or of IPv6 the network that one client has.

    Examples
    --------
    >>> from sklearn_ser.server.guard import client_of
    >>> client_of({"client": ("127.0.0.2", 1)}), client_of({"client": ("2001:db8::1:2", 1)})
    ('127.0.0.2', '2001:db8::/64')
    """
    address = (scope.get("client") or ("",))[0]
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


def _with_headers(send):
    async def wrapped(message):
        if message["type"] == "http.response.start":
            given = {name for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *(header for header in security_headers() if header[0] not in given),
            ]
        await send(message)

    return wrapped


async def _turn_away(scope, receive, send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": 1008, "reason": why})
        return
    body = json.dumps({"detail": why}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    if status in (429, 503):
        headers["retry-after"] = "1"
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if status in (400, 408, 413, 431, 500):
        headers["connection"] = "close"
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await _with_headers(send)({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": status == 413})
    if status == 413:
        # A client that is cut off while it sends may never read why.
        try:
            async with asyncio.timeout(2):
                while (await receive()).get("more_body"):
                    pass
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})


def host_name(host: str) -> str:
    """Return the name in a Host header, without its port.

    Examples
    --------
    >>> from sklearn_ser.server.guard import host_name
    >>> host_name("LOCALHOST:8000"), host_name("[::1]:8000"), host_name("a@b")
    ('localhost', '::1', '')
    """
    try:
        parts = urlsplit(f"//{host}")
        return "" if parts.username is not None or parts.path else (parts.hostname or "")
    except ValueError:
        return ""


def allowed_origin(origin: str | None, host: str, origins: Iterable[str]) -> bool:
    """Say whether a page may send a request: it is our own, or was named.

    Programs other than browsers send no origin; a browser always sends one with a WebSocket.
    """
    if origin is None or origin in origins:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of an Authorization header, or an empty string."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def same_token(given: str, token: str) -> bool:
    """Compare tokens in a time that tells nothing about them."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8", "replace"))
