"""What happens in the processes that decode strangers' audio: one may die, and only it."""

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import sklearn
from threadpoolctl import threadpool_limits

from sklearn_ser._files import nan_to_none
from sklearn_ser.audio.decoding import AudioSettings, open_source
from sklearn_ser.exceptions import AudioError
from sklearn_ser.inference import load_predictor
from sklearn_ser.inference.segments import SegmentMerger
from sklearn_ser.inference.stream import EmotionStream, settings_of
from sklearn_ser.server.limits import Limits

__all__ = ["answer", "start"]

_worker: dict[str, Any] = {}


class Upload(io.BytesIO):
    """The bytes of a file that errors call `the file`."""

    name = "the file"


def start(model: Path, trust: bool, abstain_below: float, limits: Limits) -> None:
    """Make a process ready: the model loaded, one thread of mathematics, no dumps, no chatter."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except ImportError:  # not on Windows
        pass
    threadpool_limits(1)
    # Features are looked at before a classifier sees them: to look again takes a millisecond.
    sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
    _worker["predictor"] = load_predictor(model, trust=trust, abstain_below=abstain_below)
    _worker["predictor"].warm_up()
    _worker["limits"] = limits
    # Decoders write about each bad file there: strangers could fill a log, or a pipe nobody reads.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def ready() -> bool:
    """Say that this process has started."""
    return "predictor" in _worker


def answer(data: bytes, window: float | None = None, hop: float | None = None) -> dict[str, Any]:
    """Answer an upload.

    Parameters
    ----------
    data : bytes
        A file of audio.
    window, hop : float, default=None
        In seconds; without them the file is one clip.

    Returns
    -------
    answer : dict
        What `POST /predict` returns.

    Raises
    ------
    AudioError
        If it cannot be decoded, or exceeds the limits.
    """
    predictor, limits = _worker["predictor"], _worker["limits"]
    loader = predictor.settings
    longest = limits.max_seconds
    if window is None and loader.max_duration is not None:
        longest = min(longest, loader.max_duration)
    seconds = _check(Upload(data), replace(loader, max_duration=longest), limits)
    if window is not None:
        stream = EmotionStream(predictor, window, window / 4 if hop is None else hop)
        settings = replace(settings_of(predictor), max_duration=longest)
        return {"seconds": seconds, **_over_time(stream, data, settings)}
    (found,) = predictor.iter_predictions([Upload(data)])
    if found.error is not None:
        raise AudioError(found.error)
    answer = {
        "seconds": seconds,
        "emotion": found.emotion,
        "confidence": found.confidence,
        "probabilities": dict(zip(predictor.emotions, found.probabilities.tolist(), strict=True)),
        "warning": found.warning,
    }
    return nan_to_none(answer)


def _check(file: Upload, settings: AudioSettings, limits: Limits) -> float:
    """Return the length of a file in seconds, before anything of it is decoded."""
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
    return promised / rate


def _over_time(stream: EmotionStream, data: bytes, settings: AudioSettings) -> dict[str, Any]:
    merger, windows, segments = SegmentMerger(), [], []
    for events in stream.listen_to(Upload(data), settings):
        for event in events:
            windows.append(event.as_json())
            segments += merger.push(event)
    segments += merger.finish()
    return {
        "windows": windows,
        "segments": [segment.as_json() for segment in segments],
    }
