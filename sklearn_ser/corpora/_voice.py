"""A source–filter voice: glottal pulses and noise, shaped by a vocal tract that moves.

The flow through the glottis is Rosenberg's trigonometric pulse [1]_, its cycles made a little
irregular (jitter and shimmer); the tract is Klatt's cascade of resonators [2]_. Formants move with
every frame, so the filter is applied frame by frame in the frequency domain, which makes a clip a
matter of milliseconds.

References
----------
.. [1] A. E. Rosenberg (1971). Effect of glottal pulse shape on the quality of natural vowels.
   Journal of the Acoustical Society of America 49(2B), 583-590. doi:10.1121/1.1912389
.. [2] D. H. Klatt (1980). Software for a cascade/parallel formant synthesizer. Journal of the
   Acoustical Society of America 67(3), 971-995. doi:10.1121/1.383940
"""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_ser.corpora._articulation import FRAME, VOWELS, Array, Delivery, articulate, intonation

SAMPLING_RATE = 16_000
HOP_LENGTH = round(FRAME * SAMPLING_RATE)
# The frame of 20 ms is padded to 45 ms: a resonance of 70 Hz bandwidth has died away by then.
N_FFT = 720
FREQUENCIES = np.fft.rfftfreq(N_FFT, 1 / SAMPLING_RATE)

BANDWIDTHS = (80.0, 100.0, 140.0)
# The odd quarter waves of a tube of 17.5 cm, up to where a clip ends.
UPPER_FORMANTS = (3500.0, 4500.0, 5500.0, 6500.0, 7500.0)


def rosenberg_pulse(phase: ArrayLike, open_quotient: float = 0.6) -> Array:
    """Glottal flow within a cycle: Rosenberg's trigonometric pulse with a fall half its rise.

    Parameters
    ----------
    phase : array-like
        Position in the cycle, 0 to 1.
    open_quotient : float, default=0.6
        The part of the cycle in which the glottis is open.

    Returns
    -------
    flow : ndarray
        Between 0, closed, and 1; of the shape of `phase`.

    Examples
    --------
    >>> rosenberg_pulse([0.0, 0.2, 0.4, 0.6, 0.8], open_quotient=0.6).round(2).tolist()
    [0.0, 0.5, 1.0, 0.0, 0.0]
    """
    phase = np.asarray(phase, dtype=float)
    peak = open_quotient * 2 / 3
    rise = 0.5 * (1 - np.cos(np.pi * phase / peak))
    fall = np.cos(0.5 * np.pi * (phase - peak) / (open_quotient - peak))
    return np.where(phase < peak, rise, np.where(phase < open_quotient, fall, 0.0))


def glottal_source(
    f0: Array,
    rng: np.random.Generator,
    *,
    open_quotient: float = 0.6,
    jitter: float = 0.0,
    shimmer: float = 0.0,
    breath: float = 0.0,
) -> Array:
    """Differentiate the glottal flow along a pitch contour, with aspiration while it is open.

    Parameters
    ----------
    f0 : ndarray, shape (n_times,)
        Fundamental frequency in Hz, one value per sample.
    rng : numpy.random.Generator
        Where the irregularities come from.
    open_quotient, jitter, shimmer, breath : float
        As in `Delivery`.

    Returns
    -------
    source : ndarray, shape (n_times,)
        Of about unit root mean square.

    Examples
    --------
    >>> source = glottal_source(np.full(1600, 100.0), np.random.default_rng(0))
    >>> bool(np.allclose(source[320:480], source[480:640]))  # 100 Hz: 160 samples per period
    True
    """
    n_cycles = 2 + int(1.5 * f0.sum() / SAMPLING_RATE)
    cycle = (np.cumsum(f0) / SAMPLING_RATE).astype(int)
    irregular = 1 + jitter * rng.standard_normal(n_cycles).clip(-2.5, 2.5)
    phase = np.cumsum(f0 * irregular[cycle]) / SAMPLING_RATE
    cycle = phase.astype(int)
    loudness = 1 + shimmer * rng.standard_normal(n_cycles).clip(-2.5, 2.5)
    flow = rosenberg_pulse(phase - cycle, open_quotient)
    # A derivative grows with f0 where the flow does not: relative to the period it stays put.
    voice = np.diff(flow, prepend=0.0) * loudness[cycle] * SAMPLING_RATE / f0
    aspiration = rng.standard_normal(f0.size) * (0.3 + flow)
    return voice / 3.5 + breath * aspiration


def resonance(formant: ArrayLike, bandwidth: ArrayLike) -> NDArray[np.complex128]:
    """Frequency response of Klatt's digital resonator, 1 at 0 Hz.

    Parameters
    ----------
    formant, bandwidth : array-like, shape (...)
        Centre and bandwidth in Hz.

    Returns
    -------
    response : ndarray, shape (..., n_frequencies)
        At `FREQUENCIES`.

    Examples
    --------
    >>> gain = abs(resonance(500.0, 80.0))
    >>> float(gain[0].round(6)), float(FREQUENCIES[gain.argmax()].round())
    (1.0, 489.0)
    """
    formant, bandwidth = np.asarray(formant)[..., None], np.asarray(bandwidth)[..., None]
    c = -np.exp(-2 * np.pi * bandwidth / SAMPLING_RATE)
    b = 2 * np.exp(-np.pi * bandwidth / SAMPLING_RATE) * np.cos(2 * np.pi * formant / SAMPLING_RATE)
    delay = np.exp(-2j * np.pi * FREQUENCIES / SAMPLING_RATE)
    return (1 - b - c) / (1 - delay * (b + c * delay))


def equaliser(hz: ArrayLike, gains: ArrayLike) -> Array:
    """Smooth gain curve through some points, such as the colour of a microphone.

    Parameters
    ----------
    hz, gains : array-like, shape (n_points,)
        Rising frequencies in Hz and the gains there in dB; in between, straight in octaves.

    Returns
    -------
    response : ndarray, shape (n_frequencies,)
        Factors at `FREQUENCIES`.

    Examples
    --------
    >>> float(equaliser([100, 8000], [0, 20])[-1].round(6))
    10.0
    """
    octaves = np.log2(np.maximum(FREQUENCIES, 1.0))
    points = np.log2(np.asarray(hz, dtype=float)), np.asarray(gains, dtype=float)
    return np.power(10.0, np.interp(octaves, *points) / 20)


@cache
def upper_response(tract: float) -> NDArray[np.complex128]:
    """Response of the formants that do not move, for formants `tract` times a man's."""
    upper = np.array(UPPER_FORMANTS) * tract
    upper = upper[upper < 0.49 * SAMPLING_RATE]
    return resonance(upper, 0.07 * upper).prod(axis=0)


def frames(signal: Array) -> NDArray[np.complex128]:
    """Spectra of overlapping Hann frames, shape (n_frames, n_frequencies), for `overlap_add`."""
    window = np.hanning(2 * HOP_LENGTH + 1)[:-1]
    padded = np.pad(signal, (HOP_LENGTH, HOP_LENGTH))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP_LENGTH)[::HOP_LENGTH]
    return np.fft.rfft(blocks * window, N_FFT)


def overlap_add(spectra: NDArray[np.complex128], n_times: int) -> Array:
    """Signal of `n_times` samples, from what filtering made of its `frames`.

    Examples
    --------
    >>> signal = np.random.default_rng(0).standard_normal(1600)
    >>> bool(np.allclose(overlap_add(frames(signal), 1600), signal))
    True
    """
    blocks = np.fft.irfft(spectra, N_FFT)
    parts = -(-N_FFT // HOP_LENGTH)
    blocks = np.pad(blocks, ((0, 0), (0, parts * HOP_LENGTH - N_FFT)))
    out = np.zeros((len(blocks) + parts, HOP_LENGTH))
    for part in range(parts):
        out[part : part + len(blocks)] += blocks[:, part * HOP_LENGTH : (part + 1) * HOP_LENGTH]
    return out.ravel()[HOP_LENGTH : HOP_LENGTH + n_times]


def speak(
    word: str,
    delivery: Delivery,
    rng: np.random.Generator,
    *,
    pitch: float,
    tract: float,
    pause: tuple[float, float] = (0.12, 0.18),
) -> Array:
    """Say a word.

    Parameters
    ----------
    word : str
        Letters of `PHONES`.
    delivery : Delivery
        How it is said.
    rng : numpy.random.Generator
        What differs from one take to the next.
    pitch : float
        The speaker's neutral fundamental frequency in Hz.
    tract : float
        Factor on a man's formants; about 1.17 for a woman.
    pause : (float, float), default=(0.12, 0.18)
        Silence before and after, in seconds.

    Returns
    -------
    waveform : ndarray, shape (n_times,)
        At 16 kHz; `delivery.level` is the root mean square of the voiced part in dB.

    Examples
    --------
    >>> neutral = Delivery(0, 2, -2, 1, -20, 2, 0.6, 0.02, 0.01, 0.03, 1)
    >>> waveform = speak("bamo", neutral, np.random.default_rng(0), pitch=110, tract=1.0)
    >>> waveform.size / 16000, bool(abs(waveform).max() < 1)
    (0.83, True)
    """
    tracks = articulate(word, delivery.rate, pause)
    n_frames = len(tracks["voicing"])
    n_times = n_frames * HOP_LENGTH
    contour = intonation(tracks["progress"], delivery, sum(c in VOWELS for c in word), rng)
    at, samples = np.arange(n_frames) * HOP_LENGTH, np.arange(n_times)
    f0 = pitch * 2 ** (np.interp(samples, at, contour) / 12)
    voicing = np.interp(samples, at, tracks["voicing"])
    source = glottal_source(
        f0,
        rng,
        open_quotient=delivery.open_quotient,
        jitter=delivery.jitter,
        shimmer=delivery.shimmer,
        breath=delivery.breath,
    )
    voice = frames(source * voicing)[:n_frames]
    formants = tracks["formants"] * tract * delivery.lips
    for formant, bandwidth in zip(formants.T, BANDWIDTHS, strict=True):
        voice *= resonance(formant, bandwidth)
    voice *= upper_response(tract) * (1 + (FREQUENCIES / 500) ** 2) ** (-delivery.tilt / 12.04)

    noise = frames(rng.standard_normal(n_times))[:n_frames]
    octaves = np.log2(np.maximum(FREQUENCIES, 1.0) / tracks["friction_hz"][:, None])
    noise *= tracks["friction"][:, None] * np.exp(-0.5 * (octaves / 0.35) ** 2)

    waveform = overlap_add(voice, n_times)
    loud = np.sqrt(np.mean(waveform[voicing > 0.5] ** 2))
    waveform = waveform / loud + 0.5 * overlap_add(noise, n_times)
    return waveform * 10 ** (delivery.level / 20)
