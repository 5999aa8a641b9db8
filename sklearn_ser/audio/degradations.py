"""Degradations of speech: noise, gain, rooms, telephone bands, codecs and clipping.

Each takes a waveform of shape (n_times,) at the rate `sr` (Hz) and returns one of the same length
and rate, float32, of full scale 1. Nothing random is drawn but from the generator that is passed.
"""

import io
from collections.abc import Callable

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from sklearn_ser.audio.mpg123 import without_messages

__all__ = [
    "DEGRADATIONS",
    "Degradation",
    "add_noise",
    "add_reverberation",
    "change_gain",
    "clip_peaks",
    "code_mp3",
    "limit_band",
    "reduce_rate",
]

Degradation = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


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
    spectrum = np.fft.rfft(rng.standard_normal(len(y)).astype(np.float32))
    octaves = np.log2(np.arange(1, len(spectrum)))
    spectrum[0] = 0  # a constant is not heard
    spectrum[1:] *= 10 ** (slope * octaves / 20)
    return add_background(y, np.fft.irfft(spectrum, len(y)), snr)


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


def code_mp3(y: np.ndarray, sr: int) -> np.ndarray:
    """Write a clip as MP3 of 32 kbit/s and read it again.

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
        subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=MP3_LEVEL,
    )  # fmt: skip
    file.seek(0)
    with without_messages():
        coded = soundfile.read(file, dtype="float32")[0][MP3_DELAY:]
    return _of_length(coded if rate == sr else soxr.resample(coded, rate, sr), len(y))


MP3_LEVEL = 0.84  # libsndfile's scale from 160 down to 8 kbit/s has 32 kbit/s there
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


DEGRADATIONS: dict[str, Degradation] = {
    "noise at 20 dB": lambda y, sr, rng: add_noise(y, 20, rng),
    "noise at 10 dB": lambda y, sr, rng: add_noise(y, 10, rng),
    "noise at 0 dB": lambda y, sr, rng: add_noise(y, 0, rng),
    "gain +12 dB": lambda y, sr, rng: change_gain(y, 12),
    "gain -12 dB": lambda y, sr, rng: change_gain(y, -12),
    "telephone band": lambda y, sr, rng: limit_band(y, sr),
    "8 kHz": lambda y, sr, rng: reduce_rate(y, sr),
    "MP3 at 32 kbit/s": lambda y, sr, rng: code_mp3(y, sr),
    "clipping": lambda y, sr, rng: clip_peaks(y),
    "reverberation": lambda y, sr, rng: add_reverberation(y, sr, rng),
}
