"""Augmentation: changed copies of training clips, such as rooms, noise and telephones make them.

Only training clips are ever changed. The copies of a clip stay on its side of every split.
"""

import zlib
from collections.abc import Callable

import numpy as np

from sklearn_ser.audio.content import Content
from sklearn_ser.audio.degradations import (
    DEGRADATIONS,
    Material,
    add_background,
    add_colored_noise,
    add_noise,
    add_reverberation,
    change_gain,
    clip_peaks,
    code_mp3,
    code_telephone,
    code_vorbis,
    limit_band,
    reduce_rate,
)
from sklearn_ser.audio.loader import Clips, Decoded
from sklearn_ser.audio.noise import Noise
from sklearn_ser.exceptions import OptionError

__all__ = ["EVERYDAY", "AugmentedClips", "count_copies", "parse_augment"]

EVERYDAY = "everyday"
N_EVERYDAY = 4  # copies of a clip

Generator = np.random.Generator


def degrade_alone(
    y: np.ndarray, sr: int, name: str, rng: Generator, material: Material
) -> np.ndarray:
    """Change a clip in one way of `DEGRADATIONS`, with a strength drawn from its range."""
    degradation = DEGRADATIONS[name]
    strength = rng.uniform(*degradation.drawn)
    if name == "room":  # the voice stays in front of a room that is learned by itself
        return add_reverberation(y, sr, rng, strength, 6)
    return degradation.apply(y, sr, strength, rng, material)


# What happens to a clip that is recorded and sent, in that order: noise, then a device or a wire.
_NOISES: tuple[Callable[[np.ndarray, float, Generator], np.ndarray], ...] = (
    add_noise,
    add_colored_noise,
    lambda y, snr, rng: add_colored_noise(y, snr, rng, slope=-6.0),
)
_CHANNELS: tuple[Callable[[np.ndarray, int, Generator], np.ndarray], ...] = (
    lambda y, sr, rng: limit_band(y, sr),
    lambda y, sr, rng: reduce_rate(y, sr),
    lambda y, sr, rng: code_telephone(y, sr, "ULAW"),
    lambda y, sr, rng: code_telephone(y, sr, "ALAW"),
    lambda y, sr, rng: code_mp3(y, sr),
    lambda y, sr, rng: code_vorbis(y, sr),
    lambda y, sr, rng: clip_peaks(y, rng.uniform(0.02, 0.2)),
)


def degrade_at_random(
    y: np.ndarray, sr: int, rng: Generator, babble: Material, noise: Material | None = None
) -> np.ndarray:
    """Change a clip as everyday life does: a room, noise, a device or a wire, and the gain.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    sr : int
        In Hz.
    rng : numpy.random.Generator
    babble : callable
        From a number of samples to so many of other people talking at once.
    noise : callable, default=None
        Likewise, to recorded noise; with `None` there is none.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
        A reverberation of 0.2 to 0.8 s in 3 of 10 clips; white, pink, brown or recorded noise or
        babble at 0 to 30 dB in 3 of 4; a telephone's band, 8 kHz, G.711, MP3, Vorbis or clipping in
        3 of 5; a gain of up to 12 dB either way in 3 of 10.
    """
    if rng.random() < 0.3:
        y = add_reverberation(y, sr, rng, rng.uniform(0.2, 0.8), rng.uniform(-3, 6))
    if rng.random() < 0.75:
        snr, kind = rng.uniform(0, 30), rng.integers(len(_NOISES) + 1 + (noise is not None))
        if kind < len(_NOISES):
            y = _NOISES[kind](y, snr, rng)
        else:
            material = noise if noise is not None and kind > len(_NOISES) else babble
            y = add_background(y, material(len(y)), snr)
    if rng.random() < 0.6:
        y = _CHANNELS[rng.integers(len(_CHANNELS))](y, sr, rng)
    if rng.random() < 0.3:
        y = change_gain(y, rng.uniform(-12, 12))
    return y


def count_copies(name: str) -> int:
    """Return how many copies of each clip an augmentation makes."""
    return N_EVERYDAY if name == EVERYDAY else 1


def parse_augment(augment: str | None) -> list[str]:
    """Return the names in a list joined by commas.

    Raises
    ------
    OptionError
        If a name is not known, or there twice.

    Examples
    --------
    >>> from sklearn_ser.audio.augmentation import parse_augment
    >>> parse_augment("noise, room")
    ['noise', 'room']
    """
    names = [name.strip() for name in (augment or "").split(",") if name.strip()]
    known = (EVERYDAY, *DEGRADATIONS)
    for name in names:
        if name not in known or names.count(name) > 1:
            raise OptionError(f"`augment={augment}`: name each of {', '.join(known)} once at most.")
    return names


class AugmentedClips(Clips):
    """Clips, each changed in the same way whenever it is decoded.

    Parameters
    ----------
    clips : Clips
    name : str
        One of `DEGRADATIONS`, or `EVERYDAY`.
    seed : int
    copy : int, default=0
        Which of the copies that everyday life makes of each clip.
    speakers : ndarray of shape (n_clips,), default=None
        Who speaks in each clip: babble is made of others, where there are others.
    noise : Noise, default=None
        Recordings that noise is taken from.
    """

    def __init__(
        self,
        clips: Clips,
        name: str,
        seed: int,
        copy: int = 0,
        speakers: np.ndarray | None = None,
        noise: Noise | None = None,
    ):
        super().__init__(clips.sources, clips.settings, clips.index, clips.positions)
        self.augmentation = name
        self.seed = seed
        self.copy = copy
        self.speakers = speakers
        self.noise = noise

    def __getitem__(self, key):
        found = super().__getitem__(key)
        if isinstance(found, Clips):
            speakers = None if self.speakers is None else self.speakers[key]
            how = (self.augmentation, self.seed, self.copy, speakers, self.noise)
            return AugmentedClips(found, *how)
        return found

    def content(self, i: int) -> None:
        """Return `None`: what is made for one fit is not kept."""

    def decode(self, i: int, content: Content | None = None) -> Decoded:
        """Decode clip `i`, changed."""
        decoded = super().decode(i)
        y = np.ascontiguousarray(decoded.y)
        sr = self.sr or 22050
        everyday = self.augmentation == EVERYDAY
        seed = [self.seed, self.copy] if everyday else [self.seed]
        rng = np.random.default_rng([*seed, zlib.crc32(y.data)])

        def babble(n_times: int) -> np.ndarray:
            return self._babble(i, n_times, rng)

        def recorded(n_times: int) -> np.ndarray:
            assert self.noise is not None
            return self.noise.draw(n_times, sr, rng)

        if everyday:
            noise = None if self.noise is None else recorded
            changed = degrade_at_random(y, sr, rng, babble, noise)
        else:
            material = recorded if self.augmentation == "real" else babble
            changed = degrade_alone(y, sr, self.augmentation, rng, material)
        return decoded._replace(y=np.asarray(changed, dtype=np.float32))

    def _babble(self, i: int, n_times: int, rng: Generator) -> np.ndarray:
        """Return 3 to 7 clips of these at once, equally loud, of other speakers than clip `i`."""
        others = np.arange(len(self)) != i
        if self.speakers is not None:
            other_speakers = self.speakers != self.speakers[i]
            others = other_speakers if other_speakers.any() else others
        mixed = np.zeros(n_times, dtype=np.float32)
        if not others.any():
            return mixed
        for j in rng.choice(np.flatnonzero(others), size=rng.integers(3, 8)):
            voice = super().decode(int(j)).y
            power = np.mean(np.square(voice, dtype=np.float64))
            if power:
                voice = np.tile(voice, -(-n_times // len(voice)))
                start = rng.integers(len(voice) - n_times + 1)
                mixed += voice[start : start + n_times] / np.sqrt(power)
        return mixed
