"""Limits on what an untrusted client may ask for."""

import os
from dataclasses import dataclass, field

from sklearn_ser.audio.decoding import SERVED_FORMATS

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
    formats : tuple of str, or None
        Which kinds of files are decoded, by libsndfile's names and `"FFMPEG"`; `None` for all.
        There are some twenty more, each with a decoder that a crafted file can reach.
    time_limit : float
        Seconds for an upload to arrive, for its turn to come, and for the work on it.
    workers : int
        Processes that decode and predict.
    worker_memory : int
        Bytes that a worker may take beyond what it has once the model is loaded.
    queue : int
        Requests that may wait for a worker; more get a 503.
    per_client : int
        Requests of one address at once; more get a 429.
    streams, streams_per_client : int
        WebSockets open at once, all together and of one address.
    stream_seconds : float
        How long a WebSocket may stay open, and how much audio it may bring.
    ahead_seconds : float
        How far ahead of the clock its audio may run before it has to wait, and the longest message.
    idle_seconds : float
        How long a WebSocket may take to bring one more second of audio, and to read an event.
    connections, connections_per_client : int
        TCP connections open at once, all together and of one address.
    head_seconds : float
        How long a connection may take to send the head of a request, or to begin another.
    stall_seconds : float
        How long a client may take nothing of an answer before its connection is cut.
    stop_seconds : float
        How long a server that has to stop finishes what it is working on.
    """

    max_bytes: int = 20_000_000
    max_seconds: float = 600.0
    max_rate: int = 192_000
    max_channels: int = 8
    formats: tuple[str, ...] | None = SERVED_FORMATS
    time_limit: float = 30.0
    workers: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))
    worker_memory: int = 1_000_000_000
    queue: int = 64
    per_client: int = 8
    streams: int = 16
    streams_per_client: int = 4
    stream_seconds: float = 3600.0
    ahead_seconds: float = 30.0
    idle_seconds: float = 30.0
    connections: int = 512
    connections_per_client: int = 64
    head_seconds: float = 10.0
    stall_seconds: float = 30.0
    stop_seconds: float = 8.0
