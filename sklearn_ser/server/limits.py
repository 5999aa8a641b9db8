"""How much a stranger may ask for."""

import os
from dataclasses import dataclass, field

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of what one request, one client and all together may take.

    Parameters
    ----------
    max_bytes : int
        Size of an upload.
    max_seconds : float
        Length of its audio; what counts is the samples it decodes to.
    max_rate : int
        Its sampling rate, in Hz.
    max_channels : int
    time_limit : float
        Seconds for an upload to arrive, and for the work on it.
    workers : int
        Processes that decode and predict.
    queue : int
        Requests that may wait for a worker; more get a 503.
    per_client : int
        Requests and streams of one address at once; more get a 429.
    streams : int
        WebSockets open at once.
    stream_seconds : float
        How long a WebSocket may stay open, and ...
    ahead_seconds : float
        ... how far ahead of the clock its audio may run before it has to wait.
    """

    max_bytes: int = 20_000_000
    max_seconds: float = 600.0
    max_rate: int = 192_000
    max_channels: int = 8
    time_limit: float = 30.0
    workers: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))
    queue: int = 64
    per_client: int = 8
    streams: int = 16
    stream_seconds: float = 3600.0
    ahead_seconds: float = 30.0
