"""Worker processes, which decode untrusted audio: if one dies, only its request fails."""

import enum
import io
import json
import os
import signal
import socket
import struct
import threading
import traceback
from dataclasses import replace
from typing import Any

import sklearn
from threadpoolctl import threadpool_limits

from sklearn_ser.audio.decoding import SERVED_FORMATS, AudioSettings, Channel, open_source
from sklearn_ser.exceptions import AudioError, SerError
from sklearn_ser.inference import Predictor, load_predictor
from sklearn_ser.inference.segments import merge, summarize
from sklearn_ser.inference.stream import EmotionStream, settings_of
from sklearn_ser.persistence import ModelFile
from sklearn_ser.server.limits import Limits

__all__ = ["REPLY", "REQUEST", "Kind", "run"]

REQUEST = struct.Struct("!IQ")  # lengths of a head of JSON and of an upload, which follow
REPLY = struct.Struct("!BdQ")  # a Kind, the seconds of audio, the length of what follows


class Kind(enum.IntEnum):
    """What a worker's reply is; its text follows."""

    READY = 0
    PREDICTED = 1
    REFUSED = 2
    FAILED = 3


class Upload(io.BytesIO):
    """The bytes of a file that errors call `the file`."""

    name = "the file"


def run(connection: socket.socket, model: ModelFile, abstain_below: float, limits: Limits) -> None:
    """Predict uploads that come over a socket, until it is closed.

    Parameters
    ----------
    connection : socket
        Requests and replies are headed by `REQUEST` and `REPLY`.
    model : ModelFile
        Which the server has loaded already, so that it is trusted.
    abstain_below : float
    limits : Limits
    """
    # Ctrl+C and a service manager reach every process of a server: it decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        predictor = _prepare(model, abstain_below, limits)
    except Exception as error:
        _send(connection, Kind.FAILED, f"{type(error).__name__}: {error}")
        return
    _send(connection, Kind.READY, "")
    while (head := _receive(connection, REQUEST.size)) is not None:
        n_head, n_data = REQUEST.unpack(head)
        options, data = _receive(connection, n_head), _receive(connection, n_data)
        if options is None or data is None:
            return
        seconds = 0.0
        try:
            result = predict_upload(predictor, limits, data, **json.loads(options))
            kind, text, seconds = (
                Kind.PREDICTED,
                json.dumps(result, allow_nan=False),
                result["seconds"],
            )
        except (SerError, ValueError) as error:
            kind, text = Kind.REFUSED, str(error)
        except MemoryError:
            kind, text = Kind.REFUSED, "the file takes more memory than one may: send less audio."
        except Exception:
            kind, text = Kind.FAILED, traceback.format_exc()
        del data
        _send(connection, kind, text, seconds)


def _prepare(model: ModelFile, abstain_below: float, limits: Limits) -> Predictor:
    """Load the model, and bound what this process may do from then on."""
    threadpool_limits(1)
    # Features are looked at before a classifier sees them: to look again takes a millisecond.
    sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
    predictor = load_predictor(model, trust=True, abstain_below=abstain_below)
    predictor.settings = replace(predictor.settings, formats=limits.formats)
    predictor.warm_up()
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Not RLIMIT_AS: TensorFlow reserves addresses by the ten gigabytes and never uses them.
        most = _data_bytes() + limits.worker_memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    except (ImportError, ValueError, OSError):  # Windows has no such limits, macOS no /proc
        pass
    # Decoders write about each bad file there: clients could fill a log, or a pipe nobody reads.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return predictor


def _data_bytes() -> int:
    """Return how much writable memory this process has mapped."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        sizes = [int(line.split()[1]) for line in lines if line.startswith("VmData")]
    if not sizes:
        raise OSError("the system does not say how much memory is mapped")
    return sizes[0] * 1024


def _end_with_the_server() -> None:
    """End this process when the server's has ended, even by kill -9 and whatever is worked on."""
    import multiprocessing

    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(1)


def _receive(connection: socket.socket, n: int) -> bytearray | None:
    """Return the next `n` bytes, or None where the server has closed the socket."""
    data = bytearray(n)
    view, got = memoryview(data), 0
    while got < n:
        try:
            more = connection.recv_into(view[got:])
        except OSError:
            return None
        if not more:
            return None
        got += more
    return data


def _send(connection: socket.socket, kind: Kind, text: str, seconds: float = 0.0) -> None:
    body = text.encode("utf-8", "replace")
    try:
        connection.sendall(REPLY.pack(kind, seconds, len(body)) + body)
    except OSError:  # the server has gone away: the next read says so too
        return


def predict_upload(
    predictor: Predictor,
    limits: Limits,
    data: bytes | bytearray,
    window: float | None = None,
    hop: float | None = None,
    channels: str = "mix",
) -> dict[str, Any]:
    """Predict the emotion of an upload, or of its windows.

    Parameters
    ----------
    predictor : Predictor
    limits : Limits
    data : bytes
        A file of audio.
    window, hop : float, default=None
        In seconds; without them the file is one clip.
    channels : {"mix", "split"}, default="mix"
        Whether the mean of the channels is predicted, or each by itself.

    Returns
    -------
    result : dict
        What `POST /predict` returns.

    Raises
    ------
    AudioError
        If it cannot be decoded, or exceeds the limits.
    """
    loader = predictor.settings
    longest = limits.max_seconds
    if window is None and loader.max_duration is not None:
        longest = min(longest, loader.max_duration)
    _check_kind(data, limits)
    seconds, n_channels = _check(Upload(data), replace(loader, max_duration=longest), limits)
    sources: list[Any] = [Upload(data)]
    if channels == "split":
        sources = [Channel(Upload(data), i, Upload.name) for i in range(n_channels)]
    results = []
    for source in sources:
        if window is not None:
            stream = EmotionStream(predictor, window, window / 4 if hop is None else hop)
            settings = replace(settings_of(predictor), max_duration=longest)
            found = _over_time(stream, source, settings)
        else:
            (prediction,) = predictor.iter_predictions([source])
            if prediction.error is not None:
                raise AudioError(prediction.error)
            found = predictor.as_json(prediction)
        results.append({"seconds": seconds, **found})
    return {"seconds": seconds, "channels": results} if channels == "split" else results[0]


def _check_kind(data: bytes | bytearray, limits: Limits) -> None:
    """Refuse a file of another kind before a decoder sees as much as its header."""
    if limits.formats is None or not set(limits.formats) <= set(SERVED_FORMATS) or not data:
        return
    start = 0
    if data[:3] == b"ID3" and len(data) >= 10:  # libsndfile looks at what follows this
        size = data[6:10]
        start = 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    head, form = bytes(data[start : start + 4]), bytes(data[start + 8 : start + 12])
    if not (
        head in (b"fLaC", b"OggS")
        or (head in (b"RIFF", b"RIFX") and form == b"WAVE")
        or (head == b"FORM" and form in (b"AIFF", b"AIFC"))
        or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")  # a frame of MP3
    ):
        raise AudioError(
            f"the file is not audio that can be decoded: allowed are {', '.join(limits.formats)}. "
            "Convert it to wav or flac."
        )


def _check(file: Upload, settings: AudioSettings, limits: Limits) -> tuple[float, int]:
    """Return the length of a file in seconds and its channels, before anything is decoded."""
    # The whole is what is limited, whichever part of it the pipeline looks at.
    settings = replace(settings, offset=0.0, duration=None, max_duration=limits.max_seconds)
    with open_source(file, settings, file.name) as (audio, promised):
        rate, channels = audio.samplerate, audio.channels
    if rate > limits.max_rate:
        raise AudioError(
            f"the file has a sampling rate of {rate} Hz: {limits.max_rate} is allowed."
        )
    if channels > limits.max_channels:
        raise AudioError(f"the file has {channels} channels: {limits.max_channels} are allowed.")
    return promised / rate, channels


def _over_time(stream: EmotionStream, source: Any, settings: AudioSettings) -> dict[str, Any]:
    events = [event for some in stream.listen_to(source, settings) for event in some]
    whole = summarize(events, stream.predictor)
    if whole.error is not None:
        raise AudioError(whole.error)
    return {
        **stream.predictor.as_json(whole),
        "windows": [event.as_json() for event in events],
        "segments": [segment.as_json() for segment in merge(events)],
    }
