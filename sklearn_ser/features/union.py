"""`AudioFeatureUnion`: several features of each clip from one reading."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.pipeline import FeatureUnion

from sklearn_ser._sklearn import (
    DocumentedMixin,
    active_transformers,
    keep_index,
    sequences_stay_arrays,
    show_in_rows,
)
from sklearn_ser.audio.loader import Clips, check_clips
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features._cache import FeatureCache
from sklearn_ser.features._extraction import Batch, Inspect, extract, find_missing, iter_batches
from sklearn_ser.features.transformers import ClipTransformer, SequenceTransformer

__all__ = ["AudioFeatureUnion", "count_features", "name_features"]

LONG = 200  # characters of features and parameters that nobody reads


@sequences_stay_arrays
class AudioFeatureUnion(DocumentedMixin, FeatureUnion):
    """Several features of each clip side by side, from one decoding and one spectrum.

    The same features as scikit-learn's `FeatureUnion` of the same transformers, clip by clip
    instead of transformer by transformer: each clip is decoded once, its spectrum is computed once
    per setting, and the memory in use does not grow with the number of clips.

    Parameters
    ----------
    transformer_list : list of (str, transformer)
        The features and their names; `"drop"` leaves one out. Each transformer is one of this
        package's, all with the same `sr`.
    n_jobs : int, default=None
        How many batches of clips to work on at once, as threads unless a joblib context says
        otherwise; `None` means 1.
    transformer_weights : dict of str to float, default=None
        Factors for the features of single transformers.
    verbose : bool, default=False
        Ignored; the command line shows progress.
    verbose_feature_names_out : bool, default=False
        Whether to prefix the names of features with the name of their transformer.
    cache_dir : str or Path, default=None
        A folder to keep features in, so that a clip is computed once per setting whatever is
        fitted or searched; `None` keeps nothing. A changed file, parameter or version of the code
        counts as another clip. `save_pipeline` leaves it out.
    cache_size : int, default=2_000_000_000
        How large the cache may grow, in bytes, before the features that were not used for the
        longest time are dropped.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import MFCC, AudioFeatureUnion, Chroma
    >>> union = AudioFeatureUnion([("mfcc", MFCC()), ("chroma", Chroma())])
    >>> noise = np.random.default_rng(0).normal(size=(3, 22050)) / 10
    >>> union.fit_transform(noise).shape
    (3, 52)
    """

    def __init__(
        self,
        transformer_list,
        *,
        n_jobs=None,
        transformer_weights=None,
        verbose=False,
        verbose_feature_names_out=False,
        cache_dir=None,
        cache_size=2_000_000_000,
    ):
        super().__init__(
            transformer_list,
            n_jobs=n_jobs,
            transformer_weights=transformer_weights,
            verbose=verbose,
            verbose_feature_names_out=verbose_feature_names_out,
        )
        self.cache_dir = cache_dir
        self.cache_size = cache_size

    def fit(self, X, y=None, **fit_params):
        """Check the parameters and X; nothing is learned and nothing is decoded.

        Parameters
        ----------
        X : Clips, array of shape (n_clips, n_times), or list of arrays of shape (n_times,)
        y, **fit_params : ignored

        Returns
        -------
        self : AudioFeatureUnion
        """
        self._check(X)
        return self

    def fit_transform(self, X, y=None, **params):
        """Compute the features of each clip, as :meth:`transform` does.

        Parameters
        ----------
        X : Clips, array of shape (n_clips, n_times), or list of arrays of shape (n_times,)
        y, **params : ignored

        Returns
        -------
        features : ndarray of shape (n_clips, n_features), float32
        """
        return self.fit(X).transform(X)

    def transform(self, X, **params):
        """Compute the features of each clip.

        Parameters
        ----------
        X : Clips, array of shape (n_clips, n_times), or list of arrays of shape (n_times,)
        **params : ignored

        Returns
        -------
        features : ndarray of shape (n_clips, n_features), float32

        Raises
        ------
        AudioError
            If clips cannot be read; it lists them all, and its `failures` tell their positions.
        """
        clips = self._check(X)
        matrix = extract(self._weighted(), clips, self.n_jobs, self._cache())
        return keep_index(self, matrix, clips.index)

    def iter_batches(self, X, *, inspect: Inspect = None) -> Iterator[Batch]:
        """Yield the features of a few clips at a time, for those who want to show progress.

        Parameters
        ----------
        X : Clips, array of shape (n_clips, n_times), or list of arrays of shape (n_times,)
        inspect : {"quality", "voice", "all"} or None, default=None
            What else to find out about each clip in the same pass: its quality (length, level,
            clipping, bandwidth); whether a voice is heard in it as well; or its quality, its
            checksums and what was recorded.

        Yields
        ------
        batch : Batch
            Its `rows`, `None` for clips that failed, the `failures` by position in the batch, and
            the `inspections`.
        """
        yield from iter_batches(
            self._weighted(), self._check(X), self.n_jobs, self._cache(), inspect
        )

    def find_missing(self, X) -> list[int]:
        """Return the positions of the clips whose features are not in the cache.

        Parameters
        ----------
        X : Clips

        Returns
        -------
        positions : list of int
        """
        return find_missing(self._weighted(), self._check(X), self._cache())

    def _cache(self) -> FeatureCache | None:
        return None if self.cache_dir is None else FeatureCache(self.cache_dir, self.cache_size)

    def _weighted(self) -> list[tuple[ClipTransformer, float | None]]:
        return [(transformer, weight) for _, transformer, weight in active_transformers(self)]

    def _check(self, X) -> Clips:
        active = {name: transformer for name, transformer, _ in active_transformers(self)}
        if not active:
            raise OptionError("AudioFeatureUnion has no features: name at least one.")
        for name, transformer in active.items():
            if not isinstance(transformer, ClipTransformer):
                raise OptionError(
                    f"AudioFeatureUnion cannot take {name}={transformer!r}: use this package's "
                    "feature transformers, subclass ClipTransformer or FrameTransformer, or use "
                    "scikit-learn's FeatureUnion."
                )
        rates = {name: transformer.sr for name, transformer in active.items()}
        if len(set(rates.values())) > 1:
            raise OptionError(f"The features have different rates, {rates}: give all the same sr.")
        lengths = {
            name: t.n_frames if isinstance(t, SequenceTransformer) else None
            for name, t in active.items()
        }
        if len(set(lengths.values())) > 1:
            raise OptionError(
                f"Sequences join only with sequences of as many frames, not {lengths}: give all "
                "the same n_frames, and leave out features that have none."
            )
        clips = check_clips(X)
        for transformer in active.values():
            transformer._check(clips)
        return clips

    def feature_shape(self) -> tuple[int, ...]:
        """Return the shape of the features of one clip: (n_features,) or (n_frames, n_channels)."""
        shapes = [transformer.feature_shape() for _, transformer, _ in active_transformers(self)]
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def _sk_visual_block_(self):
        """Show many features in rows: side by side they would not fit a notebook."""
        return show_in_rows(self.transformer_list)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of all features, in their order.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of shape (n_features,), object
        """
        return super().get_feature_names_out(input_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return True


def name_features(described: Sequence[str]) -> str:
    """Return features in one line: as a card has them, or by name alone where that would be long.

    Parameters
    ----------
    described : sequence of str
        Their representations, with parameters.

    Returns
    -------
    line : str

    Examples
    --------
    >>> from sklearn_ser.features import name_features
    >>> name_features(["MFCC(n_mfcc=20)", "Chroma()"])
    'MFCC(n_mfcc=20), Chroma()'
    """
    whole = ", ".join(" ".join(one.split()) for one in described)
    if len(whole) <= LONG:
        return whole
    return ", ".join(dict.fromkeys(one.partition("(")[0] for one in described))


def count_features(n_features: int, n_frames: int | None) -> str:
    """Say how many features a clip has, or of how many frames with how many features each.

    Examples
    --------
    >>> from sklearn_ser.features import count_features
    >>> count_features(128, 130), count_features(40, None)
    ('130 frames of 128 features', '40 features')
    """
    return (
        f"{n_features} features"
        if n_frames is None
        else f"{n_frames} frames of {n_features} features"
    )
