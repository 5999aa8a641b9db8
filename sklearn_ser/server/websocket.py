"""The WebSocket: samples in, events out, in bounded time and memory."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from sklearn_ser.audio.waveforms import PCM_TYPES
from sklearn_ser.exceptions import SerError
from sklearn_ser.inference import Predictor
from sklearn_ser.inference.segments import SegmentMerger
from sklearn_ser.inference.stream import EmotionEvent, EmotionStream
from sklearn_ser.server.guard import Gate, client_of, same_token
from sklearn_ser.server.limits import Limits

__all__ = ["StreamEndpoint", "check_windows"]

FIELDS = {"rate", "encoding", "window", "hop", "token"}  # of the first message
LONGEST_FIRST_MESSAGE = 4096
POLICY, TRY_LATER, DONE = 1008, 1013, 1000  # of the codes a WebSocket may close with


def check_windows(window: float | None, hop: float | None) -> None:
    """Raise `ValueError` for windows that take more work than an untrusted client may ask for."""
    if window is None:
        if hop is not None:
            raise ValueError("hop needs a window.")
        return
    hop = window / 4 if hop is None else hop
    if not 0.1 <= window <= 60 or not max(0.05, window / 20) <= hop <= 3600:
        raise ValueError(
            f"window={window:g} and hop={hop:g}: give a window of 0.1 to 60 seconds, and a hop of "
            "at least 0.05 seconds and a twentieth of the window."
        )


class StreamEndpoint:
    """Serves WebSockets.

    A client first sends JSON: `rate` in Hz, and if wished `encoding` ("f32le" or "s16le"),
    `window`, `hop`, and the `token`. Binary messages are mono samples; the text `end` asks for the
    last events. It takes one of the places only when its first message is right.

    Parameters
    ----------
    predictor : Predictor
    limits : Limits
    token : str or None
    executor : Executor
        Where the work is done.
    count : callable
        Called with 1 when a stream begins and with -1 when it ends.
    """

    def __init__(
        self,
        predictor: Predictor,
        limits: Limits,
        token: str | None,
        executor: Executor,
        count: Callable[[int], None],
    ):
        self.predictor, self.limits, self.token = predictor, limits, token
        self.executor, self.count = executor, count
        self.gate = Gate(limits.streams, limits.streams_per_client)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one WebSocket from its opening to its end."""
        try:
            await socket.accept()
            async with asyncio.timeout(self.limits.head_seconds):
                first = await _receive(socket)
            conversation = _Conversation(socket, self, _read_first(first, self.token))
            with self._place(client_of(socket.scope)):
                await conversation.hold()
        except TimeoutError:
            await _close(socket, POLICY, "Nothing came, or nothing was read, for too long.")
        except BusyError as error:
            await _close(socket, TRY_LATER, str(error))
        except (ValueError, TypeError, OverflowError, RecursionError, SerError) as error:
            await _close(socket, POLICY, str(error))
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client went away, perhaps while an event was on its way

    @contextmanager
    def _place(self, client: str):
        if self.gate.enter(client):
            raise BusyError("Too many streams are open: try again later.")
        self.count(1)
        try:
            yield
        finally:
            self.count(-1)
            self.gate.leave(client)


class BusyError(Exception):
    """All places are taken."""


class _Conversation:
    """One stream: what came of it, and when."""

    def __init__(self, socket: WebSocket, endpoint: StreamEndpoint, options: dict[str, Any]):
        self.socket, self.limits, self.executor = socket, endpoint.limits, endpoint.executor
        self.predictor = endpoint.predictor
        self.stream, encoding = _begin(options, self.predictor, self.limits)
        self.merger = SegmentMerger()
        self.dtype = PCM_TYPES[encoding]
        self.rest = b""  # part of a sample
        self.pushed = 0  # samples
        self.began = self.fed = time.monotonic()  # fed: when the last whole second had come

    async def hold(self) -> None:
        """Take samples and send events until one side ends it."""
        ready = {"type": "ready", "rate": self.stream.rate, "emotions": self.predictor.emotions}
        await self._send(ready)
        while True:
            async with asyncio.timeout(self.fed + self.limits.idle_seconds - time.monotonic()):
                message = await _receive(self.socket)
            if message.get("text") == "end":
                await self._send_events(await self._work(self.stream.finish))
                await self._send({"type": "end", "seconds": self.stream.seconds})
                await _close(self.socket, DONE, "")
                return
            if not message.get("bytes"):
                raise ValueError("Send samples in binary messages, or the text end.")
            await self._take(self.rest + message["bytes"])

    async def _take(self, data: bytes) -> None:
        """Work on samples a second at a time, none before its turn by the clock."""
        n = len(data) // self.dtype.itemsize * self.dtype.itemsize
        self.rest = data[n:]
        raw = np.frombuffer(data[:n], self.dtype)
        rate = self.stream.rate
        if len(raw) > self.limits.ahead_seconds * rate:
            raise ValueError(f"Send at most {self.limits.ahead_seconds:g} seconds in a message.")
        # In steps, so that other streams have their turns between them.
        for start in range(0, len(raw), rate):
            samples = raw[start : start + rate]
            elapsed = time.monotonic() - self.began
            after = (self.pushed + len(samples)) / rate
            if max(after, elapsed) > self.limits.stream_seconds:
                raise ValueError("This stream is as long as it may be: open another.")
            if (ahead := after - elapsed - self.limits.ahead_seconds) > 0:
                await asyncio.sleep(ahead)
            await self._send_events(await self._work(self.stream.push, samples))
            if (self.pushed + len(samples)) // rate > self.pushed // rate:
                self.fed = time.monotonic()
            self.pushed += len(samples)

    async def _work(self, function: Callable, *arguments: Any) -> list[EmotionEvent]:
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *arguments)

    async def _send_events(self, events: list[EmotionEvent]) -> None:
        for event in events:
            # The segment that it has ended, if it has, and the one it belongs to.
            segments = [*self.merger.push(event), self.merger.current]
            changed = [segment.as_json() for segment in segments if segment is not None]
            await self._send({"type": "event", **event.as_json(), "segments": changed})

    async def _send(self, message: dict[str, Any]) -> None:
        async with asyncio.timeout(self.limits.idle_seconds):  # it may not read what it is sent
            await self.socket.send_json(message)


def _read_first(message: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Return what the first message says, once its token is right."""
    text = message.get("text") or "null"
    if len(text) > LONGEST_FIRST_MESSAGE:
        raise ValueError(f"The first message may have {LONGEST_FIRST_MESSAGE} characters.")
    try:
        options = json.loads(text)
    except (ValueError, RecursionError):
        options = None
    if not isinstance(options, dict):
        raise ValueError('Begin with JSON such as {"rate": 48000}.')
    if token is not None:
        if "token" not in options:
            raise ValueError("A token is needed: send it in the first message.")
        if not same_token(str(options["token"]), token):
            raise ValueError("The token is wrong.")
    if unknown := sorted(set(options) - FIELDS):
        raise ValueError(f"{_shown(unknown[0])} is none of {', '.join(sorted(FIELDS))}.")
    return options


def _begin(
    options: dict[str, Any], predictor: Predictor, limits: Limits
) -> tuple[EmotionStream, str]:
    rate, encoding = options.get("rate"), options.get("encoding", "f32le")
    if type(rate) is not int or not 1000 <= rate <= limits.max_rate:
        raise ValueError(f"rate={_shown(rate)}: give whole Hz, from 1000 to {limits.max_rate}.")
    if not isinstance(encoding, str) or encoding not in PCM_TYPES:
        raise ValueError(f"encoding={_shown(encoding)}: there are {' and '.join(PCM_TYPES)}.")
    window, hop = (
        _seconds(options.get(name, usual)) for name, usual in (("window", 2), ("hop", 0.5))
    )
    check_windows(window, hop)
    return EmotionStream(predictor, window, hop, rate=rate), encoding


def _seconds(value: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError("window and hop are numbers of seconds.")
    try:
        return float(value)
    except OverflowError:  # JSON's whole numbers have no end
        return math.inf


def _shown(value: Any) -> str:
    return ascii(value)[:40]


async def _receive(socket: WebSocket) -> dict[str, Any]:
    message = dict(await socket.receive())
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", DONE))
    return message


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Close a WebSocket, whose closing frame has room for a reason of 123 bytes."""
    try:
        async with asyncio.timeout(1.0):  # one that reads nothing is cut by the server
            await socket.close(code, reason.encode()[:120].decode("utf-8", "ignore"))
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        pass
