"""Augmentation: changed copies of training clips, such as rooms, noise and telephones make them.

Only training clips are ever changed. The copies of a clip stay on its side of every split.

What happens to a copy is drawn before anything is decoded, from the checksum of its clip: so the
feature cache knows a copy by what it is made of, and a clip has the same copies in every fold that
trains on it.
"""

import hashlib
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_ser.audio.conditions import N_VOICES, overlay
from sklearn_ser.audio.content import Content
from sklearn_ser.audio.degradations import DEGRADATIONS, Material, add_reverberation
from sklearn_ser.audio.loader import Clips, Decoded
from sklearn_ser.audio.noise import Noise
from sklearn_ser.exceptions import AudioError, OptionError

__all__ = ["EVERYDAY", "AugmentedClips", "Copy", "list_copies", "parse_augment"]

EVERYDAY = "everyday"
N_EVERYDAY = 4  # copies of a clip

# What happens to a clip that is recorded and sent, in that order, and to which share of the copies:
# a room, noise, a device or a wire, another gain.
ROOMS, NOISES, CHANNELS, GAINS = 0.4, 0.85, 0.65, 0.6
ROOM_SECONDS, ROOM_RATIO = (0.2, 0.8), (-3.0, 6.0)
SNR, GAIN = (3.0, 25.0), (-15.0, 15.0)  # in dB
NOISE_KINDS = ("noise", "pink", "brown", "babble", "babble")  # babble is the hardest
CHANNEL_KINDS = ("telephone", "rate", "mulaw", "alaw", "mp3", "vorbis", "opus", "clipping")

# Babble is made of so many clips at most, and of so many seconds of each.
MOST_VOICES, LONGEST_VOICE = 64, 10.0

Generator = np.random.Generator


class Step(NamedTuple):
    """A degradation, by its name in `DEGRADATIONS`, and how strong it is."""

    name: str
    strength: float
    ratio: float | None = None  # of the energies of direct sound and room, in dB


def draw_chain(rng: Generator, recorded: bool = False) -> list[Step]:
    """Draw what everyday life does to a copy: a room, noise, a device or a wire, and the gain.

    Parameters
    ----------
    rng : numpy.random.Generator
    recorded : bool, default=False
        Whether there is recorded noise.

    Returns
    -------
    steps : list of Step

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio.augmentation import draw_chain
    >>> [step.name for step in draw_chain(np.random.default_rng(2))]
    ['room', 'babble', 'vorbis', 'gain']
    """
    steps = []
    if rng.random() < ROOMS:
        steps.append(Step("room", rng.uniform(*ROOM_SECONDS), rng.uniform(*ROOM_RATIO)))
    if rng.random() < NOISES:
        kinds = (*NOISE_KINDS, "real") if recorded else NOISE_KINDS
        snr = rng.uniform(*SNR)
        steps.append(Step(kinds[rng.integers(len(kinds))], snr))
    if rng.random() < CHANNELS:
        name = CHANNEL_KINDS[rng.integers(len(CHANNEL_KINDS))]
        steps.append(Step(name, rng.uniform(*DEGRADATIONS[name].drawn)))
    if rng.random() < GAINS:
        steps.append(Step("gain", rng.uniform(*GAIN)))
    return steps


def apply_chain(
    y: np.ndarray, sr: int, steps: Sequence[Step], rng: Generator, material: Material
) -> np.ndarray:
    """Degrade a waveform step by step.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
    sr : int
        In Hz.
    steps : sequence of Step
    rng : numpy.random.Generator
    material : callable
        From a number of samples to so many of the voices or the recorded noise that a step needs.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    """
    for name, strength, ratio in steps:
        if ratio is None:
            y = DEGRADATIONS[name].apply(y, sr, strength, rng, material)
        else:
            y = add_reverberation(y, sr, rng, strength, ratio)
    return y


class Copy(NamedTuple):
    """A copy of each clip: the name of its augmentation, and which of those of that name."""

    name: str
    number: int = 0


def list_copies(names: Sequence[str]) -> list[Copy]:
    """Return the copies that augmentations make of each clip.

    Examples
    --------
    >>> from sklearn_ser.audio.augmentation import list_copies
    >>> [tuple(copy) for copy in list_copies(["gain", "room"])]
    [('gain', 0), ('room', 0)]
    >>> len(list_copies(["everyday"]))
    4
    """
    return [Copy(name, i) for name in names for i in range(N_EVERYDAY if name == EVERYDAY else 1)]


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


class Sources:
    """What copies are made of: training clips, and recorded noise.

    Parameters
    ----------
    clips : Clips
    speakers : ndarray of shape (n_clips,), default=None
        Who speaks in each clip: babble is made of others, where there are others.
    noise : Noise, default=None
        Recordings that noise is taken from.
    checksums : ndarray of shape (n_clips,), default=None
        SHA-256 of each file, where it is known.
    """

    def __init__(
        self,
        clips: Clips,
        speakers: np.ndarray | None = None,
        noise: Noise | None = None,
        checksums: np.ndarray | None = None,
    ):
        self.clips = clips
        self.noise = noise
        if checksums is None:
            checksums = np.array([self._content(i).sha256 for i in range(len(clips))])
        self.checksums = checksums
        self.hashes = np.array([int(one[:16], 16) for one in checksums], dtype=np.uint64)
        speakers = np.zeros(len(clips)) if speakers is None else speakers.astype(str)
        self.speakers = np.unique(speakers, return_inverse=True)[1]
        self._decoded: dict[int, np.ndarray] = {}

    def _content(self, i: int) -> Content:
        content = self.clips.content(i)
        if content is None:
            self.clips.decode(i)  # says what is wrong
            raise AudioError(f"{self.clips.name(i)} cannot be read.")
        return content

    def decode(self, i: int) -> Decoded:
        """Decode a clip, as its checksum says it is."""
        content = self._content(i)
        if content.sha256 != self.checksums[i]:
            raise AudioError(f"{self.clips.name(i)} was changed during this run: start it again.")
        return self.clips.decode(i, content)

    @cached_property
    def noise_checksum(self) -> str:
        """A checksum of all recorded noise."""
        known = () if self.noise is None else self.noise.checksums
        return hashlib.sha256(" ".join(known).encode()).hexdigest()

    @cached_property
    def _voices(self) -> np.ndarray:
        """Which clips babble is made of: a few of each speaker, so that they can stay decoded."""
        order = np.argsort(_shuffle_bits(self.hashes), kind="stable")
        turn = pd.Series(self.speakers[order]).groupby(self.speakers[order]).cumcount()
        return order[np.argsort(turn, kind="stable")][:MOST_VOICES]

    def voice(self, i: int) -> np.ndarray:
        """Return the waveform of a clip in babble, of long clips the beginning."""
        if i not in self._decoded:
            longest = round(LONGEST_VOICE * (self.clips.sr or 22050))
            self._decoded[i] = self.decode(i).y[:longest].copy()
        return self._decoded[i]

    def choose_voices(self, i: int, seed: Sequence[int]) -> np.ndarray:
        """Return which clips talk behind clip `i`: 3 to 7 of other speakers.

        Each possible voice has a random rank that depends on nothing but its checksum and the seed,
        and the first are taken: where a fold leaves other clips out, most babble stays as it is.
        """
        rng = np.random.default_rng(seed)
        n, mask = int(rng.integers(*N_VOICES)), rng.integers(2**64, dtype=np.uint64)
        others = self._voices[self.speakers[self._voices] != self.speakers[i]]
        if not len(others):
            others = self._voices[self.hashes[self._voices] != self.hashes[i]]
        ranks = _shuffle_bits(self.hashes[others] ^ mask)
        return others[np.argsort(ranks, kind="stable")[:n]]


def _shuffle_bits(x: np.ndarray) -> np.ndarray:
    """Return random-looking numbers in place of others (the last steps of SplitMix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class AugmentedClips(Clips):
    """Changed copies of clips, each the same whenever it is decoded: all of a clip, then the next.

    Parameters
    ----------
    sources : Sources
        What they are made of.
    copies : sequence of n_copies Copy
    seed : int
    rows : sequence of int, default=None
        Which of the n_clips * n_copies copies, by default all.
    """

    def __init__(
        self,
        sources: Sources,
        copies: Sequence[Copy],
        seed: int,
        rows: Sequence[int] | None = None,
    ):
        clips = sources.clips
        self.rows = range(len(clips) * len(copies)) if rows is None else rows
        of = [row // len(copies) for row in self.rows]
        super().__init__(
            [clips.sources[i] for i in of], clips.settings, None, [clips.positions[i] for i in of]
        )
        self.made_of = sources
        self.copies = copies
        self.seed = seed
        self._last: tuple[int, Decoded] | None = None  # a clip is decoded once for all its copies
        self._checksums: dict[int, str] = {}  # by row

    def __getitem__(self, key):
        if isinstance(key, int | np.integer):
            return self.decode(int(key)).y
        rows = [self.rows[i] for i in np.arange(len(self))[key]]
        some = AugmentedClips(self.made_of, self.copies, self.seed, rows)
        some._checksums = self._checksums
        return some

    def content(self, i: int) -> Content:
        """Return the checksum of all that copy `i` is made of: equal copies have equal ones."""
        row = self.rows[i]
        if row not in self._checksums:
            self._checksums[row] = self._plan(i).checksum
        return Content(self.sources[i], self._checksums[row], None)

    def decode(self, i: int, content: Content | None = None) -> Decoded:
        """Decode the clip of copy `i`, and change it."""
        clip, copy, steps, voices, rng, _ = self._plan(i)
        if self._last is None or self._last[0] != clip:
            self._last = clip, self.made_of.decode(clip)
        decoded = self._last[1]
        y = np.ascontiguousarray(decoded.y)
        sr = self.sr or 22050
        noise = self.made_of.noise

        def material(n_times: int) -> np.ndarray:
            if any(DEGRADATIONS[step.name].needs == "noise" for step in steps):
                assert noise is not None
                return noise.draw(n_times, sr, rng)
            return overlay((self.made_of.voice(int(j)) for j in voices), n_times, rng)

        if copy.name != EVERYDAY:
            rng = np.random.default_rng([self.seed, zlib.crc32(y.data)])
            step = Step(copy.name, rng.uniform(*DEGRADATIONS[copy.name].drawn))
            # The voice stays in front of a room that is learned by itself.
            steps = [step._replace(ratio=6) if copy.name == "room" else step]
        changed = apply_chain(y, sr, steps, rng, material)
        return decoded._replace(y=np.asarray(changed, dtype=np.float32))

    def _plan(self, i: int) -> "_Plan":
        """Return what copy `i` is made of, and how."""
        of, (clip, number) = self.made_of, divmod(self.rows[i], len(self.copies))
        copy = self.copies[number]
        seed = [self.seed, copy.number, int(of.hashes[clip])]
        rng = np.random.default_rng(seed)
        everyday = copy.name == EVERYDAY
        # The strength of a single change is drawn once the clip is decoded, as it always was.
        steps = draw_chain(rng, of.noise is not None) if everyday else [Step(copy.name, 0.0)]
        needs = {DEGRADATIONS[step.name].needs for step in steps}
        voices = of.choose_voices(clip, [*seed, 1]) if "voices" in needs else np.arange(0)
        made_of = [of.checksums[clip], *of.checksums[voices]]
        made_of += [of.noise_checksum] if "noise" in needs else []
        words = f"{copy} {self.seed} {[tuple(step) for step in steps]} {' '.join(made_of)}"
        checksum = hashlib.sha256(words.encode()).hexdigest()
        return _Plan(clip, copy, steps, voices, rng, checksum)


class _Plan(NamedTuple):
    """What a copy is made of, and how."""

    clip: int
    copy: Copy
    steps: list[Step]
    voices: np.ndarray
    rng: Generator
    checksum: str
