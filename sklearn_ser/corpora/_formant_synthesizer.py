"""A formant synthesizer: the voice of the synthetic corpus.

Why a synthesizer of speech, and not tones or noise? Because everything this package computes is
made for speech: pitch and its movement, formants, jitter and shimmer, voiced and voiceless
stretches, rhythm. Only clips that have them, for reasons that are known, show in a test, a tutorial
or a first `fit` without a corpus whether a feature follows what it is named after, and give a task
that is easy on known speakers and hard on unseen ones, as real corpora are. A recorded corpus that
small would need a licence and a download; this one is two hundred lines and the same for everybody.

The flow through the glottis is Rosenberg's trigonometric pulse [1]_, its cycles made a little
irregular (jitter and shimmer); the vocal tract is Klatt's cascade of resonators [2]_ with vowels
where Peterson and Barney measured them [3]_. Formants move with every frame, so the filter is
applied frame by frame in the frequency domain, which makes a clip a matter of milliseconds.

Frequencies are in Hz, durations in seconds, levels in dB, intervals of pitch in semitones. Tracks
have one value for each frame of `FRAME` seconds.

References
----------
.. [1] A. E. Rosenberg (1971). Effect of glottal pulse shape on the quality of natural vowels.
   Journal of the Acoustical Society of America 49(2B), 583-590. doi:10.1121/1.1912389
.. [2] D. H. Klatt (1980). Software for a cascade/parallel formant synthesizer. Journal of the
   Acoustical Society of America 67(3), 971-995. doi:10.1121/1.383940
.. [3] G. E. Peterson and H. L. Barney (1952). Control methods used in a study of the vowels.
   Journal of the Acoustical Society of America 24(2), 175-184. doi:10.1121/1.1906875
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

FRAME = 0.01
SAMPLING_RATE = 16_000
HOP_LENGTH = round(FRAME * SAMPLING_RATE)
# The frame of 20 ms is padded to 45 ms: a resonance of 70 Hz bandwidth has died away by then.
N_FFT = 720
FREQUENCIES = np.fft.rfftfreq(N_FFT, 1 / SAMPLING_RATE)

BANDWIDTHS = (80.0, 100.0, 140.0)
# The odd quarter waves of a tube of 17.5 cm, up to where a clip ends.
UPPER_FORMANTS = (3500.0, 4500.0, 5500.0, 6500.0, 7500.0)


class Segment(NamedTuple):
    """A stretch of speech with one target of the tract, for a man's vocal tract."""

    duration: float
    formants: tuple[float, float, float]
    voicing: float = 1.0
    friction: float = 0.0
    friction_hz: float = 4000.0


# F1–F3 of the vowels are the men's of [3]_, those of the consonants Klatt's table III [2]_;
# durations and noise are ours. A stop is a closure and its burst.
PHONES: dict[str, tuple[Segment, ...]] = {
    "a": (Segment(0.15, (730, 1090, 2440)),),
    "e": (Segment(0.14, (530, 1840, 2480)),),
    "i": (Segment(0.13, (270, 2290, 3010)),),
    "o": (Segment(0.15, (570, 840, 2410)),),
    "u": (Segment(0.13, (300, 870, 2240)),),
    "b": (Segment(0.06, (200, 1100, 2150), 0.15), Segment(0.01, (200, 1100, 2150), 0.5, 0.3, 900)),
    "d": (Segment(0.06, (200, 1600, 2600), 0.15), Segment(0.01, (200, 1600, 2600), 0.5, 0.4, 3800)),
    "f": (Segment(0.09, (340, 1100, 2080), 0.0, 0.15, 5000),),
    "g": (Segment(0.06, (200, 1990, 2850), 0.15), Segment(0.02, (200, 1990, 2850), 0.5, 0.4, 2000)),
    "k": (Segment(0.07, (300, 1990, 2850), 0.0), Segment(0.04, (300, 1990, 2850), 0.0, 0.5, 2200)),
    "l": (Segment(0.07, (310, 1050, 2880), 0.6),),
    "m": (Segment(0.08, (480, 1270, 2130), 0.35),),
    "n": (Segment(0.08, (480, 1340, 2470), 0.35),),
    "p": (Segment(0.08, (400, 1100, 2150), 0.0), Segment(0.03, (400, 1100, 2150), 0.0, 0.4, 1200)),
    "r": (Segment(0.07, (310, 1060, 1380), 0.6),),
    "s": (Segment(0.11, (320, 1390, 2530), 0.0, 0.4, 6000),),
    "t": (Segment(0.07, (400, 1600, 2600), 0.0), Segment(0.03, (400, 1600, 2600), 0.0, 0.6, 4500)),
    "v": (Segment(0.06, (220, 1100, 2080), 0.4, 0.08, 5000),),
    "w": (Segment(0.07, (290, 610, 2150), 0.6),),
    "z": (Segment(0.08, (240, 1390, 2530), 0.3, 0.25, 6000),),
}
VOWELS = frozenset("aeiou")


class Delivery(NamedTuple):
    """How something is said, apart from what is said and by whom."""

    pitch: float  # mean, semitones above the speaker's neutral voice
    spread: float  # height of the accents, semitones
    slope: float  # end less beginning of the contour, semitones
    rate: float  # syllables per second, relative to neutral
    level: float  # loudness, dB
    tilt: float  # fall of the spectrum above 500 Hz beyond the source's own, dB per octave
    open_quotient: float  # open part of a glottal cycle, 0 to 1
    breath: float  # aspiration noise relative to the voice
    jitter: float  # irregularity of the periods, relative
    shimmer: float  # irregularity of the amplitudes, relative
    lips: float  # factor on the formants: above 1 spread as in a smile, below 1 protruded


def smooth(track: Array, width: float) -> Array:
    """Take the average over time under a Gaussian of `width` frames.

    Examples
    --------
    >>> smooth(np.array([0.0, 0.0, 1.0, 1.0]), 1.0).round(2).tolist()
    [0.06, 0.3, 0.7, 0.94]
    """
    reach = int(4 * width)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    padded = np.pad(track, [(reach, reach), *[(0, 0)] * (track.ndim - 1)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.size, axis=0)
    return windows @ (kernel / kernel.sum())


def articulate(word: str, rate: float, pause: tuple[float, float]) -> dict[str, Array]:
    """Lay out the targets of a word frame by frame, smoothed as a tongue moves.

    Parameters
    ----------
    word : str
        Letters of `PHONES`; its last sound is lengthened by half.
    rate : float
        Speed relative to neutral.
    pause : (float, float)
        Silence before and after, in seconds.

    Returns
    -------
    tracks : dict of str to ndarray
        `formants` of shape (n_frames, 3) and `voicing`, `friction`, `friction_hz`, `progress`
        of shape (n_frames,). `progress` runs from 0 to 1 over the word.

    Examples
    --------
    >>> tracks = articulate("ma", rate=1.0, pause=(0.1, 0.1))
    >>> tracks["formants"].shape, tracks["voicing"].shape
    ((51, 3), (51,))
    """
    segments = [segment for letter in word for segment in PHONES[letter]]
    segments[-1] = segments[-1]._replace(duration=1.5 * segments[-1].duration)
    before = Segment(pause[0] * rate, segments[0].formants, voicing=0.0)
    after = Segment(pause[1] * rate, segments[-1].formants, voicing=0.0)
    segments = [before, *segments, after]
    ends = np.cumsum([segment.duration for segment in segments]) / rate
    times = np.arange(0, ends[-1], FRAME)
    which = np.searchsorted(ends, times, side="right").clip(max=len(segments) - 1)
    raw = {
        name: np.array([getattr(segment, name) for segment in segments], dtype=float)[which]
        for name in ("formants", "voicing", "friction", "friction_hz")
    }
    width = {"formants": 2.5, "voicing": 1.2, "friction": 0.8}
    tracks = {
        name: smooth(track, width[name]) if name in width else track for name, track in raw.items()
    }
    tracks["progress"] = ((times - ends[0]) / (ends[-2] - ends[0])).clip(0, 1)
    return tracks


def intonation(
    progress: Array, delivery: Delivery, n_accents: int, rng: np.random.Generator
) -> Array:
    """Pitch contour in semitones about the speaker's neutral voice, shape of `progress`.

    An accent on every syllable, each weaker than the last; the slope, steeper towards the end as in
    a question or a sigh; a slow wander. The mean over the word is `delivery.pitch`.
    """
    accents = np.sin(np.pi * n_accents * progress) ** 2 * (1 - 0.4 * progress)
    slope = 0.4 * progress + 0.6 * progress**3
    wander = 1.5 * smooth(rng.standard_normal(progress.size), 12)
    contour = delivery.spread * accents + delivery.slope * slope + wander
    inside = (progress > 0) & (progress < 1)
    return delivery.pitch + contour - contour[inside].mean()


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
