"""What a clip is like apart from its emotion, and whether the training clips were like that.

A classifier answers whatever it is given. So each answer comes with a warning where the clip is
silent, clipped, far shorter or of a lower bandwidth than the clips it was trained with, or where
its features lie far outside theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_ser.features import AudioFeatureUnion
from sklearn_ser.features._base import ClipTransformer
from sklearn_ser.features._spectrum import STFT, Spectra
from sklearn_ser.features.sequences import SequenceTransformer

__all__ = ["ClipQuality", "Judge", "Quality", "TrainingRange", "describe_training"]

SILENCE_DB = -60.0  # RMS level in dB below full scale under which a clip counts as silent
FULL_SCALE = 0.99  # samples beyond count as clipped, ...
CLIPPED_SHARE = 0.001  # ... and a clip with more than this share of them
BAND_DB = -70.0  # a clip's band ends where its spectrum has fallen this far below its peak

N_MEASURED = 200  # training clips whose length and bandwidth are measured


class Quality(NamedTuple):
    """What is measured of one clip."""

    seconds: float
    level: float  # RMS in dB below full scale
    clipped: float  # share of samples at full scale
    bandwidth: float  # Hz; 0 for silence


class ClipQuality(ClipTransformer):
    """Length, level, share of clipped samples and bandwidth of each clip.

    It takes part in the pass over a clip that a pipeline's features make, and uses their spectrum.

    Parameters
    ----------
    like : ClipTransformer
        A transformer of the pipeline, whose rate, spectrum and number of frames it shares.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import MFCC
    >>> from sklearn_ser.features.quality import ClipQuality, Quality
    >>> noise = np.random.default_rng(0).normal(size=22050) / 10
    >>> Quality(*ClipQuality(MFCC()).transform([noise])[0].round().tolist())
    Quality(seconds=1.0, level=-20.0, clipped=0.0, bandwidth=11025.0)
    """

    def __init__(self, like):
        self.like = like

    @property
    def sr(self) -> int:  # type: ignore[override]
        """Sampling rate of the clips, in Hz."""
        return self.like.sr

    def check_settings(self) -> None:
        """Check nothing: the transformer it is like has been checked."""

    def check_settings_once(self) -> None:
        """Check nothing: the transformer it is like has been checked."""

    def _stft(self) -> STFT:
        return self.like._stft()

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the qualities of some clips, of shape (n_clips, 4), float32."""
        stft = self._stft()
        spectrum = spectra.mean(spectra.power(stft), stft)
        frequencies = np.fft.rfftfreq(stft.n_fft, 1 / self.sr)
        rows = [
            _measure(y, self.sr, mean, frequencies)
            for y, mean in zip(spectra.clips, spectrum, strict=True)
        ]
        return np.array(rows, dtype=np.float32)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the four qualities."""
        return np.array(Quality._fields, dtype=object)


class SequenceQuality(SequenceTransformer, ClipQuality):
    """The same in every frame, to stand beside features that are sequences."""

    @property
    def n_frames(self) -> int:  # type: ignore[override]
        """How many frames."""
        return self.like.n_frames

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the qualities of some clips, of shape (n_clips, n_frames, 4), float32."""
        return np.repeat(ClipQuality.compute(self, spectra)[:, np.newaxis], self.n_frames, axis=1)


def _measure(y: np.ndarray, sr: int, spectrum: np.ndarray, frequencies: np.ndarray) -> Quality:
    power = float(np.dot(y, y)) / len(y)
    peak = spectrum.max()
    band = np.flatnonzero(spectrum > peak * 10 ** (BAND_DB / 10))
    return Quality(
        len(y) / sr,
        10 * np.log10(max(power, 1e-20)),
        np.count_nonzero(np.abs(y) >= FULL_SCALE) / len(y),
        frequencies[band[-1]] if len(band) else 0.0,
    )


def with_quality(union: AudioFeatureUnion, n_jobs: int | None = None) -> AudioFeatureUnion:
    """Return a union that gives the four qualities after the features of another."""
    first = next(t for _, t in union.transformer_list if t != "drop")
    kind = SequenceQuality if isinstance(first, SequenceTransformer) else ClipQuality
    return AudioFeatureUnion(
        [*union.transformer_list, ("_quality", kind(first))],
        transformer_weights=union.transformer_weights,
        n_jobs=n_jobs,
    )


def split_quality(row: np.ndarray) -> tuple[np.ndarray, Quality]:
    """Return the features and the qualities in a row of `with_quality`."""
    n = len(Quality._fields)
    last = row if row.ndim == 1 else row[0]
    return row[..., :-n], Quality(*map(float, last[-n:]))


@dataclass(frozen=True)
class TrainingRange:
    """What the training clips were like; the entry `training` of a card.

    Parameters
    ----------
    seconds : float
        Length of the clips, which one clip in a hundred falls short of.
    bandwidth : float
        Their bandwidth in Hz, which one clip in twenty falls short of.
    distance : float
        How far the features of the farthest clip lie from their mean: the root mean square of the
        standardised features.
    """

    seconds: float = 0.0
    bandwidth: float = 0.0
    distance: float = 10.0

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> "TrainingRange":
        """Return what a card says, or the range of everything where it says nothing."""
        told = card.get("training")
        if not isinstance(told, Mapping):
            return cls()
        fields = {name: told.get(name, default) for name, default in asdict(cls()).items()}
        return cls(**{k: v for k, v in fields.items() if isinstance(v, int | float)})


def describe_training(pipeline: Pipeline, paths: Sequence, matrix: np.ndarray) -> dict[str, float]:
    """Return what the card of a fitted pipeline should say of its training clips.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    paths : sequence of n_clips sources
        Its training clips; the lengths and bandwidths of some are measured.
    matrix : ndarray of shape (n_clips, ...)
        Their features.

    Returns
    -------
    training : dict
        The fields of `TrainingRange`.
    """
    step = -(-len(paths) // N_MEASURED)
    union = pipeline.named_steps["features"]
    alone = with_quality(union, union.n_jobs)
    alone = AudioFeatureUnion(alone.transformer_list[-1:], n_jobs=union.n_jobs)
    clips = pipeline.named_steps["audio"].transform(list(paths)[::step])
    rows = [row for batch in alone.iter_batches(clips) for row in batch.rows if row is not None]
    found = [split_quality(row)[1] for row in rows]
    distances = Distance(pipeline)(matrix)
    measured = TrainingRange(
        seconds=float(np.quantile([q.seconds for q in found], 0.01)) if found else 0.0,
        bandwidth=float(np.quantile([q.bandwidth for q in found], 0.05)) if found else 0.0,
        distance=float(distances.max()) if distances is not None else TrainingRange.distance,
    )
    return {name: float(f"{value:.4g}") for name, value in asdict(measured).items()}


class Distance:
    """How far features lie from the mean of the training clips, in their standard deviations.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline, whose step `scale` knows mean and scale.
    """

    def __init__(self, pipeline: Pipeline):
        scale = pipeline.named_steps.get("scale")
        self.mean = getattr(scale, "mean_", None)
        self.scale = getattr(scale, "scale_", None)

    def __call__(self, X: np.ndarray) -> np.ndarray | None:
        """Return the root mean square of the standardised features of each clip.

        Parameters
        ----------
        X : ndarray of shape (n_clips, ...)

        Returns
        -------
        distances : ndarray of shape (n_clips,), or None where the scaler has no mean or scale
        """
        if self.mean is None or self.scale is None:
            return None
        deviation = ((X - self.mean) / self.scale).reshape(len(X), -1)
        return np.sqrt(np.mean(np.square(deviation), axis=1))


class Judge:
    """Says in what a clip is unlike the training clips.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    training : TrainingRange, default=None
        What its card says of the training clips; without it lengths and bandwidths have no bounds,
        and features only a wide one.
    """

    def __init__(self, pipeline: Pipeline, training: TrainingRange | None = None):
        self.training = training or TrainingRange()
        self.distance = Distance(pipeline)

    def __call__(self, X: np.ndarray, qualities: Sequence[Quality]) -> list[str | None]:
        """Return a warning for each clip, or None.

        Parameters
        ----------
        X : ndarray of shape (n_clips, ...)
            Features, not scaled.
        qualities : sequence of n_clips Quality

        Returns
        -------
        warnings : list of n_clips str or None
        """
        distances = self.distance(X)
        told = []
        for i, quality in enumerate(qualities):
            distance = 0.0 if distances is None else float(distances[i])
            told.append("; ".join(self._look(quality, distance)) or None)
        return told

    def _look(self, quality: Quality, distance: float) -> list[str]:
        training = self.training
        if quality.level < SILENCE_DB:
            return ["silent"]
        found = []
        if quality.clipped > CLIPPED_SHARE:
            found.append(f"clipped ({quality.clipped:.1%} of the samples)")
        if quality.seconds < training.seconds / 2:
            found.append(
                f"shorter than the training clips ({quality.seconds:.2f} s, theirs from "
                f"{training.seconds:.2f} s on)"
            )
        if quality.bandwidth < 0.75 * training.bandwidth:
            found.append(
                f"lower bandwidth than the training clips ({quality.bandwidth / 1000:.1f} kHz, "
                f"theirs {training.bandwidth / 1000:.1f} kHz)"
            )
        if distance > 1.5 * training.distance:
            found.append(
                f"unlike the training clips (features {distance:.0f} standard deviations off, "
                f"theirs at most {training.distance:.0f})"
            )
        return found
