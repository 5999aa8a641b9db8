"""What every request meets before anything looks at it: whence, whose, how many, how large."""

import asyncio
import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from sklearn_ser.server.limits import Limits

__all__ = ["Gate", "Guard", "TooLargeError", "TooLateError", "allowed_origin", "same_token"]

OPEN_PATHS = ("/", "/health", "/page/style.css", "/page/app.js", "/page/recorder.js")

HEADERS = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class TooLargeError(HTTPException):
    """An upload is larger than allowed."""

    def __init__(self, limits: Limits):
        super().__init__(413, f"The upload is larger than {limits.max_bytes / 1e6:g} MB.")


class TooLateError(HTTPException):
    """An upload did not arrive in time."""

    def __init__(self) -> None:
        super().__init__(408, "The upload took too long.")


class Gate:
    """Counts who is inside, all together and of each address.

    Parameters
    ----------
    total, per_client : int
        How many may be inside at once.
    """

    def __init__(self, total: int, per_client: int):
        self.total, self.per_client = total, per_client
        self.inside: Counter[str] = Counter()

    def enter(self, client: str) -> int:
        """Let a client in and return 0, or return the HTTP status that says why not."""
        if self.inside[client] >= self.per_client:
            return 429
        if self.inside.total() >= self.total:
            return 503
        self.inside[client] += 1
        return 0

    def leave(self, client: str) -> None:
        """Let a client out."""
        self.inside[client] -= 1
        if self.inside[client] <= 0:
            del self.inside[client]


class Guard:
    """ASGI middleware that turns away what is not meant for this server.

    Parameters
    ----------
    app : ASGI application
    hosts : iterable of str
        Names under which this server may be addressed, without ports; `"*"` for any.
    origins : iterable of str
        Origins of other pages that may use it, such as `https://example.org`.
    token : str or None
        What requests must bear.
    limits : Limits
    count : callable
        Told the HTTP status of each answer to an upload.
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
        """Answer a request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        upload = scope["type"] == "http" and (scope["path"], scope["method"]) == (
            "/predict",
            "POST",
        )
        if upload:
            send = self._counting(send)
        refusal = self._refuse(scope, headers)
        if refusal:
            await _turn_away(scope, receive, send, *refusal)
        elif upload:
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
        host = headers.get("host", "")
        if "*" not in self.hosts and host_name(host) not in self.hosts:
            return 400, "This host name is not served: start with --allow-host NAME."
        if not allowed_origin(headers.get("origin"), host, self.origins):
            return 403, "This origin is not allowed: start with --allow-origin ORIGIN."
        # Browsers cannot set headers of a WebSocket: it brings its token in its first message.
        if self.token is None or scope["type"] == "websocket" or scope["path"] in OPEN_PATHS:
            return None
        if scope["method"] == "OPTIONS" and "origin" in headers:
            return None  # a browser asks whether it may ask
        if not same_token(bearer(headers), self.token):
            return 401, "A token is needed: send Authorization: Bearer TOKEN."
        return None

    async def _admit(self, scope, receive, send, headers: dict[str, str]) -> None:
        client = (scope.get("client") or ("",))[0]
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


def _with_headers(send):
    async def wrapped(message):
        if message["type"] == "http.response.start":
            given = {name for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *((k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in given),
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
    if status in (408, 413):
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

    What is no browser sends no origin; and a browser always tells one on a WebSocket.
    """
    if origin is None or origin in origins:
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def bearer(headers: dict[str, str]) -> str:
    """Return the token that headers bear."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def same_token(given: str, token: str) -> bool:
    """Compare tokens in a time that tells nothing about them."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8", "replace"))
