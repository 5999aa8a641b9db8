"""What the synthetic voice does over time: the sounds of a word, their targets, its melody.

Frequencies are in Hz, durations in seconds, levels in dB, intervals of pitch in semitones. Tracks
have one value for each frame of `FRAME` seconds.

References
----------
.. [1] G. E. Peterson and H. L. Barney (1952). Control methods used in a study of the vowels.
   Journal of the Acoustical Society of America 24(2), 175-184. doi:10.1121/1.1906875
.. [2] D. H. Klatt (1980). Software for a cascade/parallel formant synthesizer. Journal of the
   Acoustical Society of America 67(3), 971-995. doi:10.1121/1.383940
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRAME = 0.01


class Segment(NamedTuple):
    """A stretch of speech with one target of the tract, for a man's vocal tract."""

    duration: float
    formants: tuple[float, float, float]
    voicing: float = 1.0
    friction: float = 0.0
    friction_hz: float = 4000.0


# F1–F3 of the vowels are the men's of [1]_, those of the consonants Klatt's table III [2]_;
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
