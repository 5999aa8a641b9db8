"""The WebSocket: samples in, events out."""

import asyncio
import json
import time
from concurrent.futures import Executor
from typing import Any

import numpy as np

from sklearn_ser.exceptions import SerError
from sklearn_ser.inference import Predictor
from sklearn_ser.inference.segments import SegmentMerger
from sklearn_ser.inference.stream import EmotionEvent, EmotionStream
from sklearn_ser.server.guard import same_token
from sklearn_ser.server.limits import Limits

__all__ = ["check_windows", "converse"]

ENCODINGS = {"f32le": ("<f4", 1.0), "s16le": ("<i2", 1 / 32768)}

IDLE_SECONDS = 30.0
POLICY, TRY_LATER, DONE = 1008, 1013, 1000  # of the codes a WebSocket may close with


def check_windows(window: float | None, hop: float | None) -> None:
    """Raise `ValueError` for windows that would take more work than strangers may ask for."""
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


async def converse(
    socket, predictor: Predictor, limits: Limits, token: str | None, executor: Executor
) -> None:
    """Serve one WebSocket from its first message to its end.

    Parameters
    ----------
    socket : starlette.websockets.WebSocket
        Accepted. Its first message is JSON: `rate` in Hz, and if wished `encoding` ("f32le" or
        "s16le"), `window`, `hop`, and the `token`. Binary messages are mono samples; the text
        `end` asks for the last events.
    predictor : Predictor
    limits : Limits
    token : str or None
    executor : Executor
        Where the work is done.
    """
    try:
        told = json.loads((await _receive(socket)).get("text") or "null")
        stream, encoding = _begin(told, predictor, limits, token)
    except (ValueError, TypeError, SerError) as error:
        await socket.close(POLICY, _short(str(error)))
        return
    await socket.send_json({"type": "ready", "rate": stream.rate, "emotions": predictor.emotions})
    merger = SegmentMerger()
    loop = asyncio.get_running_loop()
    began, pushed, rest = time.monotonic(), 0.0, b""
    kind, scale = ENCODINGS[encoding]
    size = np.dtype(kind).itemsize
    while True:
        message = await _receive(socket)
        if message.get("text") == "end":
            for event in await loop.run_in_executor(executor, stream.finish):
                await socket.send_json(_event_message(event, merger))
            await socket.send_json({"type": "end", "seconds": stream.seconds})
            await socket.close(DONE)
            return
        data = rest + (message.get("bytes") or b"")
        n = len(data) // size * size
        data, rest = data[:n], data[n:]
        samples = np.frombuffer(data, kind).astype(np.float32) * np.float32(scale)
        try:
            events = await loop.run_in_executor(executor, stream.push, samples)
        except SerError as error:
            await socket.close(POLICY, _short(str(error)))
            return
        for event in events:
            await socket.send_json(_event_message(event, merger))
        pushed += len(samples) / stream.rate
        elapsed = time.monotonic() - began
        if max(pushed, elapsed) > limits.stream_seconds:
            await socket.close(POLICY, "This stream is as long as it may be: open another.")
            return
        if (ahead := pushed - elapsed - limits.ahead_seconds) > 0:
            await asyncio.sleep(min(ahead, IDLE_SECONDS))


def _event_message(event: EmotionEvent, merger: SegmentMerger) -> dict[str, Any]:
    """Return an event, with the segment it has ended, if it has, and the one it belongs to."""
    segments = [*merger.push(event), merger.current]
    changed = [segment.as_json() for segment in segments if segment is not None]
    return {"type": "event", **event.as_json(), "segments": changed}


def _begin(
    told: Any, predictor: Predictor, limits: Limits, token: str | None
) -> tuple[EmotionStream, str]:
    if not isinstance(told, dict):
        raise ValueError('Begin with JSON such as {"rate": 48000}.')
    if token is not None and not same_token(str(told.get("token", "")), token):
        raise ValueError("A token is needed: send it in the first message.")
    rate, encoding = told.get("rate"), told.get("encoding", "f32le")
    if not isinstance(rate, int) or not 1000 <= rate <= limits.max_rate:
        raise ValueError(f"rate={rate!r}: give whole Hz, from 1000 to {limits.max_rate}.")
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding={encoding!r}: there are {' and '.join(ENCODINGS)}.")
    window, hop = told.get("window", 2.0), told.get("hop", 0.5)
    if not all(isinstance(value, int | float) for value in (window, hop)):
        raise ValueError("window and hop are numbers of seconds.")
    check_windows(window, hop)
    return EmotionStream(predictor, window, hop, rate=rate), encoding


async def _receive(socket) -> dict[str, Any]:
    from starlette.websockets import WebSocketDisconnect

    async with asyncio.timeout(IDLE_SECONDS):
        message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", DONE))
    return message


def _short(reason: str) -> str:
    """Return a reason that fits into a closing frame, which has room for 123 bytes."""
    return reason.encode()[:120].decode("utf-8", "ignore")
