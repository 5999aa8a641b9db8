"""Degradations of speech: noise, gain, rooms, telephone bands, codecs and clipping.

Each takes a waveform of shape (n_times,) at the rate `sr` (Hz) and returns one of the same length
and rate, float32, of full scale 1. Nothing random is drawn but from the generator that is passed.
`DEGRADATIONS` lists them all, for training and for tests alike.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import fft
from scipy.signal import butter, fftconvolve, sosfilt

from sklearn_ser.audio.mpg123 import without_messages

__all__ = [
    "DEGRADATIONS",
    "Degradation",
    "Material",
    "add_background",
    "add_colored_noise",
    "add_noise",
    "add_reverberation",
    "change_gain",
    "change_pitch",
    "change_speed",
    "clip_peaks",
    "code_mp3",
    "code_opus",
    "code_telephone",
    "code_vorbis",
    "limit_band",
    "reduce_rate",
]

Material = Callable[[int], np.ndarray]  # from a number of samples to so many of background


def add_noise(y: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Add white Gaussian noise.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    snr : float
        Ratio of the mean powers of clip and noise, in dB. Silence stays silent.
    rng : numpy.random.Generator

    Returns
    -------
    y : ndarray of shape (n_times,), float32

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio.degradations import add_noise
    >>> y = np.sin(np.arange(22050) / 10)
    >>> noise = add_noise(y, 20, np.random.default_rng(0)) - y
    >>> round(float(10 * np.log10(np.mean(y**2) / np.mean(noise**2))))
    20
    """
    power = np.mean(np.square(y, dtype=np.float64))
    noise = rng.standard_normal(len(y)) * np.sqrt(power / 10 ** (snr / 10))
    return (y + noise).astype(np.float32)


def add_colored_noise(
    y: np.ndarray, snr: float, rng: np.random.Generator, slope: float = -3.0
) -> np.ndarray:
    """Add noise whose power falls with frequency.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    snr : float
        Ratio of the mean powers of clip and noise, in dB.
    rng : numpy.random.Generator
    slope : float, default=-3.0
        Of the noise's power, in dB per octave: -3 is pink, as in streets and machines, -6 is brown,
        as in cars and wind.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    """
    n_times = fft.next_fast_len(
        max(len(y), 2), real=True
    )  # a prime length takes five times as long
    spectrum = fft.rfft(rng.standard_normal(n_times, dtype=np.float32))
    spectrum[0] = 0  # a constant is not heard
    spectrum[1:] *= np.arange(1, len(spectrum), dtype=np.float32) ** (slope / (20 * np.log10(2)))
    return add_background(y, fft.irfft(spectrum, n_times)[: len(y)], snr)


def add_background(y: np.ndarray, background: np.ndarray, snr: float) -> np.ndarray:
    """Add what else sounds in a place, at a ratio of mean powers.

    Parameters
    ----------
    y, background : ndarray of shape (n_times,)
    snr : float
        Ratio of the mean powers of clip and background, in dB. Silence stays silent.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    """
    power = np.mean(np.square(background, dtype=np.float64))
    if not power:
        return y.astype(np.float32)
    wanted = np.mean(np.square(y, dtype=np.float64)) / 10 ** (snr / 10)
    return (y + background * np.sqrt(wanted / power)).astype(np.float32)


def change_gain(y: np.ndarray, decibels: float) -> np.ndarray:
    """Make a clip louder or softer, by decibels; nothing is clipped."""
    return (y * 10 ** (decibels / 20)).astype(np.float32)


def limit_band(y: np.ndarray, sr: int, low: float = 300.0, high: float = 3400.0) -> np.ndarray:
    """Keep a band of frequencies, by default that of the telephone (ITU-T G.712).

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    sr : int
        In Hz.
    low, high : float
        Edges in Hz, where a Butterworth filter of order 6 has lost 3 dB; an upper edge beyond half
        the rate cuts nothing.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    """
    if high < sr / 2:
        sos = butter(6, [low, high], "bandpass", fs=sr, output="sos")
    else:
        sos = butter(6, low, "highpass", fs=sr, output="sos")
    return sosfilt(sos, y).astype(np.float32)


def reduce_rate(y: np.ndarray, sr: int, rate: int = 8000) -> np.ndarray:
    """Resample to a lower rate and back, which loses all above half of it."""
    import soxr

    if rate >= sr:
        return y.astype(np.float32)
    low = soxr.resample(np.asarray(y, dtype=np.float32), sr, rate)
    return _of_length(soxr.resample(low, rate, sr), len(y))


def code_telephone(y: np.ndarray, sr: int, law: str = "ULAW") -> np.ndarray:
    """Send a clip through a digital telephone: its band, 8 kHz, and 8 bits a sample [1]_.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    sr : int
        In Hz.
    law : {"ULAW", "ALAW"}, default="ULAW"
        The law of America and Japan, or of the rest of the world.

    Returns
    -------
    y : ndarray of shape (n_times,), float32

    References
    ----------
    .. [1] ITU-T Recommendation G.711 (1988): Pulse code modulation of voice frequencies.
    """
    import soxr

    sound = np.asarray(limit_band(y, sr), dtype=np.float32)
    sound = sound if sr == 8000 else soxr.resample(sound, sr, 8000)
    coded = _code(sound, 8000, "WAV", law)
    return _of_length(coded if sr == 8000 else soxr.resample(coded, 8000, sr), len(y))


def code_vorbis(y: np.ndarray, sr: int, level: float = 1.0) -> np.ndarray:
    """Write a clip as Ogg Vorbis, at the strongest compression by default, and read it again."""
    return _of_length(_code(np.asarray(y, dtype=np.float32), sr, "OGG", "VORBIS", level), len(y))


def _code(y: np.ndarray, rate: int, container: str, codec: str, level=None) -> np.ndarray:
    import soundfile

    file = io.BytesIO()
    how = {} if level is None else {"compression_level": level}
    soundfile.write(file, y.clip(-1, 1), rate, format=container, subtype=codec, **how)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def code_opus(y: np.ndarray, sr: int, kilobits: float = 16.0) -> np.ndarray:
    """Write a clip as Ogg Opus of so many kbit/s (6 to 256), and read it again.

    Rates that Opus does not have go through the next higher one on the way.
    """
    import soxr

    rate = next((rate for rate in OPUS_RATES if rate >= sr), OPUS_RATES[-1])
    sound = np.asarray(y, dtype=np.float32)
    sound = sound if rate == sr else soxr.resample(sound, sr, rate)
    coded = _code(sound, rate, "OGG", "OPUS", 1 - (kilobits - 6) / 250)
    return _of_length(coded if rate == sr else soxr.resample(coded, rate, sr), len(y))


OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


def code_mp3(y: np.ndarray, sr: int, kilobits: float = 32.0) -> np.ndarray:
    """Write a clip as MP3 of so many kbit/s (8 to 160), and read it again.

    Rates other than 16,000, 22,050 and 24,000 Hz go through 22,050 Hz on the way.
    """
    import soundfile
    import soxr

    rate = sr if sr in (16000, 22050, 24000) else 22050
    sound = np.asarray(y, dtype=np.float32)
    sound = sound if rate == sr else soxr.resample(sound, sr, rate)
    file = io.BytesIO()
    soundfile.write(
        file, np.pad(sound.clip(-1, 1), (0, 2 * MP3_DELAY)), rate, format="MP3",
        subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT",
        compression_level=(160 - kilobits) / 152,
    )  # fmt: skip
    file.seek(0)
    with without_messages():
        coded = soundfile.read(file, dtype="float32")[0][MP3_DELAY:]
    return _of_length(coded if rate == sr else soxr.resample(coded, rate, sr), len(y))


MP3_DELAY = 1105  # samples: 576 of the encoder and 529 of the decoder


def clip_peaks(y: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Cut off the loudest samples, as an overdriven microphone does.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    share : float, default=0.1
        How many of the samples are cut, as a share.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    """
    most = np.quantile(np.abs(y), 1 - share)
    return np.clip(y, -most, most).astype(np.float32)


def add_reverberation(
    y: np.ndarray, sr: int, rng: np.random.Generator, seconds: float = 0.5, ratio: float = 0.0
) -> np.ndarray:
    """Let a clip sound as in a room: decaying noise follows each direct sound [1]_.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    sr : int
        In Hz.
    rng : numpy.random.Generator
    seconds : float, default=0.5
        Reverberation time: after it the room is 60 dB quieter.
    ratio : float, default=0.0
        Ratio of the energies of direct sound and room, in dB.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
        What sounds on after the end of the clip is cut off.

    References
    ----------
    .. [1] Polack, J.-D. "La transmission de l'énergie sonore dans les salles", thesis, Université
       du Maine, 1988: the statistical model of late reverberation.
    """
    t = np.arange(1, int(seconds * sr)) / sr
    room = rng.standard_normal(len(t)) * 10 ** (-3 * t / seconds)
    room *= np.sqrt(10 ** (-ratio / 10) / np.sum(room**2))
    return fftconvolve(y, np.concatenate([[1.0], room]))[: len(y)].astype(np.float32)


def _of_length(y: np.ndarray, n_times: int) -> np.ndarray:
    """Return a waveform cut or filled up with silence to a length."""
    return np.pad(y, (0, max(0, n_times - len(y))))[:n_times].astype(np.float32)


def change_speed(y: np.ndarray, sr: int, factor: float) -> np.ndarray:
    """Play a clip faster or slower, its pitch and formants moving along; its length changes."""
    import soxr

    return soxr.resample(y, sr * factor, sr, quality="HQ").astype(np.float32)


def change_pitch(y: np.ndarray, sr: int, semitones: float) -> np.ndarray:
    """Move pitch and formants, at the same speed."""
    import librosa

    return librosa.effects.pitch_shift(y, sr=sr, n_steps=semitones, res_type="soxr_hq")


@dataclass(frozen=True)
class Degradation:
    """One kind of degradation, and how strong it may be.

    Attributes
    ----------
    name : str
        In tables and figures.
    unit : str
        Of the strengths; "" where there is one strength only, which is NaN then.
    strengths : tuple of float
        What tests apply. Empty: it changes who speaks rather than the recording, and is for
        training alone.
    drawn : tuple of (float, float)
        The range that training draws strengths from, evenly.
    function : callable
        From waveform, rate (Hz), strength, generator and material to the degraded waveform.
    needs : {"voices", "noise"} or None
        What the material is: other people who talk at once, or recorded noise.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    drawn: tuple[float, float]
    function: Callable[[np.ndarray, int, float, np.random.Generator, Material], np.ndarray]
    needs: Literal["voices", "noise"] | None = None

    def apply(
        self,
        y: np.ndarray,
        sr: int,
        strength: float,
        rng: np.random.Generator,
        material: Material = np.zeros,
    ) -> np.ndarray:
        """Degrade a waveform.

        Parameters
        ----------
        y : ndarray of shape (n_times,)
        sr : int
            In Hz.
        strength : float
        rng : numpy.random.Generator
        material : callable, default=numpy.zeros
            From a number of samples to so many of what it needs; the default is silence.

        Returns
        -------
        y : ndarray of shape (n_times,), float32

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_ser.audio.degradations import DEGRADATIONS
        >>> y = np.sin(np.arange(22050) / 10)
        >>> DEGRADATIONS["pink"].apply(y, 22050, 10.0, np.random.default_rng(0)).shape
        (22050,)
        """
        return np.asarray(self.function(y, sr, strength, rng, material), dtype=np.float32)

    def label(self, strength: float) -> str:
        """Return the name with a strength, such as "pink noise, 10 dB"."""
        if not self.unit:
            return self.name
        sign = "+" if strength > 0 and min(self.strengths) < 0 else ""
        return f"{self.name}, {sign}{strength:g} {self.unit}"


_SNRS = (30.0, 20.0, 10.0, 0.0)
_ONE = (float("nan"),)
_ANY = (0.0, 1.0)  # drawn where there is one strength only


def _noise(name: str, function: Callable, needs: Literal["voices", "noise"] | None = None):
    return Degradation(name, "dB", _SNRS, (10, 30), function, needs)


# By their names in `augment`.
DEGRADATIONS: dict[str, Degradation] = {
    "noise": _noise("white noise", lambda y, sr, snr, rng, _: add_noise(y, snr, rng)),
    "pink": _noise("pink noise", lambda y, sr, snr, rng, _: add_colored_noise(y, snr, rng)),
    "brown": _noise(
        "brown noise", lambda y, sr, snr, rng, _: add_colored_noise(y, snr, rng, slope=-6.0)
    ),
    "babble": _noise(
        "babble", lambda y, sr, snr, rng, voices: add_background(y, voices(len(y)), snr), "voices"
    ),
    "real": _noise(
        "real noise", lambda y, sr, snr, rng, noise: add_background(y, noise(len(y)), snr), "noise"
    ),
    "room": Degradation(
        "room", "s", (0.25, 0.5, 1.0), (0.2, 0.6),
        lambda y, sr, seconds, rng, _: add_reverberation(y, sr, rng, seconds),
    ),
    "telephone": Degradation(
        "telephone band", "", _ONE, _ANY, lambda y, sr, *_: limit_band(y, sr)
    ),
    "mulaw": Degradation(
        "mu-law telephone", "", _ONE, _ANY, lambda y, sr, *_: code_telephone(y, sr, "ULAW")
    ),
    "alaw": Degradation(
        "A-law telephone", "", _ONE, _ANY, lambda y, sr, *_: code_telephone(y, sr, "ALAW")
    ),
    "rate": Degradation(
        "sampling rate", "kHz", (8.0,), (8, 12),
        lambda y, sr, kilohertz, *_: reduce_rate(y, sr, round(1000 * kilohertz)),
    ),
    "mp3": Degradation(
        "MP3", "kbit/s", (32.0, 16.0), (16, 64), lambda y, sr, k, *_: code_mp3(y, sr, k)
    ),
    "vorbis": Degradation("Vorbis", "", _ONE, _ANY, lambda y, sr, *_: code_vorbis(y, sr)),
    "opus": Degradation(
        "Opus", "kbit/s", (16.0, 8.0), (6, 32), lambda y, sr, k, *_: code_opus(y, sr, k)
    ),
    "clipping": Degradation(
        "clipping", "%", (2.0, 10.0, 30.0), (2, 20),
        lambda y, sr, percent, *_: clip_peaks(y, percent / 100),
    ),
    "gain": Degradation(
        "gain", "dB", (12.0, -12.0), (-12, 12), lambda y, sr, decibels, *_: change_gain(y, decibels)
    ),
    "speed": Degradation(
        "speed", "times", (), (0.9, 1.1), lambda y, sr, factor, *_: change_speed(y, sr, factor)
    ),
    "pitch": Degradation(
        "pitch", "semitones", (), (-2, 2), lambda y, sr, steps, *_: change_pitch(y, sr, steps)
    ),
}  # fmt: skip
