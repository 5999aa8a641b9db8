"""`AudioLoader`, the first step of every pipeline: sources become clips when they are needed.

`AudioLoader` hands its successor `Clips`, a sequence that decodes a clip when somebody takes it and
keeps nothing; `decoding.py` says how.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_ser._sklearn import (
    DocumentedMixin,
    at_least,
    check_once,
    one_of,
    positive,
    validate_params,
)
from sklearn_ser.audio.content import Content, read_content
from sklearn_ser.audio.decoding import (
    LOWEST_RATE,
    AudioSettings,
    decode,
    finish,
    load_audio,
    name_of,
)
from sklearn_ser.audio.resampling import RESAMPY_TYPES, SOXR_TYPES
from sklearn_ser.audio.waveforms import full_scale, is_pair
from sklearn_ser.exceptions import AudioError

__all__ = ["AudioLoader", "Clips", "Decoded", "check_clips", "load_audio"]


class Decoded(NamedTuple):
    """One decoded clip."""

    y: np.ndarray  # of shape (n_times,), float32, at the rate of the clips
    native: np.ndarray  # its mono samples before they were resampled or trimmed
    rate: int  # their sampling rate, in Hz; 0 where it is unknown


class Clips:
    """A lazy sequence of waveforms: `clips[i]` decodes clip `i` and keeps nothing.

    Parameters
    ----------
    sources : list
        What `load_audio` reads, one per clip.
    settings : AudioSettings
        How to read them.
    index : pandas.Index, default=None
        The index of the Series the sources came in, for transformers with pandas output.
    positions : sequence of int, default=None
        What errors number the sources by, where they are part of a longer sequence.
    """

    def __init__(
        self,
        sources: list,
        settings: AudioSettings,
        index: Any = None,
        positions: Sequence[int] | None = None,
    ):
        self.sources = sources
        self.settings = settings
        self.index = index
        self.positions = range(len(sources)) if positions is None else positions

    @property
    def sr(self) -> int | None:
        """Sampling rate of the clips, in Hz; `None` for bare waveforms, whose rate is unknown."""
        return self.settings.sr or None

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, key):
        if isinstance(key, int | np.integer):
            return self.decode(int(key)).y
        chosen = np.arange(len(self))[key]
        return Clips(
            [self.sources[i] for i in chosen],
            self.settings,
            None if self.index is None else self.index[chosen],
            [self.positions[i] for i in chosen],
        )

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def content(self, i: int) -> Content | None:
        """Return what clip `i` holds, read once to be hashed and decoded; `None` if it cannot be.

        Raises
        ------
        AudioError
            If a URL cannot be fetched.
        """
        return read_content(self.sources[i])

    def decode(self, i: int, content: Content | None = None) -> Decoded:
        """Decode clip `i`, from its content where that has been read before.

        Raises
        ------
        AudioError
            If it cannot be read.
        """
        name = self.name(i)
        if content is None:
            native, rate = decode(self.sources[i], self.settings, name)
        else:
            native, rate = content.decode(self.settings, name)
        return Decoded(finish(native, rate, self.settings, name), native, rate)

    def name(self, i: int) -> str:
        """Return what an error calls clip `i`: its path, or its position."""
        return name_of(self.sources[i], self.positions[i])

    def __repr__(self) -> str:
        return f"<{len(self)} clips at {self.sr} Hz, decoded when asked for>"


class AudioLoader(DocumentedMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """The first step of every pipeline: sources of audio become waveforms at one rate.

    Nothing is decoded before it is needed and nothing decoded is kept, so the memory of a pipeline
    does not grow with the length of its corpus.

    Parameters
    ----------
    sr : int, default=22050
        Sampling rate of the clips, in Hz. The feature transformers after it must have the same.
    offset : float, default=0.0
        Where in each clip to start, in seconds.
    duration : float, default=None
        How much of each clip to use at most, in seconds; `None` uses all.
    res_type : str, default="soxr_hq"
        The resampler, see :func:`load_audio`. `"kaiser_fast"` is the one of the classic recipe and
        needs the extra `classic`.
    top_db : float, default=None
        Trim silence at both ends, this many decibels below the loudest; `None` trims nothing.
    max_duration : float, default=600.0
        The longest clip accepted, in seconds; `None` accepts any.

    See Also
    --------
    load_audio : The same for one source.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import AudioLoader
    >>> clips = AudioLoader(sr=16000).fit_transform([np.zeros(16000), np.ones(8000)])
    >>> len(clips), clips[1].shape
    (2, (8000,))
    """

    _parameter_constraints: dict = {
        "sr": [at_least(LOWEST_RATE)],
        "offset": [at_least(0, Real)],
        "duration": [positive(), None],
        "res_type": [one_of(*SOXR_TYPES, *RESAMPY_TYPES)],
        "top_db": [positive(), None],
        "max_duration": [positive(), None],
    }

    def __init__(
        self,
        sr=22050,
        *,
        offset=0.0,
        duration=None,
        res_type="soxr_hq",
        top_db=None,
        max_duration=600.0,
    ):
        self.sr = sr
        self.offset = offset
        self.duration = duration
        self.res_type = res_type
        self.top_db = top_db
        self.max_duration = max_duration

    def fit(self, X, y=None):
        """Check the parameters and the kind of X; nothing is decoded and nothing is learned.

        Parameters
        ----------
        X : sequence of sources
            As for :meth:`transform`.
        y : ignored

        Returns
        -------
        self : AudioLoader
        """
        validate_params(self)
        if hasattr(X, "__len__"):  # an iterator is used up by looking at it
            _as_sources(X)
        return self

    def transform(self, X) -> Clips:
        """Return the clips, not decoded yet.

        Parameters
        ----------
        X : sequence of n_clips sources, or array of shape (n_clips, n_times)
            Paths, URLs, bytes, open binary files, pairs `(samples, rate)`, rows
            `{"array": samples, "sampling_rate": rate}`, or waveforms at the rate `sr`.

        Returns
        -------
        clips : Clips of length n_clips

        Raises
        ------
        ValueError
            If X is a single source, or holds no clip.
        """
        check_once(self, lambda: validate_params(self))
        own = {name: getattr(self, name) for name in self._parameter_constraints}
        return Clips(_as_sources(X), AudioSettings(**own), _index_of(X))

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the one name `"clip"`, so that a whole pipeline can be asked for its names."""
        return np.array(["clip"], dtype=object)

    def set_output(self, *, transform=None) -> "AudioLoader":
        """Change nothing: clips have no table form."""
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return True


def _as_sources(X: Any) -> list:
    """Return X as a list of sources, refusing what holds one clip where several are expected."""
    one = isinstance(X, str | os.PathLike | bytes | bytearray | Mapping) or hasattr(X, "read")
    if one or is_pair(X):
        raise AudioError("One source of audio was given where a list is expected: write [source].")
    if hasattr(X, "iloc"):
        if getattr(X, "ndim", 1) == 2:
            if X.shape[1] != 1:
                raise AudioError(
                    "A table was given where a column of paths is expected: write corpus['path']."
                )
            X = X.iloc[:, 0]
        sources = list(X)
    elif isinstance(X, np.ndarray) and X.dtype.kind not in "OUS":
        if X.ndim != 2:
            raise AudioError(
                f"An array of shape {X.shape} was given where a batch of clips (n_clips, n_times) "
                "is expected: write [waveform] for one mono clip."
            )
        if X.shape[1] <= 8:
            raise AudioError(
                f"An array of shape {X.shape} was given, {len(X)} clips of {X.shape[1]} samples: "
                "for one clip of several channels write [y.mean(axis=1)]."
            )
        sources = list(X)
    elif isinstance(X, np.ndarray):
        sources = X.ravel().tolist() if X.ndim == 2 and X.shape[1] == 1 else X.tolist()
    else:
        sources = list(X)
    if not sources:
        raise AudioError("Found 0 clips: at least one is needed.")
    if isinstance(sources[0], Real):
        raise AudioError("One waveform was given where a list is expected: write [waveform].")
    return sources


def _index_of(X: Any) -> Any:
    return X.index if hasattr(X, "iloc") else None


def check_clips(X: Any) -> Any:
    """Return a batch of clips that transformers can read one by one, or raise.

    Parameters
    ----------
    X : Clips, array of shape (n_clips, n_times), or sequence of n_clips arrays of shape (n_times,)

    Returns
    -------
    clips : Clips
        What an `AudioLoader` made is returned as it is.

    Raises
    ------
    ValueError
        If X is not a batch of clips. What single clips hold is checked as each is read.
    """
    if isinstance(X, Clips):
        return X
    if hasattr(X, "toarray"):
        raise TypeError("A sparse matrix was given where clips are expected: pass a dense array.")
    if not hasattr(X, "__len__") and not hasattr(X, "__array__"):
        raise TypeError(f"Clips were expected, not {X!r}.")
    if hasattr(X, "iloc") and getattr(X, "ndim", 1) == 2:
        X, index = X.to_numpy(), X.index
    else:
        index = _index_of(X)
    if not hasattr(X, "iloc") and not _is_ragged(X):
        from sklearn.utils import check_array

        if isinstance(X, np.ndarray) and X.dtype == np.int16:  # surely samples of 16 bit
            X = full_scale(X, "the batch")

        X = list(check_array(X, dtype=np.float32))
    return Clips(_as_sources(X), _WAVEFORMS, index)


def _is_ragged(X: Any) -> bool:
    """Say whether X is a sequence of arrays, which may differ in length."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and hasattr(X[0], "__len__")
    return isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], np.ndarray)


# Bare waveforms come without a rate; 0 marks that, and nothing is resampled.
_WAVEFORMS = replace(AudioSettings(), sr=0, max_duration=None)
