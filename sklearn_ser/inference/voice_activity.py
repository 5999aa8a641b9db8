"""Speech told apart from silence, by its energy or by a voice-activity detector."""

from collections.abc import Callable

import numpy as np

from sklearn_ser.exceptions import OptionError

__all__ = ["DETECTORS", "has_energy", "make_detector"]

DETECTORS = ("energy", "webrtc")

FRAME_SECONDS = 0.03
SPEECH_SHARE = 0.1  # of a window's frames that must hold speech


def make_detector(name: str, sr: int, silence_db: float = -50.0) -> Callable[[np.ndarray], bool]:
    """Return a function that says whether a waveform of shape (n_times,) holds speech.

    Parameters
    ----------
    name : {"energy", "webrtc"}
    sr : int
        Sampling rate of the waveforms, in Hz.
    silence_db : float, default=-50.0
        Level, in dB below full scale, under which a frame of 30 ms counts as silent.

    Raises
    ------
    OptionError
        If there is no such detector, or its extra is not installed.
    """
    if name == "energy":
        return lambda y: has_energy(y, sr, silence_db)
    if name != "webrtc":
        raise OptionError(f"Unknown detector {name!r}: there are {' and '.join(DETECTORS)}.")
    return _make_webrtc(sr, silence_db)


def has_energy(y: np.ndarray, sr: int, silence_db: float = -50.0) -> bool:
    """Say whether a tenth of the frames are louder than silence.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    sr : int
    silence_db : float, default=-50.0

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.inference.voice_activity import has_energy
    >>> has_energy(np.full(22050, 0.1), 22050), has_energy(np.full(22050, 0.001), 22050)
    (True, False)
    """
    n = min(len(y), round(FRAME_SECONDS * sr))
    frames = y[: len(y) // n * n].reshape(-1, n)
    power = np.einsum("ij,ij->i", frames, frames) / n
    return bool(np.mean(power > 10 ** (silence_db / 10)) >= SPEECH_SHARE)


def _make_webrtc(sr: int, silence_db: float) -> Callable[[np.ndarray], bool]:
    try:
        import webrtcvad
    except ImportError as error:
        raise OptionError("The detector webrtc needs: pip install 'sklearn-ser[vad]'.") from error
    import soxr

    rate, n = 16_000, 480  # of the rates it knows, the one with the whole band of speech

    def detect(y: np.ndarray) -> bool:
        if not has_energy(y, sr, silence_db):
            return False
        samples = soxr.resample(y, sr, rate, quality="MQ")
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2")
        detector = webrtcvad.Vad(2)  # it remembers what it heard: a new one for each window
        frames = [pcm[i : i + n].tobytes() for i in range(0, len(pcm) - n + 1, n)]
        if not frames:
            return True
        return sum(detector.is_speech(frame, rate) for frame in frames) >= SPEECH_SHARE * len(
            frames
        )

    return detect
