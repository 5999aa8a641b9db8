"""Recorded noise: recordings that can be used, and sections of them as long as a clip."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sklearn_ser.audio.content import read_content
from sklearn_ser.audio.decoding import AudioSettings, load_audio
from sklearn_ser.exceptions import AudioError

__all__ = ["Noise", "draw_section", "read_noise"]

# Only so much of a recording is used, in seconds: sections of an hour sound alike.
LONGEST = 60.0
_SETTINGS = AudioSettings(duration=LONGEST, max_duration=None)


@dataclass(frozen=True)
class Noise:
    """Recordings of noise.

    Attributes
    ----------
    paths : tuple of str
        Ordered by checksum, so that neither names nor folders decide what is drawn.
    checksums : tuple of str
        SHA-256 of each file's bytes.
    skipped : tuple of str
        What is wrong with files that cannot be used.
    """

    paths: tuple[str, ...]
    checksums: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def draw(self, n_times: int, sr: int, rng: np.random.Generator) -> np.ndarray:
        """Return a section of one of the recordings, see :func:`draw_section`."""
        return draw_section(self.paths[rng.integers(len(self.paths))], n_times, sr, rng)

    def without(self, checksums: Container[str]) -> "Noise":
        """Return the recordings whose bytes are not among these."""
        return self._choose([i for i, one in enumerate(self.checksums) if one not in checksums])

    def share(self) -> tuple["Noise", "Noise"]:
        """Return two thirds of the recordings for training, and the rest for tests.

        Of a single recording nothing is left for tests.
        """
        rows = range(len(self.paths))
        for_tests = rows[1::3]
        training = [i for i in rows if i not in for_tests]
        return self._choose(training), self._choose(list(for_tests))

    def _choose(self, rows: Sequence[int]) -> "Noise":
        return Noise(
            tuple(self.paths[i] for i in rows), tuple(self.checksums[i] for i in rows), self.skipped
        )


def read_noise(files: Iterable[str], on_error: str = "stop") -> Noise:
    """Read each of some recordings once; files of equal bytes count once.

    Parameters
    ----------
    files : iterable of str
        Paths.
    on_error : {"stop", "skip"}, default="stop"
        What to do about files that cannot be used.

    Returns
    -------
    noise : Noise

    Raises
    ------
    AudioError
        If files cannot be decoded or are silent, and are not to be skipped, or none is left.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from sklearn_ser.audio.noise import read_noise
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/hum.wav", np.sin(np.arange(8000) / 20), 8000)
    ...     noise = read_noise([f"{folder}/hum.wav"])
    ...     noise.draw(32000, 16000, np.random.default_rng(0)).shape  # 1 s becomes 2 s
    (32000,)
    """
    found: dict[str, str] = {}
    failures: list[str] = []
    n_files = 0
    for path in files:
        n_files += 1
        try:
            checksum = _check(path)
        except AudioError as error:
            failures.append(str(error))
        else:
            found.setdefault(checksum, path)
    if failures and (on_error == "stop" or not found):
        lines = "\n".join(f"  {failure}" for failure in failures)
        mend = "" if not found else "\n`on_error=skip` goes on without them."
        raise AudioError(
            f"{len(failures)} of {n_files} files cannot be used as noise:\n{lines}{mend}"
        )
    checksums = sorted(found)
    return Noise(tuple(found[one] for one in checksums), tuple(checksums), tuple(failures))


def _check(path: str) -> str:
    """Return the checksum of a recording that can be used."""
    content = read_content(path)
    if content is None:
        raise AudioError(f"{path} cannot be read: check its permissions.")
    y, _ = content.decode(_SETTINGS, path)
    if not np.any(y):
        raise AudioError(f"{path} is silent: nothing of it can be heard as noise.")
    return content.sha256


def draw_section(path: str, n_times: int, sr: int, rng: np.random.Generator) -> np.ndarray:
    """Return a section of a recording, from a random place on.

    Parameters
    ----------
    path : str
        Of any rate and any number of channels; of long recordings the first minute is used.
    n_times : int
        Samples wanted. A recording that is shorter is repeated.
    sr : int
        Their rate, in Hz.
    rng : numpy.random.Generator

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    """
    y = _recording(path, sr)
    start = rng.integers(len(y) - n_times + 1) if len(y) > n_times else rng.integers(len(y))
    return np.resize(np.roll(y, -start) if len(y) <= n_times else y[start:], n_times)


@lru_cache(maxsize=32)
def _recording(path: str, sr: int) -> np.ndarray:
    return load_audio(path, sr=sr, duration=LONGEST, max_duration=None)
