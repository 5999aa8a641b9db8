"""Sources of live audio, and the latency of the predictions."""

import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_ser.audio.blocks import iter_blocks
from sklearn_ser.audio.decoding import AudioSettings
from sklearn_ser.audio.waveforms import PCM_TYPES, check_waveform
from sklearn_ser.exceptions import AudioError, OptionError
from sklearn_ser.inference.stream import EmotionEvent, EmotionStream

__all__ = ["LiveReport", "file_blocks", "follow", "microphone_blocks", "pipe_blocks"]

BLOCK_SECONDS = 0.1
QUIET_SECONDS = 10.0  # without any sample, after which something must be wrong
WANTED_FACTOR = 20.0  # times faster than the clock, to leave the core to others as well

Block = tuple[float, np.ndarray]  # when its last sample came (time.monotonic), and the samples


@dataclass
class LiveReport:
    """How well a live session went.

    Attributes
    ----------
    seconds : float
        Length of the audio.
    busy : float
        Seconds of work that took.
    n_windows, n_speech : int
        Windows, and those with speech.
    latencies : deque of float
        Seconds from the last sample of a window to its prediction, of the latest windows.
    """

    seconds: float = 0.0
    busy: float = 0.0
    n_windows: int = 0
    n_speech: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=100_000))

    @property
    def factor(self) -> float:
        """How many times faster than the clock the work was."""
        return self.seconds / self.busy if self.busy else float("inf")

    def figures(self) -> dict[str, Any]:
        """Return everything as plain numbers, the latencies in milliseconds."""
        found = np.array(self.latencies) * 1000
        latency = {
            name: float(np.quantile(found, q)) if len(found) else None
            for name, q in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)]
        }
        return {
            "seconds": self.seconds,
            "windows": self.n_windows,
            "latency_ms": latency,
            "times_real_time": self.factor,
            "keeps_up": self.factor >= WANTED_FACTOR,
        }

    def sentences(self) -> list[str]:
        """Return it as sentences for a person."""
        windows = "window" if self.n_windows == 1 else "windows"
        sentences = [f"{self.n_windows} {windows} in {self.seconds:.1f} s of audio."]
        if self.latencies:
            latency = self.figures()["latency_ms"]
            sentences.append(
                f"From the last sample to the prediction: {latency['p50']:.1f} ms (median), "
                f"{latency['p99']:.1f} ms (p99), {latency['max']:.1f} ms (longest)."
            )
            sentences.append(f"{self.factor:.0f} times faster than the clock, on one core.")
        if self.n_windows and not self.n_speech:
            sentences.append(
                "No window held speech: is the microphone muted, or `silence_db` too high?"
            )
        if self.factor < 1:
            sentences.append("It cannot keep up: use a longer `hop`, or a lighter model.")
        elif self.factor < WANTED_FACTOR:
            sentences.append(
                f"That is less than the {WANTED_FACTOR:.0f} times that leave the core to others: "
                "a longer `hop` or a lighter model helps."
            )
        return sentences


def follow(
    stream: EmotionStream,
    blocks: Iterator[Block],
    on_event: Callable[[EmotionEvent], None],
    report: LiveReport,
    on_samples: Callable[[np.ndarray], None] | None = None,
) -> None:
    """Push blocks into a stream as they come, and hand each event on.

    Parameters
    ----------
    stream : EmotionStream
    blocks : iterator of (float, ndarray of shape (n_times,))
    on_event : callable
    report : LiveReport
        Kept up to date.
    on_samples : callable, default=None
        Is given each block before it is worked on.
    """

    def take(events: list[EmotionEvent]) -> None:
        report.n_windows += len(events)
        report.n_speech += sum(event.speech for event in events)
        for event in events:
            on_event(event)

    for arrived, samples in blocks:
        if on_samples is not None:
            on_samples(samples)
        started = time.perf_counter()
        events = stream.push(samples)
        report.busy += time.perf_counter() - started
        report.latencies.extend([time.monotonic() - arrived] * len(events))
        report.seconds += len(samples) / stream.rate
        take(events)
    take(stream.finish())


def file_blocks(path: str, sr: int, res_type: str) -> Iterator[Block]:
    """Yield a file block by block at the speed at which it would be played.

    Parameters
    ----------
    path : str
    sr : int
        Sampling rate of the blocks, in Hz.
    res_type : str

    Yields
    ------
    block : (float, ndarray)
    """
    size, began, n = round(BLOCK_SECONDS * sr), None, 0
    settings = AudioSettings(sr=sr, res_type=res_type, max_duration=None)
    for y in iter_blocks(path, settings):
        for start in range(0, len(y), size):
            block = y[start : start + size]
            n += len(block)
            began = began or time.monotonic()
            due = began + n / sr
            time.sleep(max(0.0, due - time.monotonic()))
            yield due, block


def pipe_blocks(rate: int, encoding: str) -> Iterator[Block]:
    """Yield what comes on standard input, raw mono samples.

    Parameters
    ----------
    rate : int
        Their sampling rate, in Hz.
    encoding : {"s16le", "f32le"}

    Yields
    ------
    block : (float, ndarray)

    Raises
    ------
    AudioError
        If nothing has come for ten seconds.
    """
    kind = PCM_TYPES[encoding]
    size = kind.itemsize

    def read(put: Callable[[bytes], None]) -> None:
        # Without Python's buffer, whose lock a waiting thread would hold when the program ends.
        while data := os.read(sys.stdin.fileno(), 1 << 16):
            put(data)

    rest = b""
    for arrived, data in _from_thread(read, "standard input"):
        data = rest + data
        n = len(data) // size * size
        data, rest = data[:n], data[n:]
        samples = check_waveform(np.frombuffer(data, kind), "standard input")
        if encoding == "f32le" and not np.isfinite(samples).all():
            raise AudioError(
                "Standard input holds NaN: it may not be 32-bit floats; see `encoding`."
            )
        yield arrived, samples


def microphone_blocks(device: str | int | None, rate: int) -> Iterator[Block]:
    """Yield what a microphone hears.

    Parameters
    ----------
    device : str or int or None
        Its name or number; `None` is the system's default.
    rate : int
        Sampling rate, in Hz.

    Yields
    ------
    block : (float, ndarray)

    Raises
    ------
    OptionError
        If there is none, or the library for it is missing.
    AudioError
        If it falls silent for good.
    """
    sounddevice = import_sounddevice()

    def read(put: Callable[[np.ndarray], None]) -> None:
        blocks: queue.Queue = queue.Queue()

        def take(data, frames, when, status) -> None:
            blocks.put(data[:, 0].copy())

        size = round(BLOCK_SECONDS * rate)
        with sounddevice.InputStream(
            rate, size, device, channels=1, dtype="float32", callback=take
        ):
            while True:
                put(blocks.get())

    try:
        yield from _from_thread(read, "the microphone")
    except sounddevice.PortAudioError as error:
        raise OptionError(
            f"The microphone cannot be opened ({error}): plug one in, choose one with "
            "`device`, or use `source=FILE`."
        ) from error


def import_sounddevice() -> Any:
    """Return the module that knows microphones, or say what to install."""
    try:
        import sounddevice
    except ImportError as error:
        raise OptionError("A microphone needs: pip install 'sklearn-ser[live]'.") from error
    except OSError as error:
        raise OptionError(
            "A microphone needs the library PortAudio: apt install libportaudio2 on Debian."
        ) from error
    return sounddevice


def _from_thread(read: Callable, name: str) -> Iterator[tuple[float, Any]]:
    """Yield what a thread reads, so that work does not keep it from reading."""
    waiting: queue.Queue = queue.Queue(maxsize=1000)

    def run() -> None:
        try:
            read(lambda data: waiting.put((time.monotonic(), data)))
            waiting.put((0.0, None))
        except BaseException as error:
            waiting.put((0.0, error))

    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            arrived, data = waiting.get(timeout=QUIET_SECONDS)
        except queue.Empty:
            raise AudioError(
                f"Nothing came from {name} for {QUIET_SECONDS:.0f} s: is something writing to it?"
            ) from None
        if isinstance(data, BaseException):
            raise data
        if data is None:
            return
        yield arrived, data
