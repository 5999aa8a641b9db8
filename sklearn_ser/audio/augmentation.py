"""Augmentation: changed copies of training clips (noise, gain, room, speed, pitch).

Only training clips are ever changed. The copies of a clip stay on its side of every split.
"""

import zlib
from collections.abc import Callable

import numpy as np
import soxr

from sklearn_ser.audio.content import Content
from sklearn_ser.audio.degradations import add_noise, add_reverberation, change_gain
from sklearn_ser.audio.loader import Clips, Decoded
from sklearn_ser.exceptions import OptionError

__all__ = ["AUGMENTATIONS", "AugmentedClips", "parse_augment"]


def _change_speed(y: np.ndarray, sr: int, rng: np.random.Generator) -> np.ndarray:
    """Play a clip up to a tenth faster or slower, its pitch and formants moving along."""
    return soxr.resample(y, sr * rng.uniform(0.9, 1.1), sr, quality="HQ").astype(np.float32)


def _change_pitch(y: np.ndarray, sr: int, rng: np.random.Generator) -> np.ndarray:
    """Move pitch and formants by up to two semitones, at the same speed."""
    import librosa

    steps = rng.uniform(-2, 2)
    return librosa.effects.pitch_shift(y, sr=sr, n_steps=steps, res_type="soxr_hq")


AUGMENTATIONS: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "noise": lambda y, sr, rng: add_noise(y, rng.uniform(10, 30), rng),
    "gain": lambda y, sr, rng: change_gain(y, rng.uniform(-12, 12)),
    "room": lambda y, sr, rng: add_reverberation(y, sr, rng, rng.uniform(0.2, 0.6), 6),
    "speed": _change_speed,
    "pitch": _change_pitch,
}


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
    for name in names:
        if name not in AUGMENTATIONS or names.count(name) > 1:
            raise OptionError(
                f"`augment={augment}`: name each of {', '.join(AUGMENTATIONS)} once at most."
            )
    return names


class AugmentedClips(Clips):
    """Clips, each changed in the same way whenever it is decoded.

    Parameters
    ----------
    clips : Clips
    name : str
        One of `AUGMENTATIONS`.
    seed : int
    """

    def __init__(self, clips: Clips, name: str, seed: int):
        super().__init__(clips.sources, clips.settings, clips.index, clips.positions)
        self.augmentation = name
        self.seed = seed

    def __getitem__(self, key):
        found = super().__getitem__(key)
        if isinstance(found, Clips):
            return AugmentedClips(found, self.augmentation, self.seed)
        return found

    def content(self, i: int) -> None:
        """Return `None`: what is made for one fit is not kept."""

    def decode(self, i: int, content: Content | None = None) -> Decoded:
        """Decode clip `i`, changed."""
        decoded = super().decode(i)
        y = np.ascontiguousarray(decoded.y)
        rng = np.random.default_rng([self.seed, zlib.crc32(y.data)])
        changed = AUGMENTATIONS[self.augmentation](y, self.sr or 22050, rng)
        return decoded._replace(y=np.asarray(changed, dtype=np.float32))
