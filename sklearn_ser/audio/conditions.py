"""Conditions of a robustness test: the same clips under each degradation, at each strength."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from sklearn_ser.audio.content import Content
from sklearn_ser.audio.degradations import DEGRADATIONS
from sklearn_ser.audio.loader import Clips, Decoded
from sklearn_ser.audio.noise import Noise

__all__ = ["AS_RECORDED", "Condition", "DegradedClips", "list_conditions", "mix_voices", "overlay"]

N_VOICES = (3, 8)  # how many talk at once, the upper end not included


class Condition(NamedTuple):
    """A degradation, by its name in `DEGRADATIONS`, and its strength."""

    key: str
    strength: float

    @property
    def label(self) -> str:
        """What tables call it."""
        return DEGRADATIONS[self.key].label(self.strength) if self.key else "as recorded"


AS_RECORDED = Condition("", float("nan"))


def list_conditions(noise: Noise | None = None) -> list[Condition]:
    """Return the clips as recorded, then each degradation that there is material for, mild first.

    Examples
    --------
    >>> from sklearn_ser.audio.conditions import list_conditions
    >>> [condition.label for condition in list_conditions()][:3]
    ['as recorded', 'white noise, 30 dB', 'white noise, 20 dB']
    """
    return [AS_RECORDED] + [
        Condition(key, strength)
        for key, one in DEGRADATIONS.items()
        if noise is not None or one.needs != "noise"
        for strength in one.strengths
    ]


class DegradedClips(Clips):
    """Each of some clips under each of some conditions: all conditions of a clip, then the next.

    What is random about a clip depends on the seed, its samples and the kind of degradation, not on
    its place; it is the same noise, voices or room at every strength. Babble is made of others of
    these clips.

    Parameters
    ----------
    clips : Clips
    conditions : sequence of n_conditions Condition
    seed : int
    speakers : ndarray of shape (n_clips,), default=None
        Who speaks: babble is made of other speakers, where there are others.
    noise : Noise, default=None
        For conditions of real noise.
    places : sequence of (int, int), default=None
        Which clips under which conditions, by position; by default all.
    """

    def __init__(
        self,
        clips: Clips,
        conditions: Sequence[Condition],
        seed: int,
        speakers: np.ndarray | None = None,
        noise: Noise | None = None,
        places: Sequence[tuple[int, int]] | None = None,
    ):
        if places is None:
            places = [(i, j) for i in range(len(clips)) for j in range(len(conditions))]
        rows = [i for i, _ in places]
        super().__init__(
            [clips.sources[i] for i in rows],
            clips.settings,
            None,
            [clips.positions[i] for i in rows],
        )
        self.clips = clips
        self.conditions = conditions
        self.seed = seed
        self.speakers = speakers
        self.noise = noise
        self.places = places
        self._kept: dict[tuple, Decoded | np.ndarray] = {}  # of the clip decoded last

    def __getitem__(self, key):
        if isinstance(key, int | np.integer):
            return self.decode(int(key)).y
        places = [self.places[i] for i in np.arange(len(self))[key]]
        return DegradedClips(
            self.clips, self.conditions, self.seed, self.speakers, self.noise, places
        )

    def content(self, i: int) -> None:
        """Return `None`: degraded clips are used once and not kept."""

    def decode(self, i: int, content: Content | None = None) -> Decoded:
        """Decode a clip and degrade it."""
        row, j = self.places[i]
        key, strength = self.conditions[j]
        if ("clip", row) not in self._kept:
            self._kept = {("clip", row): self.clips.decode(row)}
        decoded = self._kept["clip", row]
        assert isinstance(decoded, Decoded)
        if not key:
            return decoded
        sr = self.sr or decoded.rate or 22050
        y = np.ascontiguousarray(decoded.y)
        seed = [self.seed, zlib.crc32(y.data), zlib.crc32(key.encode())]

        def material(n_times: int) -> np.ndarray:
            if (key, row) not in self._kept:
                self._kept[key, row] = self._draw(row, key, n_times, sr, [*seed, 1])
            found = self._kept[key, row]
            assert isinstance(found, np.ndarray)
            return found

        rng = np.random.default_rng(seed)
        return decoded._replace(y=DEGRADATIONS[key].apply(y, sr, strength, rng, material))

    def _draw(self, row: int, key: str, n_times: int, sr: int, seed: list[int]) -> np.ndarray:
        rng = np.random.default_rng(seed)
        if DEGRADATIONS[key].needs == "noise":
            assert self.noise is not None
            return self.noise.draw(n_times, sr, rng)
        others = np.arange(len(self.clips)) != row
        if self.speakers is not None:
            other_speakers = self.speakers != self.speakers[row]
            others = other_speakers if other_speakers.any() else others
        candidates = np.flatnonzero(others).tolist()
        if all(isinstance(source, str) for source in self.clips.sources):
            candidates.sort(key=lambda i: self.clips.sources[i])  # in whatever order they came
        return mix_voices(lambda i: self.clips.decode(i).y, candidates, n_times, rng)


def mix_voices(
    decode: Callable[[int], np.ndarray],
    candidates: Sequence[int],
    n_times: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Let several clips sound at once, equally loud, each from a random place on.

    Parameters
    ----------
    decode : callable
        From one of the candidates to its waveform.
    candidates : sequence of int
        Clips to choose 3 to 7 from; of none comes silence.
    n_times : int
    rng : numpy.random.Generator

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    """
    if not len(candidates):
        return np.zeros(n_times, dtype=np.float32)
    chosen = rng.choice(candidates, size=rng.integers(*N_VOICES))
    return overlay((decode(int(i)) for i in chosen), n_times, rng)


def overlay(voices: Iterable[np.ndarray], n_times: int, rng: np.random.Generator) -> np.ndarray:
    """Let waveforms sound at once, equally loud, each from a random place on and repeated.

    Parameters
    ----------
    voices : iterable of ndarray of shape (n,)
        Of any lengths; of none comes silence.
    n_times : int
    rng : numpy.random.Generator

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    """
    mixed = np.zeros(n_times, dtype=np.float32)
    for voice in voices:
        power = np.mean(np.square(voice, dtype=np.float64)) if len(voice) else 0
        if power:
            mixed += np.resize(np.roll(voice, -rng.integers(len(voice))), n_times) / np.sqrt(power)
    return mixed
