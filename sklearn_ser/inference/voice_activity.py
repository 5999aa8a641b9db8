"""Voice activity detection: speech, or other sounds and silence."""

from collections.abc import Callable

import numpy as np

from sklearn_ser.exceptions import OptionError
from sklearn_ser.features._spectrum import Spectra
from sklearn_ser.features.quality import hear_voices

__all__ = ["DETECTORS", "make_detector"]

DETECTORS = ("energy", "pitch", "webrtc")

SPEECH_SHARE = 0.1  # of a window's frames that must hold speech


def make_detector(name: str, sr: int) -> Callable[[np.ndarray], bool]:
    """Return a function that says whether a waveform of shape (n_times,) holds speech.

    It is asked only about waveforms that are not silent, which is all that `"energy"` asks for.

    Parameters
    ----------
    name : {"energy", "pitch", "webrtc"}
    sr : int
        Sampling rate of the waveforms, in Hz.

    Raises
    ------
    OptionError
        If there is no such detector, or its extra is not installed.
    """
    if name == "energy":
        return lambda y: True
    if name == "pitch":
        return lambda y: hear_voices(Spectra([np.asarray(y, np.float32)], sr, ["window"]))[0]
    if name != "webrtc":
        raise OptionError(f"Unknown detector `vad={name}`: there are {', '.join(DETECTORS)}.")
    try:
        import webrtcvad
    except ImportError as error:
        raise OptionError("The detector webrtc needs: pip install 'sklearn-ser[vad]'.") from error
    import soxr

    rate, n = 16_000, 480  # of the rates it knows, the one with the whole band of speech; 30 ms

    def detect(y: np.ndarray) -> bool:
        samples = soxr.resample(y, sr, rate, quality="MQ")
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2")
        detector = webrtcvad.Vad(2)  # it remembers earlier frames: a new one for each window
        frames = [pcm[i : i + n].tobytes() for i in range(0, len(pcm) - n + 1, n)]
        n_speech = sum(detector.is_speech(frame, rate) for frame in frames)
        return not frames or n_speech >= SPEECH_SHARE * len(frames)

    return detect
