"""Quality of clips (level, clipping, bandwidth), compared with that of the training clips.

A classifier predicts something for whatever it is given. So a prediction comes with a warning where
the clip is clipped, far shorter or of a lower bandwidth than the clips it was trained with, or
where its features lie far outside theirs.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.features import _pitch
from sklearn_ser.features._spectrum import STFT, Spectra

__all__ = [
    "Inspection",
    "Judge",
    "Quality",
    "TrainingRange",
    "describe_training",
    "loud_level",
    "measure",
    "tabulate",
]

FULL_SCALE = 0.99  # samples beyond count as clipped, ...
CLIPPED_SHARE = 0.001  # ... and a clip with more than this share of them
BAND_DB = -70.0  # a clip's band ends where its spectrum has fallen this far below its peak

LOUD_SHARE = 0.1  # of the frames of a clip reach its loud level
FRAME_SECONDS = 0.03

# What a voice is told from noise and from tones by. Chosen on EMO-DB, copies of it in noise and on
# telephones, and tones; a hundredth of those copies have a pitch in fewer of their loud frames.
VOICED_SHARE = 0.1  # of the loud frames have a pitch
STILL_SHARE = 0.6  # at most, of the steps between frames that leave the pitch where it was
_STILL = 0.05  # semitones
_LOUD = 1e-3  # of the power that a tenth of the frames reach
_VOICE_HOP = 0.016  # seconds between frames

_HASHED_AT_ONCE = 1 << 14  # samples; small enough for a core's cache


class Quality(NamedTuple):
    """What is measured of one clip."""

    seconds: float
    level: float  # RMS in dB below full scale
    clipped: float  # share of samples at full scale
    bandwidth: float  # Hz; 0 for silence
    loud: float  # level in dB that a tenth of its frames of 30 ms reach
    voice: bool | None = None  # whether a voice is heard in it, where that was asked


class Inspection(NamedTuple):
    """What is known of one clip beside its features, from the same reading of its file."""

    sha256: str | None  # of its bytes
    samples_sha256: str | None  # of its mono samples, equal in whatever container
    frames: int  # samples per channel, as recorded
    sampling_rate: int  # Hz, as recorded
    quality: Quality


def hash_samples(y: np.ndarray, rate: int) -> str:
    """Return a checksum that is equal for clips of the same samples at the same rate.

    Parameters
    ----------
    y : ndarray of shape (n_times,), float32
        The mono samples, as recorded.
    rate : int
        Their sampling rate, in Hz.
    """
    # Samples of 16 bits, which most are, have half the bytes.
    return _hash(y, rate, np.dtype(np.int16)) or _hash(y, rate, np.dtype(np.float32)) or ""


def _hash(y: np.ndarray, rate: int, dtype: np.dtype) -> str | None:
    """Return a checksum of samples as some type; None where they are not of 16 bits."""
    checksum = hashlib.sha256(f"{rate} {dtype} ".encode())
    for start in range(0, len(y), _HASHED_AT_ONCE):
        block = y[start : start + _HASHED_AT_ONCE]
        if dtype == np.int16:
            scaled = block * np.float32(32768)
            if not -32768 <= scaled.min() <= scaled.max() < 32768:
                return None
            whole = scaled.astype(np.int16)
            if not np.array_equal(whole, scaled):
                return None
            checksum.update(whole.data)
        else:
            checksum.update((block + np.float32(0)).data)  # makes -0.0 the 0.0 it equals
    return checksum.hexdigest()


def pack_inspection(inspection: Inspection) -> bytes:
    """Return an inspection as bytes, to be kept in the feature cache."""
    return json.dumps(inspection).encode()


def unpack_inspection(data: bytes) -> Inspection | None:
    """Return what `pack_inspection` has packed, `None` where it is anything else."""
    try:
        sha256, samples_sha256, frames, rate, quality = json.loads(data)
        return Inspection(sha256, samples_sha256, frames, rate, Quality(*quality))
    except (ValueError, TypeError):
        return None


def tabulate(inspections: Mapping[int, Inspection]) -> pd.DataFrame:
    """Return inspections as a table.

    Parameters
    ----------
    inspections : mapping of int to Inspection
        By the position of the clip.

    Returns
    -------
    table : DataFrame
        Indexed by position, with the columns sha256, samples_sha256, frames, sampling_rate,
        seconds, level, clipped, bandwidth and loud.
    """
    rows = [(*one[:-1], *one.quality[:-1]) for one in inspections.values()]
    columns = [*Inspection._fields[:-1], *Quality._fields[:-1]]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(list(inspections), dtype=int))


def measure(spectra: Spectra, stft: STFT, *, voice: bool = False) -> list[Quality]:
    """Return the quality of some clips, from the spectrum that their features share.

    Parameters
    ----------
    spectra : Spectra
    stft : STFT
    voice : bool, default=False
        Whether to listen for a voice too.

    Returns
    -------
    qualities : list of n_clips Quality

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.features._spectrum import STFT, Spectra
    >>> from sklearn_ser.features.quality import measure
    >>> noise = np.random.default_rng(0).normal(size=22050).astype(np.float32) / 10
    >>> spectra = Spectra([noise], 22050, ["noise"])
    >>> quality = measure(spectra, STFT(2048, 512, 2048, "hann", True, "constant"))[0]
    >>> quality.seconds, round(quality.level), quality.bandwidth
    (1.0, -20, 11025.0)
    """
    spectrum = spectra.mean(spectra.power(stft), stft)
    frequencies = np.fft.rfftfreq(stft.n_fft, 1 / spectra.sr)
    qualities = [
        _measure(y, spectra.sr, mean, frequencies)
        for y, mean in zip(spectra.clips, spectrum, strict=True)
    ]
    if not voice:
        return qualities
    heard = hear_voices(spectra)
    return [one._replace(voice=here) for one, here in zip(qualities, heard, strict=True)]


def _measure(y: np.ndarray, sr: int, spectrum: np.ndarray, frequencies: np.ndarray) -> Quality:
    power = float(np.dot(y, y)) / len(y)
    band = np.flatnonzero(spectrum > spectrum.max() * 10 ** (BAND_DB / 10))
    return Quality(
        seconds=len(y) / sr,
        level=_decibels(power),
        clipped=_clipped_share(y),
        bandwidth=float(frequencies[band[-1]]) if len(band) else 0.0,
        loud=loud_level(y, sr),
    )


def hear_voices(spectra: Spectra) -> list[bool]:
    """Say of some clips whether a voice is heard in each.

    A voice has a pitch in many of the loud frames, and that pitch moves from frame to frame. Noise
    and clicks have none; tones and instruments have one that stands still.

    Returns
    -------
    voices : list of n_clips bool

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.features._spectrum import Spectra
    >>> from sklearn_ser.features.quality import hear_voices
    >>> noise = np.random.default_rng(0).normal(size=16000).astype(np.float32) / 10
    >>> tone = np.sin(np.arange(16000) * 0.1).astype(np.float32)
    >>> glide = np.sin(np.arange(16000) ** 1.2 * 0.02).astype(np.float32)
    >>> hear_voices(Spectra([noise, tone, glide], 16000, ["noise", "tone", "glide"]))
    [False, False, True]
    """
    hop_length = round(_VOICE_HOP * spectra.sr)  # that of the features at 16 kHz, tracked once
    stft = _pitch.setting(spectra.sr, hop_length)
    found = _pitch.track(spectra, hop_length)
    power = spectra.power(stft).sum(axis=1)
    return [
        _hear_voice(*one)
        for one in zip(
            *(spectra.split(each, stft) for each in (power, found.voiced, found.semitones)),
            strict=True,
        )
    ]


def _hear_voice(power: np.ndarray, voiced: np.ndarray, semitones: np.ndarray) -> bool:
    loud = power > _LOUD * np.quantile(power, 1 - LOUD_SHARE)
    if not voiced[loud].sum() > VOICED_SHARE * loud.sum():
        return False
    steps = np.abs(np.diff(semitones))
    return bool(np.mean(steps[np.isfinite(steps)] < _STILL) <= STILL_SHARE)


def _clipped_share(y: np.ndarray) -> float:
    if max(y.max(), -y.min()) < FULL_SCALE:
        return 0.0
    return np.count_nonzero(np.abs(y) >= FULL_SCALE) / len(y)


def loud_level(y: np.ndarray, sr: int) -> float:
    """Return the level that a tenth of a clip's frames of 30 ms reach, in dB below full scale.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
        A waveform with at least one sample.
    sr : int
        Its sampling rate, in Hz.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.features.quality import loud_level
    >>> word_in_silence = np.concatenate([np.zeros(16000), np.full(4000, 0.1), np.zeros(8000)])
    >>> round(loud_level(word_in_silence, 16000), 3)
    -20.0
    """
    n = min(len(y), max(1, round(FRAME_SECONDS * sr)))
    frames = y[: len(y) // n * n].reshape(-1, n)
    power = np.einsum("ij,ij->i", frames, frames) / n
    n_loud = math.ceil(LOUD_SHARE * len(power))
    return _decibels(float(np.partition(power, -n_loud)[-n_loud]))


def _decibels(power: float) -> float:
    return 10 * math.log10(max(power, 1e-20))


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
        training = card.get("training")
        if not isinstance(training, Mapping):
            return cls()
        fields = {name: training.get(name, default) for name, default in asdict(cls()).items()}
        return cls(**{k: v for k, v in fields.items() if isinstance(v, int | float)})


def describe_training(
    pipeline: Pipeline, inspections: pd.DataFrame, matrix: np.ndarray
) -> dict[str, float]:
    """Return what the card of a fitted pipeline should say of its training clips.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    inspections : DataFrame of n_clips rows
        What `extract_features` said of its training clips.
    matrix : ndarray of shape (n_clips, ...)
        Their features.

    Returns
    -------
    training : dict
        The fields of `TrainingRange`.
    """
    distances = Distance(pipeline)(matrix)
    there = len(inspections) > 0
    measured = TrainingRange(
        seconds=float(inspections["seconds"].quantile(0.01)) if there else 0.0,
        bandwidth=float(inspections["bandwidth"].quantile(0.05)) if there else 0.0,
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
        warnings = []
        for i, quality in enumerate(qualities):
            distance = 0.0 if distances is None else float(distances[i])
            warnings.append("; ".join(self._look(quality, distance)) or None)
        return warnings

    def _look(self, quality: Quality, distance: float) -> list[str]:
        training = self.training
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
