"""Features of each frame, for networks over sequences.

Each clip becomes `n_frames` frames of so many channels: a longer one is cut at the end, a shorter
one holds its last frame, which in a recording of speech is its silence.
"""

from numbers import Integral

import numpy as np

from sklearn_ser._sklearn import at_least, one_of, positive
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features._spectrum import Spectra
from sklearn_ser.features.spectral import MFCC, Chroma, SpectralContrast
from sklearn_ser.features.transformers import (
    MEL_CONSTRAINTS,
    STFT_CONSTRAINTS,
    SequenceTransformer,
)

__all__ = ["FrameFeatures", "LogMelSpectrogram"]


class LogMelSpectrogram(SequenceTransformer):
    """The mel spectrogram in decibels, frame by frame.

    Equal to `librosa.power_to_db(librosa.feature.melspectrogram(...))`, time first.

    Parameters
    ----------
    sr : int, default=22050
        Sampling rate of the clips, in Hz.
    n_frames : int, default=87
        Frames of each clip; 87 are two seconds at the other defaults.
    normalize : {"clip"} or None, default=None
        Whether to z-score each channel over the clip itself; the pipeline's scaler does so over
        the training data.
    n_fft : int, default=2048
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=512
        Samples between the starts of frames.
    win_length : int, default=None
        Length of the window, in samples; `None` means `n_fft`.
    window : str, tuple or float, default="hann"
        The window, as in `scipy.signal.get_window`.
    center : bool, default=True
        Whether frame t is centred at sample t * hop_length; the clip is padded for that.
    pad_mode : {"constant", "edge", "reflect", "symmetric"}, default="constant"
        How the clip is padded.
    n_mels : int, default=128
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency, in Hz.
    fmax : float, default=None
        Highest frequency, in Hz; `None` means half the sampling rate.
    htk : bool, default=False
        Whether to use HTK's mel formula instead of Slaney's.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import LogMelSpectrogram
    >>> noise = np.random.default_rng(0).normal(size=(3, 22050)) / 10
    >>> LogMelSpectrogram().fit_transform(noise).shape
    (3, 87, 128)
    """

    _parameter_constraints: dict = {
        **STFT_CONSTRAINTS,
        **MEL_CONSTRAINTS,
        "n_frames": [positive(Integral)],
        "normalize": [one_of("clip"), None],
    }

    def __init__(
        self,
        sr=22050,
        *,
        n_frames=87,
        normalize=None,
        n_fft=2048,
        hop_length=512,
        win_length=None,
        window="hann",
        center=True,
        pad_mode="constant",
        n_mels=128,
        fmin=0.0,
        fmax=None,
        htk=False,
    ):
        self.sr = sr
        self.n_frames = n_frames
        self.normalize = normalize
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.htk = htk

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the decibels in the bands of some clips' frames, of shape (n_frames, n_mels)."""
        return spectra.mel_db(self.stft(), self._mel())

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the channels: logmel_0, logmel_1, and so on."""
        return np.array([f"logmel_{i}" for i in range(self.n_mels)], dtype=object)


class FrameFeatures(SequenceTransformer):
    """MFCC, chroma and spectral contrast side by side, frame by frame.

    Parameters
    ----------
    sr : int, default=22050
        Sampling rate of the clips, in Hz.
    n_frames : int, default=87
        Frames of each clip; 87 are two seconds at the other defaults.
    normalize : {"clip"} or None, default=None
        Whether to z-score each channel over the clip itself; the pipeline's scaler does so over
        the training data.
    n_mfcc : int, default=40
        Number of MFCCs; 0 leaves them out.
    n_chroma : int, default=12
        Number of pitch classes; 0 leaves them out.
    n_bands : int, default=6
        Octaves of the spectral contrast, one channel more; 0 leaves it out.
    n_fft : int, default=2048
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=512
        Samples between the starts of frames.
    win_length : int, default=None
        Length of the window, in samples; `None` means `n_fft`.
    window : str, tuple or float, default="hann"
        The window, as in `scipy.signal.get_window`.
    center : bool, default=True
        Whether frame t is centred at sample t * hop_length; the clip is padded for that.
    pad_mode : {"constant", "edge", "reflect", "symmetric"}, default="constant"
        How the clip is padded.

    See Also
    --------
    MFCC, Chroma, SpectralContrast : Their means over time.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import FrameFeatures
    >>> noise = np.random.default_rng(0).normal(size=(3, 22050)) / 10
    >>> FrameFeatures().fit_transform(noise).shape
    (3, 87, 59)
    """

    _parameter_constraints: dict = {
        **STFT_CONSTRAINTS,
        "n_frames": [positive(Integral)],
        "normalize": [one_of("clip"), None],
        "n_mfcc": [at_least(0)],
        "n_chroma": [at_least(0)],
        "n_bands": [at_least(0)],
    }

    def __init__(
        self,
        sr=22050,
        *,
        n_frames=87,
        normalize=None,
        n_mfcc=40,
        n_chroma=12,
        n_bands=6,
        n_fft=2048,
        hop_length=512,
        win_length=None,
        window="hann",
        center=True,
        pad_mode="constant",
    ):
        self.sr = sr
        self.n_frames = n_frames
        self.normalize = normalize
        self.n_mfcc = n_mfcc
        self.n_chroma = n_chroma
        self.n_bands = n_bands
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        super().check_settings()
        if not (self.n_mfcc or self.n_chroma or self.n_bands):
            raise OptionError("FrameFeatures: n_mfcc, n_chroma and n_bands must not all be 0.")
        for kind in self._kinds():
            kind.check_settings()

    def _kinds(self) -> list[MFCC | Chroma | SpectralContrast]:
        shared = {name: getattr(self, name) for name in STFT_CONSTRAINTS}
        kinds: list[MFCC | Chroma | SpectralContrast] = []
        if self.n_mfcc:
            kinds.append(MFCC(n_mfcc=self.n_mfcc, **shared))
        if self.n_chroma:
            kinds.append(Chroma(n_chroma=self.n_chroma, **shared))
        if self.n_bands:
            kinds.append(SpectralContrast(n_bands=self.n_bands, **shared))
        return kinds

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the channels of all frames of some clips, of shape (n_frames, n_channels)."""
        return np.concatenate([kind.frames(spectra) for kind in self._kinds()], axis=1)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the channels: mfcc_0, ..., chroma_0, ..., contrast_0, ..."""
        names = [name for kind in self._kinds() for name in kind.channels()]
        return np.array(names, dtype=object)
